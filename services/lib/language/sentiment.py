"""How a message feels: probabilities of negative, neutral and positive.

all-MiniLM-L6-v2 fine-tuned with a three-class head, int8, calibrated by temperature (Guo et al. 2017); the softmax is
inside the graph. English only: the scores of other languages mean little (figures in `models/README.md`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from services.lib.language.normalise import normalise
from services.lib.language.text_model import MODELS, TextModel


@dataclass(frozen=True, slots=True)
class SentimentScores:
    """Three probabilities that sum to 1."""

    negative: float
    neutral: float
    positive: float


NOTHING_SAID = SentimentScores(negative=0.0, neutral=1.0, positive=0.0)
"""What an empty message scores. No model is asked: the class that it has learned for no words is an accident."""


class SentimentClassifier(Protocol):
    """What the sentiment service and `baton evaluate sentiment` need of a model."""

    @property
    def version(self) -> str:
        """Names the weights, as decisions record it."""
        ...

    def score(self, texts: Sequence[str]) -> list[SentimentScores]:
        """One result per text, in order. Synchronous; texts may be empty, long or in any language."""
        ...


class SentimentModel:
    """The shipped model. A text's scores depend on that text alone, whatever it is scored together with."""

    def __init__(self, model: TextModel) -> None:
        self._model = model

    @classmethod
    def load(cls, folder: Path = MODELS, *, threads: int = 1) -> Self:
        """Read `sentiment.onnx` and `tokenizer.json` from `folder`; `threads` texts are scored side by side.

        Raises FileNotFoundError naming the missing file.
        """
        return cls(TextModel.load(folder / "sentiment.onnx", folder / "tokenizer.json", threads=threads))

    @property
    def version(self) -> str:
        return self._model.version

    def score(self, texts: Sequence[str]) -> list[SentimentScores]:
        """See `SentimentClassifier.score`."""
        plain = [normalise(text) for text in texts]
        said = [number for number, text in enumerate(plain) if text]
        scores = [NOTHING_SAID] * len(plain)
        rows = self._model.run([plain[number] for number in said], "probabilities")
        for number, row in zip(said, rows, strict=True):
            scores[number] = SentimentScores(*(float(value) for value in row))
        return scores


class KeywordSentiment:
    """A fake for tests: counts a few plain words. Says nothing about how people feel."""

    version = "keyword"
    _NEGATIVE = frozenset({"angry", "awful", "bad", "broken", "hate", "horrible", "terrible", "useless", "worst"})
    _POSITIVE = frozenset({"amazing", "excellent", "good", "great", "happy", "love", "perfect", "thanks"})

    def score(self, texts: Sequence[str]) -> list[SentimentScores]:
        """See `SentimentClassifier.score`: each word counts 2, against 1 for each class to begin with."""
        scores = []
        for text in texts:
            words = re.findall(r"\w+", text.casefold())
            negative = 1 + 2 * sum(word in self._NEGATIVE for word in words)
            positive = 1 + 2 * sum(word in self._POSITIVE for word in words)
            total = negative + 1 + positive
            scores.append(SentimentScores(negative / total, 1 / total, positive / total))
        return scores
