"""What a composer hands on: a draft with the signals of how good it is, or why there is none."""

from dataclasses import dataclass, replace

from schemas.reasons import Intent, Reason
from services.lib.answering.draft import Draft


@dataclass(frozen=True)
class Signals:
    """What confidence is worked out of; each 0 to 1."""

    match: float
    """How near in meaning the best evidence is."""
    coverage: float
    """Share of the question's words the evidence has."""
    margin: float = 0.0
    """How far the best is ahead of the next."""
    exact: bool = False
    """True where the question named its object (a product, an order) and asked for a field of it."""
    compromised: bool = False
    """True where not everything asked for could be met."""


CERTAIN = Signals(match=1.0, coverage=1.0, margin=1.0, exact=True)


@dataclass(frozen=True)
class Composed:
    intent: Intent
    draft: Draft
    signals: Signals
    confidence: float = 0.0
    """Worked out last; see `confidence`."""

    def with_confidence(self, confidence: float) -> "Composed":
        return replace(self, confidence=confidence)


@dataclass(frozen=True)
class Withhold:
    intent: Intent
    reason: Reason
    detail: str
