"""What humans need and do: escalations, briefs, agents' requests, presence, control, decisions, outcomes."""

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.chat import Card, Evidence, InConversation, Language, Position, Proof, Sentiment, Utterance
from schemas.event import Data, Name, Utc
from schemas.money import Money
from schemas.reasons import Arm, Decision, Intent, Outcome, Owner, Priority, Reason

Epoch = Annotated[int, Field(ge=0)]
"""Counts the changes of owner in one conversation."""


class Versions(Data):
    """What decided: policy is the SHA-256 of its file, the others name themselves."""

    policy: str
    screening: str | None = None
    sentiment: str | None = None
    answer: dict[str, str] = {}


# --- support.escalations: the life of a handoff ----------------------------------------------------


class Handoff(InConversation):
    handoff: str
    """Id of the handoff: the id of its `EscalationRaised`."""
    epoch: Epoch
    """After this event."""


class EscalationRaised(Handoff):
    position: Position
    reason: Reason
    evidence: tuple[Evidence, ...]
    priority: Priority
    language: Language
    store: Name
    customer_id: int | None = None
    """Proven by the shop; None for a guest."""
    transcript: tuple[Utterance, ...]
    """Masked, oldest first, with the message that escalated last."""
    transcript_cut: bool = False
    attachments: int = 0
    sentiment: Sentiment | None = None
    intent: Intent | None = None
    versions: Versions


class PriorityRaised(Handoff):
    """A graver subject came up while the shopper waits."""

    position: Position
    reason: Reason
    priority: Priority


class EscalationReminded(Handoff):
    """Nobody came yet."""

    waiting_seconds: Annotated[float, Field(ge=0)]
    priority: Priority


class EscalationClaimed(Handoff):
    agent: Name
    took_over: bool = False
    """True where the agent spoke in the channel without asking first."""


class ActionRefused(Handoff):
    """A request of an agent that came too late or was not theirs to make. A refused claim is one of these."""

    agent: Name
    action: Literal["claim", "reply", "give_back", "resolve"]
    cause: Literal["stale_epoch", "not_queued", "not_yours", "no_handoff", "empty"]
    owner: Owner
    claimed_by: Name | None = None
    request: str
    """Identity of the refused request."""


class EscalationReturned(Handoff):
    agent: Name


class EscalationResolved(Handoff):
    agent: Name


class EscalationCancelled(Handoff):
    by: Literal["customer", "closed"]


# --- support.briefs ----------------------------------------------------------------------------------


class TrackingLink(Data):
    carrier: str
    number: str
    url: str | None = None


class OrderLine(Data):
    sku: str
    name: str
    quantity: str
    total: Money


class OrderBrief(Data):
    number: str
    state: str
    status: str
    placed_at: Utc
    total: Money
    items: tuple[OrderLine, ...]
    tracking: tuple[TrackingLink, ...] = ()
    url: str
    """In the shop's admin panel."""


class CustomerBrief(Data):
    customer_id: int
    name: str
    email: str
    group: str | None = None
    url: str


class Draft(Data):
    """A reply proposed to the agent, with what it rests on."""

    text: str
    language: Language
    cards: tuple[Card, ...] = ()
    proofs: tuple[Proof, ...] = ()


class BriefLine(Data):
    """A line of the original transcript, unmasked: for the agent's eyes alone."""

    role: Literal["customer", "assistant", "agent", "notice"]
    text: str
    at: Utc


class BriefPrepared(InConversation):
    handoff: str
    reason: Reason
    why: str
    """The evidence in words."""
    summary: str
    customer: CustomerBrief | None = None
    orders: tuple[OrderBrief, ...] = ()
    draft: Draft | None = None
    transcript: tuple[BriefLine, ...] = ()
    transcript_cut: bool = False
    transcript_from: Utc | None = None
    """How far back ingest's log reaches for this conversation."""
    missing: tuple[str, ...] = ()
    """What could not be read, and why, one sentence each."""
    read_at: Utc


# --- support.agent-actions ---------------------------------------------------------------------------


class AgentRequest(InConversation):
    """What an agent asks for; the verdict is the router's."""

    agent: Name
    epoch: Epoch
    """The one the agent's desk showed."""


class ClaimRequested(AgentRequest):
    pass


class ReplyRequested(AgentRequest):
    text: Annotated[str, Field(max_length=16_000)]
    draft_use: Literal["none", "as_is", "edited"] = "none"


class DraftFeedbackGiven(AgentRequest):
    verdict: Literal["used", "edited", "rejected"]
    comment: Annotated[str, Field(max_length=2000)] = ""


class GiveBackRequested(AgentRequest):
    pass


class ResolveRequested(AgentRequest):
    pass


# --- support.presence (compacted) ----------------------------------------------------------------------


class AgentPresent(Data):
    """Replaces what was known of this agent; a tombstone removes the agent."""

    agent: Name
    queues: tuple[Name, ...] = ()
    capacity: Annotated[int, Field(ge=0, le=1000)]
    until: Utc
    """Believed until then, so that a desk that died is not waited for."""


# --- support.control (compacted) -------------------------------------------------------------------------


class Control(Data):
    """A lever: who pulled it, why, and until when. A tombstone takes it back."""

    name: Name
    owner: Annotated[str, Field(min_length=1, max_length=200)]
    why: Annotated[str, Field(min_length=1, max_length=500)]
    expires_at: Utc


class RolloutSet(Control):
    store: Name
    percentages: dict[Arm, Annotated[int, Field(ge=0, le=100)]]


class HoldSet(Control):
    """Not answered by the machine: an intent, a SKU or a passage."""

    kind: Literal["intent", "sku", "passage"]
    value: str


class NoticeSet(Control):
    """Text added to fitting replies and notices, per language."""

    texts: dict[Language, str]
    intents: tuple[Intent, ...] = ()


class PinSet(Control):
    """A question and its approved answer."""

    question: str
    answer: str
    language: Language


class ExceptionSet(Control):
    """A contained reason that this shop answers itself; never one of the seven that stay."""

    reason: Reason
    store: Name


# --- support.decisions -------------------------------------------------------------------------------------


class RecordedInput(Data):
    """An event as the fold saw it, in order, with the clock it was given."""

    id: str
    type: str
    at: Utc
    data: dict[str, Any]
    """Masked; without `private`, history, attachments and what agents wrote."""


class DecisionMade(InConversation):
    position: Position
    decision: Decision
    reason: Reason | None = None
    evidence: tuple[Evidence, ...] = ()
    because: Annotated[str, Field(max_length=200)]
    """Why not another: `contained`, `proven`, `superseded by 4`, `owner human`, `deadline`, ..."""
    intent: Intent | None = None
    confidence: float | None = None
    arm: Arm
    owner: Owner
    """Before this decision."""
    epoch: Epoch
    accepted_at: Utc
    decided_at: Utc
    inputs: tuple[RecordedInput, ...]
    inputs_cut: bool = False
    effects: tuple[str, ...]
    """Ids of the events this decision led to, in order."""
    versions: Versions


# --- support.outcomes --------------------------------------------------------------------------------------


class ConversationEnded(InConversation):
    outcome: Outcome
    reason: Reason | None = None
    """Of the last handoff, where there was one."""
    turns: Annotated[int, Field(ge=0)]
    arm: Arm
    ended_at: Utc


class DraftUsed(InConversation):
    """What an agent did with the draft of a brief."""

    agent: Name
    verdict: Literal["used", "edited", "rejected"]
    comment: str = ""


class FeedbackRecorded(InConversation):
    """What the shopper said of a reply."""

    helpful: bool
    reply_id: str | None = None
    comment: str = ""
