"""Scores JSON lines with a sentiment model, and measures it where the lines carry gold labels.

The pure half of `baton evaluate sentiment`: `{id, text}` in, `{id, negative, neutral, positive}` out.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TextIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.lib.language.sentiment import SentimentClassifier, SentimentScores

LABELS = ("negative", "neutral", "positive")
BATCH = 256
BINS = 15
"""Of the expected calibration error, as in Guo et al. 2017."""


class Metrics(BaseModel):
    """What the labelled lines say of the model."""

    model_config = ConfigDict(frozen=True)

    n: int = Field(description="labelled lines")
    macro_recall: float = Field(description="mean recall of the classes that occur; TweetEval's measure of sentiment")
    accuracy: float
    ece: float = Field(description="expected calibration error of the top class, 15 equal bins of confidence")


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    id: str | int
    text: str
    label: str | int | None = None


def evaluate_sentiment(source: TextIO, output: TextIO, model: SentimentClassifier) -> Metrics | None:
    """Write one line per line of `source`, in its order; return the metrics of those with a label, None without any.

    A label is a class's name or its number (0 negative, 1 neutral, 2 positive). Blank lines are passed over. Raises
    ValueError naming the line that is malformed; what came before it may have been written.
    """
    gold: list[int] = []
    scored: list[SentimentScores] = []
    lines = _read(source)
    while batch := list(islice(lines, BATCH)):
        for (line, label), scores in zip(batch, model.score([line.text for line, _ in batch]), strict=True):
            row = {
                "id": line.id,
                "negative": scores.negative,
                "neutral": scores.neutral,
                "positive": scores.positive,
            }
            output.write(json.dumps(row, ensure_ascii=False) + "\n")
            if label is not None:
                gold.append(label)
                scored.append(scores)
    return measure(gold, scored) if gold else None


def measure(gold: Sequence[int], scored: Sequence[SentimentScores]) -> Metrics:
    """Metrics of at least one labelled score; `gold` are class numbers. Ties go to the first class."""
    rows = [(scores.negative, scores.neutral, scores.positive) for scores in scored]
    hits = [row.index(max(row)) == label for row, label in zip(rows, gold, strict=True)]
    recalls = []
    for label in sorted(set(gold)):
        found = [hit for hit, own in zip(hits, gold, strict=True) if own == label]
        recalls.append(sum(found) / len(found))
    return Metrics(
        n=len(gold),
        macro_recall=sum(recalls) / len(recalls),
        accuracy=sum(hits) / len(hits),
        ece=calibration_error([max(row) for row in rows], hits),
    )


def calibration_error(confidences: Sequence[float], hits: Sequence[bool]) -> float:
    """Expected calibration error: gap of confidence and accuracy over equal bins, weighted by their size."""
    confidence = [0.0] * BINS
    right = [0] * BINS
    for value, hit in zip(confidences, hits, strict=True):
        place = min(BINS - 1, int(value * BINS))
        confidence[place] += value
        right[place] += hit
    return sum(abs(total - count) for total, count in zip(confidence, right, strict=True)) / len(confidences)


def _read(source: TextIO) -> Iterator[tuple[_Line, int | None]]:
    """Each line with its class number, where it has one."""
    for number, raw in enumerate(source, start=1):
        if not raw.strip():
            continue
        try:
            line = _Line.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"line {number}: {place + ': ' if place else ''}{first['msg']}") from None
        yield line, _class_number(line.label, number)


def _class_number(label: str | int | None, number: int) -> int | None:
    if label is None:
        return None
    if label in LABELS:
        return LABELS.index(str(label))
    if label in range(len(LABELS)):
        return int(label)
    raise ValueError(f"line {number}: label: must be one of {', '.join(LABELS)}, 0, 1 or 2, not {label!r}")
