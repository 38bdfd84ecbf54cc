"""Any Hugging Face sequence classifier in place of the shipped sentiment head (extra `torch`).

`transformers` and `torch` are imported when a model is loaded, not before: they cost a second of CPU and
hundreds of megabytes, and the shipped head needs neither.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from services.lib.language.normalise import normalise
from services.lib.language.sentiment import NOTHING_SAID, SentimentScores

CLASSES = ("negative", "neutral", "positive")
BATCH = 16
MAX_TOKENS = 256


def class_columns(id2label: Mapping[int, str]) -> tuple[int, int, int]:
    """The columns of a classifier's output that hold negative, neutral and positive, found by the labels' names.

    Raises ValueError where the labels are not these three, each once: a guessed order would turn anger into praise.
    """
    names = {column: str(label).strip().lower() for column, label in id2label.items()}
    if sorted(names.values()) != sorted(CLASSES):
        raise ValueError(
            "the classifier's labels must be negative, neutral and positive (id2label in its config.json); "
            f"it has {', '.join(repr(label) for label in id2label.values()) or 'none'}"
        )
    columns = {name: column for column, name in names.items()}
    return columns["negative"], columns["neutral"], columns["positive"]


def scores_of(logits: Sequence[float], columns: tuple[int, int, int]) -> SentimentScores:
    """Softmax of one row of logits, in our order."""
    row = [logits[column] for column in columns]
    highest = max(row)
    weights = [math.exp(value - highest) for value in row]
    total = sum(weights)
    return SentimentScores(*(weight / total for weight in weights))


class HuggingFaceSentiment:
    """A `SentimentClassifier` over a function from texts to rows of logits."""

    def __init__(
        self,
        logits: Callable[[Sequence[str]], Sequence[Sequence[float]]],
        columns: tuple[int, int, int],
        version: str,
    ) -> None:
        self._logits = logits
        self._columns = columns
        self.version = version

    @classmethod
    def load(cls, name: str, *, revision: str | None = None) -> Self:
        """Load a local folder or a name on the Hub, at a `revision` where one is given; runs no code of the model's.

        Raises ModuleNotFoundError without the extra `torch`, ValueError where the labels do not fit.
        """
        try:
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "a Hugging Face classifier needs the extra `torch`: pip install 'baton[torch]'",
                name=error.name,
            ) from error
        options: dict[str, Any] = {"revision": revision, "trust_remote_code": False}
        network = AutoModelForSequenceClassification.from_pretrained(name, **options).eval()
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        columns = class_columns(network.config.id2label)

        def logits(texts: Sequence[str]) -> Sequence[Sequence[float]]:
            pieces = tokenizer(list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
            with torch.inference_mode():
                rows: list[list[float]] = network(**pieces).logits.tolist()
            return rows

        config = hashlib.sha256(network.config.to_json_string().encode()).hexdigest()[:12]
        return cls(logits, columns, f"{name}@{revision or config}")

    def score(self, texts: Sequence[str]) -> list[SentimentScores]:
        """See `SentimentClassifier.score`. Batched in order; padding can move a score in the last decimals."""
        plain = [normalise(text) for text in texts]
        said = [number for number, text in enumerate(plain) if text]
        scores = [NOTHING_SAID] * len(plain)
        for start in range(0, len(said), BATCH):
            numbers = said[start : start + BATCH]
            rows = self._logits([plain[number] for number in numbers])
            for number, row in zip(numbers, rows, strict=True):
                scores[number] = scores_of(row, self._columns)
        return scores
