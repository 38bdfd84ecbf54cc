"""THE registry of topics: names, keys, types, partitions, retention, producers, consumers.

Provisioning, the AsyncAPI document, the JSON Schemas and the documentation's table are made from it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from schemas import catalog, chat, support
from schemas.event import Data

PARTITIONS = 12
"""Of every conversation topic: joins rest on equal numbers, and growing re-maps keys, so ample at once."""

Service = Literal[
    "gateways",
    "desks",
    "edge",
    "ingest",
    "sentiment",
    "retrieval-answer",
    "escalation-router",
    "copilot-drafter",
    "catalog-indexer",
    "baton",
    "magento",
    "reports",
]
Key = Literal["conversation", "agent", "name", "entity", "customer"]

INBOUND_LIMIT = 64 * 1024
EVENT_LIMIT = 512 * 1024
TRANSCRIPT_LIMIT = 256 * 1024
DEAD_LETTER_LIMIT = 2 * 1024 * 1024


@dataclass(frozen=True)
class Topic:
    """One topic; `short` names it in prose, `name` on the wire."""

    short: str
    key: Key
    types: tuple[type[Data], ...]
    producers: tuple[Service, ...]
    consumers: tuple[Service, ...]
    about: str
    retention: timedelta | None
    """None: compacted, the last event of each key is kept."""
    partitions: int = PARTITIONS
    max_bytes: int = EVENT_LIMIT
    version: int = 1

    @property
    def name(self) -> str:
        return f"baton.{self.short}.v{self.version}"

    @property
    def dead_letters(self) -> str:
        """Where consumers put what they cannot process; kept as long as the topic itself."""
        return f"{self.name}.dlq"

    @property
    def compacted(self) -> bool:
        return self.retention is None

    def type_named(self, name: str) -> type[Data] | None:
        return next((t for t in self.types if t.__name__ == name), None)

    def schema_urn(self, type_: type[Data]) -> str:
        """What `dataschema` says."""
        return f"urn:baton:schema:{self.short}.v{self.version}:{type_.__name__}"


CHAT_INBOUND = Topic(
    "chat.inbound",
    "conversation",
    (
        chat.ConversationStarted,
        chat.CustomerMessage,
        chat.HumanRequested,
        chat.QuickReplyChosen,
        chat.AgentMessageSeen,
        chat.ContactLeft,
        chat.FeedbackGiven,
        chat.IdentityChanged,
        chat.ConversationClosed,
    ),
    ("gateways", "edge"),
    ("ingest",),
    "What shoppers do, as gateways saw it",
    timedelta(hours=72),
    max_bytes=INBOUND_LIMIT,
)
CHAT_MESSAGES = Topic(
    "chat.messages",
    "conversation",
    (
        chat.ConversationStartedAccepted,
        chat.CustomerMessageAccepted,
        chat.HumanRequestedAccepted,
        chat.QuickReplyChosenAccepted,
        chat.AgentMessageSeenAccepted,
        chat.ContactLeftAccepted,
        chat.FeedbackGivenAccepted,
        chat.IdentityChangedAccepted,
        chat.ConversationClosedAccepted,
        chat.MessageRejected,
    ),
    ("ingest",),
    ("sentiment", "retrieval-answer", "escalation-router"),
    "The same, accepted: masked, screened, in turns",
    timedelta(hours=72),
)
CHAT_SENTIMENT = Topic(
    "chat.sentiment",
    "conversation",
    (chat.SentimentScored,),
    ("sentiment",),
    ("escalation-router",),
    "The sentiment of one message",
    timedelta(days=14),
)
CHAT_ANSWERS = Topic(
    "chat.answers",
    "conversation",
    (chat.AnswerProposed, chat.AnswerWithheld, chat.AnswerUnavailable),
    ("retrieval-answer",),
    ("escalation-router",),
    "What the machine could say, with proofs, or why it says nothing",
    timedelta(days=14),
)
CHAT_REPLIES = Topic(
    "chat.replies",
    "conversation",
    (chat.AnswerSent, chat.NoticeSent, chat.RejectionSent, chat.HumanReplySent),
    ("escalation-router",),
    ("gateways", "edge", "ingest"),
    "What the shopper gets to see",
    timedelta(hours=72),
)
SUPPORT_ESCALATIONS = Topic(
    "support.escalations",
    "conversation",
    (
        support.EscalationRaised,
        support.PriorityRaised,
        support.EscalationReminded,
        support.EscalationClaimed,
        support.ActionRefused,
        support.EscalationReturned,
        support.EscalationResolved,
        support.EscalationCancelled,
    ),
    ("escalation-router",),
    ("copilot-drafter", "desks", "edge", "ingest"),
    "The life of a handoff",
    timedelta(days=14),
)
SUPPORT_BRIEFS = Topic(
    "support.briefs",
    "conversation",
    (support.BriefPrepared,),
    ("copilot-drafter",),
    ("desks", "edge"),
    "What an agent gets with a handoff",
    timedelta(hours=72),
)
SUPPORT_AGENT_ACTIONS = Topic(
    "support.agent-actions",
    "conversation",
    (
        support.ClaimRequested,
        support.ReplyRequested,
        support.DraftFeedbackGiven,
        support.GiveBackRequested,
        support.ResolveRequested,
    ),
    ("desks", "edge"),
    ("escalation-router",),
    "What agents ask for; the verdict is the router's",
    timedelta(hours=72),
)
SUPPORT_PRESENCE = Topic(
    "support.presence",
    "agent",
    (support.AgentPresent,),
    ("desks", "edge"),
    ("escalation-router",),
    "Who is there, for which queues, with what capacity",
    None,
)
SUPPORT_CONTROL = Topic(
    "support.control",
    "name",
    (support.RolloutSet, support.HoldSet, support.NoticeSet, support.PinSet, support.ExceptionSet),
    ("baton", "escalation-router"),
    ("ingest", "retrieval-answer", "escalation-router", "copilot-drafter"),
    "The support lead's levers",
    None,
)
SUPPORT_DECISIONS = Topic(
    "support.decisions",
    "conversation",
    (support.DecisionMade,),
    ("escalation-router",),
    ("reports",),
    "Every decision with its ordered inputs and versions",
    timedelta(days=90),
)
SUPPORT_OUTCOMES = Topic(
    "support.outcomes",
    "conversation",
    (support.ConversationEnded, support.DraftUsed, support.FeedbackRecorded),
    ("escalation-router",),
    ("reports",),
    "How conversations ended, what agents did with drafts",
    timedelta(days=90),
)
CATALOG_CHANGES = Topic(
    "catalog.changes",
    "entity",
    (catalog.ProductChanged, catalog.StockChanged, catalog.PriceChanged, catalog.PageChanged),
    ("magento", "edge"),
    ("catalog-indexer",),
    "Products, stock, prices and pages that changed or are gone",
    timedelta(days=7),
)
PRIVACY_ERASURES = Topic(
    "privacy.erasures",
    "customer",
    (catalog.ErasureRequested,),
    ("baton",),
    ("ingest", "escalation-router"),
    "Persons to erase",
    timedelta(days=30),
)

TOPICS: tuple[Topic, ...] = (
    CHAT_INBOUND,
    CHAT_MESSAGES,
    CHAT_SENTIMENT,
    CHAT_ANSWERS,
    CHAT_REPLIES,
    SUPPORT_ESCALATIONS,
    SUPPORT_BRIEFS,
    SUPPORT_AGENT_ACTIONS,
    SUPPORT_PRESENCE,
    SUPPORT_CONTROL,
    SUPPORT_DECISIONS,
    SUPPORT_OUTCOMES,
    CATALOG_CHANGES,
    PRIVACY_ERASURES,
)

BY_NAME = {topic.name: topic for topic in TOPICS}
