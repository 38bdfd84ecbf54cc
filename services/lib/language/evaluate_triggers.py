"""Scores containment, sentiment and the loop detector on JSON lines: the verb `baton evaluate triggers`."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, Protocol, TextIO

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.reasons import Reason
from services.lib.language.repeats import repeats
from services.lib.language.screening import Screen

NEGATIVE_FROM = 0.90
"""From this probability on, a message that is no plain question escalates as `negative_sentiment`."""


class Scores(Protocol):
    """Probabilities of the three classes."""

    @property
    def negative(self) -> float: ...


class Scorer(Protocol):
    """A sentiment model."""

    def score(self, texts: list[str]) -> Sequence[Scores]: ...


class Said(BaseModel):
    """One earlier message."""

    model_config = ConfigDict(frozen=True)
    role: Literal["customer", "assistant"]
    text: str


class Asked(BaseModel):
    """One line of input; `escalate` and `reason` are gold where they are there."""

    model_config = ConfigDict(frozen=True)
    id: str | int
    text: str
    history: tuple[Said, ...] = ()
    escalate: bool | None = None
    reason: Reason | None = None

    @property
    def gold(self) -> bool | None:
        """Whether it should escalate, None where the line does not say."""
        return self.escalate if self.escalate is not None else self._gold_of_reason

    @property
    def _gold_of_reason(self) -> bool | None:
        return self.reason is not None if "reason" in self.model_fields_set else None


class Judged(BaseModel):
    """One line of output."""

    model_config = ConfigDict(frozen=True)
    id: str | int
    escalate: bool
    reason: Reason | None
    probability: float
    source: str | None


class OfReason(BaseModel):
    """How one reason fared. `right`: caught for this very reason."""

    model_config = ConfigDict(frozen=True)
    gold: int
    caught: int
    right: int
    claimed: int


class Metrics(BaseModel):
    """Shares between 0 and 1; None where nothing in the file can tell."""

    model_config = ConfigDict(frozen=True)
    messages: int
    recall: float | None
    precision: float | None
    reason_accuracy: float | None
    false_escalation_rate: float | None
    by_reason: dict[str, OfReason]


def evaluate_triggers(
    source: TextIO, output: TextIO, screen: Screen, sentiment: Scorer | None = None
) -> Metrics | None:
    """Judges each line of `source` into `output`, in order; metrics where the input has gold fields.

    Raises ValueError, before anything is written, naming the first line that is not as it should be.
    """
    asked = _read(source)
    scores = sentiment.score([line.text for line in asked]) if sentiment and asked else [None] * len(asked)
    judged = [judge(line, screen, score) for line, score in zip(asked, scores, strict=True)]
    output.writelines(line.model_dump_json() + "\n" for line in judged)
    gold = [(line, verdict) for line, verdict in zip(asked, judged, strict=True) if line.gold is not None]
    return _metrics(gold) if gold else None


def judge(asked: Asked, screen: Screen, score: Scores | None = None) -> Judged:
    """What the message says by itself, before any answer: contained, then angry, then going in circles."""
    screening = screen.screen(asked.text)
    if screening.hits:
        hit = screening.hits[0]
        return Judged(id=asked.id, escalate=True, reason=hit.reason, probability=hit.probability, source=hit.source)
    if score is not None and score.negative >= NEGATIVE_FROM and not asked.text.rstrip().endswith("?"):
        return Judged(
            id=asked.id,
            escalate=True,
            reason=Reason.NEGATIVE_SENTIMENT,
            probability=score.negative,
            source="model:sentiment",
        )
    if repeats(asked.text, [(said.role, said.text) for said in asked.history]):
        return Judged(
            id=asked.id,
            escalate=True,
            reason=Reason.REPEATED_FAILURE,
            probability=1.0,
            source="rule:repeated_failure",
        )
    return Judged(id=asked.id, escalate=False, reason=None, probability=0.0, source=None)


def _read(source: TextIO) -> list[Asked]:
    lines = []
    for number, raw in enumerate(source, 1):
        if not raw.strip():
            continue
        try:
            decoded: Any = json.loads(raw)
            lines.append(Asked.model_validate(decoded))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the line"
            raise ValueError(f"line {number}: {where}: {first['msg']}") from error
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number}: not JSON: {error}") from error
    return lines


def _metrics(gold: list[tuple[Asked, Judged]]) -> Metrics:
    should = [(asked, judged) for asked, judged in gold if asked.gold]
    caught = [(asked, judged) for asked, judged in should if judged.escalate]
    raised = [judged for _, judged in gold if judged.escalate]
    named = [(asked, judged) for asked, judged in caught if asked.reason is not None]
    right = [asked.reason for asked, judged in named if asked.reason == judged.reason]
    ordinary = [judged for asked, judged in gold if not asked.gold]
    counts = {
        "gold": Counter(asked.reason for asked, _ in should),
        "caught": Counter(asked.reason for asked, _ in caught),
        "right": Counter(right),
        "claimed": Counter(judged.reason for judged in raised),
    }
    seen = [reason for reason in Reason if any(count[reason] for count in counts.values())]
    return Metrics(
        messages=len(gold),
        recall=_share(len(caught), len(should)),
        precision=_share(len(caught), len(raised)),
        reason_accuracy=_share(len(right), len(named)),
        false_escalation_rate=_share(sum(judged.escalate for judged in ordinary), len(ordinary)),
        by_reason={
            reason.value: OfReason(**{name: count[reason] for name, count in counts.items()}) for reason in seen
        },
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
