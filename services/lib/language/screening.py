"""Finds, at the door, the subjects that a human must decide: before anything else reads the message."""

from dataclasses import dataclass
from pathlib import Path

from schemas.reasons import Reason, gravest
from services.lib.language.fold import fold
from services.lib.language.rulebook import PACKAGED, RuleBook


@dataclass(frozen=True, slots=True)
class Hit:
    """One piece of evidence: what found it ("rule:en.legal_threat.lawyer"), where, and how sure it is.

    `span` is [start, end) in characters of the text as it was written; None where a source judges the whole.
    """

    reason: Reason
    source: str
    span: tuple[int, int] | None
    probability: float


@dataclass(frozen=True, slots=True)
class Screening:
    """All hits, gravest first; `reason` is the gravest, None where nothing is contained; `version`: what judged."""

    hits: tuple[Hit, ...]
    version: str

    @property
    def reason(self) -> Reason | None:
        return gravest(*(hit.reason for hit in self.hits))


class Screen:
    """Tries every rule of every language on a message; pure, and linear in its length.

    The identified language is not asked which rules to try: short messages fool identification, and "can I
    talk to un agente humano" is English. Hostile text (abuse, instructions to a model) is no reason to
    escalate: a queue that it could fill would be a target.
    """

    def __init__(self, book: RuleBook) -> None:
        self._book = book

    @classmethod
    def load(cls, folder: Path = PACKAGED) -> "Screen":
        """Raises ValueError, in one sentence, where a rule file is wrong: it fails closed."""
        return cls(RuleBook.load(folder))

    @property
    def version(self) -> str:
        """SHA-256 over the rule files."""
        return self._book.version

    def screen(self, text: str, language: str | None = None) -> Screening:
        """`language`, an ISO 639-1 code, only orders hits of one reason: those of its own rules come first."""
        folded = fold(text, self._book.corrections)
        hits = [
            Hit(rule.reason, f"rule:{rule.id}", folded.span(*found), 1.0)
            for rule in self._book.candidates(folded.data)
            if (found := rule.find(folded.data))
        ]
        hits.sort(key=lambda hit: (hit.reason.rank, not hit.source.startswith(f"rule:{language}.")))
        return Screening(tuple(hits), self._book.version)
