"""`Conversation`: all that the router knows of one conversation. Masked text only, and no originals."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from schemas.chat import AnswerProposed, AnswerUnavailable, AnswerWithheld, SentimentScored, Utterance
from schemas.event import Utc
from schemas.reasons import Arm, Owner, Priority, Reason
from schemas.support import RecordedInput

EARLY_KEPT = 8
"""Messages whose evidence may come before they do. Ingest publishes before anybody can score, so one is usual
and more come only from a log read out of step; what is dropped costs an escalation at the deadline."""

TREND_KEPT = 5
"""Stretches whose negativity is remembered."""

COVERED_KEPT = 20
"""Superseded messages of one stretch whose late sentiment still counts."""

HEARD_KEPT = 8
"""Lines remembered, so that going round in circles is noticed."""
HEARD_CHARACTERS = 2000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


Answer = AnswerProposed | AnswerWithheld | AnswerUnavailable


class Found(_Part):
    """The evidence on one message that is there so far."""

    position: int = 0
    """Of the message, where the evidence came before it."""
    sentiment: SentimentScored | None = None
    answer: Answer | None = None


class Heard(_Part):
    """A line as the search for repetition reads it."""

    role: Literal["customer", "assistant"]
    text: str


class OpenTurn(_Part):
    """The turn that waits for its decision: never more than one. It covers the stretch of older turns that a newer
    one superseded."""

    position: int
    message: str
    """Identity of the accepted event, by which evidence finds it."""
    accepted_at: Utc
    """When the oldest message of the stretch was accepted: from then on the shopper waits."""
    text: str
    transcript: tuple[Utterance, ...]
    """The conversation up to and with this message."""
    attachments: int = 0
    customer_id: int | None = None
    screening_version: str
    found: Found = Found()
    covers: tuple[str, ...] = ()
    """Identities of the superseded messages of the stretch."""
    angriest: float | None = None
    """How negative the most negative of those is, as far as they are scored."""

    @property
    def negativity(self) -> float | None:
        """Of the most negative message of the stretch."""
        scored = self.found.sentiment
        own = scored.scores.negative if scored is not None and scored.scores is not None else None
        return max((value for value in (own, self.angriest) if value is not None), default=None)


class HandoffState(_Part):
    """An open handoff."""

    id: str
    """Id of its `EscalationRaised`; of the `EscalationClaimed` where an agent simply spoke."""
    reason: Reason | None
    """None where an agent simply spoke."""
    priority: Priority
    raised_at: Utc
    notified: tuple[Reason, ...] = ()
    """Reasons the shopper had a notice for."""
    agent: str | None = None


class Conversation(_Part):
    gateway: str
    conversation: str
    owner: Owner = Owner.AI
    epoch: int = 0
    language: str = "en"
    store: str = "default"
    arm: Arm = Arm.AI
    seen: int = 0
    """Position of the newest turn that came."""
    open: OpenTurn | None = None
    early: dict[str, Found] = {}
    """Evidence that came before its message, by the message's identity."""
    handoff: HandoffState | None = None
    disclosed: bool = False
    """Whether the shopper was told that a machine speaks."""
    moment_said: bool = False
    """Whether "one moment" was said in this stretch of open turns."""
    offered_human: bool = False
    """Whether the last reply offered a human, so that "yes please" is a request for one."""
    questions: int = 0
    """Clarifying questions in a row."""
    negatives: tuple[float, ...] = ()
    """How negative the last stretches were, oldest first; none from before a human had the conversation."""
    heard: tuple[Heard, ...] = ()
    """What the shopper wrote and the machine answered last, oldest first, masked."""
    turns: int = 0
    """Since the conversation began or was reopened."""
    inputs: tuple[RecordedInput, ...] = ()
    """What came since the last decision: its ordered inputs."""
    inputs_cut: bool = False

    def hearing(self, role: Literal["customer", "assistant"], text: str) -> tuple[Heard, ...]:
        """`heard` with one more line."""
        return (*self.heard, Heard(role=role, text=text[:HEARD_CHARACTERS]))[-HEARD_KEPT:]


AFRESH: dict[str, Any] = {"handoff": None, "offered_human": False, "questions": 0, "negatives": ()}
"""What a conversation starts over with once a human had it, or it was closed."""
