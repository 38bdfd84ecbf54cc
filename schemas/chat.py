"""What is said: the data of every `chat.` topic, from what a gateway publishes to what a shopper gets."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.event import ConversationName, Data, GatewayName, Name, Utc, conversation_key
from schemas.money import Money
from schemas.reasons import Intent, Owner, Reason

Probability = Annotated[float, Field(ge=0, le=1)]
Position = Annotated[int, Field(ge=1)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""ISO 639: `en`, `de`, `fr`, `es`, or another that the line does not answer in."""
Locale = Annotated[str, Field(pattern=r"^[a-z]{2,3}([_-][A-Za-z0-9]{2,8})*$", max_length=35)]
Bucket = Annotated[int, Field(ge=0, le=9999)]
"""Sticky rollout bucket, in hundredths of a percent."""


class InConversation(Data):
    gateway: GatewayName
    conversation: ConversationName

    @property
    def key(self) -> str:
        return conversation_key(self.gateway, self.conversation)


# --- chat.inbound: what gateways publish --------------------------------------------------------


class Attachment(Data):
    """A reference to a file that the gateway keeps; Baton never fetches it."""

    url: Annotated[str, Field(max_length=2000)]
    media_type: Annotated[str, Field(max_length=100)]
    name: Annotated[str, Field(max_length=255)] | None = None


class Inbound(InConversation):
    """What every inbound event may say of the shopper's whereabouts: a gateway sends what it knows."""

    store: Name = "default"
    """Magento's store view code."""
    locale: Locale | None = None
    visitor: Annotated[str, Field(max_length=200)] | None = None
    """Anonymous but stable, e.g. a first-party cookie."""
    page_sku: Annotated[str, Field(max_length=64)] | None = None
    """SKU of the product page the shopper is on."""
    identity_token: Annotated[str, Field(max_length=4096)] | None = None
    """Signed by the shop; without one the shopper is a guest."""


class InboundMessage(Inbound):
    """An inbound event that opens a turn."""

    message_id: Annotated[str, Field(min_length=1, max_length=200)]
    """The gateway's own; a second one with the same id in the same conversation is dropped."""
    last_reply_sequence: Annotated[int, Field(ge=0)] | None = None
    """`sequence` of the last `chat.replies` event the shopper had seen when writing."""


class ConversationStarted(Inbound):
    pass


class CustomerMessage(InboundMessage):
    text: str = ""
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=20)] = ()


class HumanRequested(InboundMessage):
    """The human button."""


class QuickReplyChosen(InboundMessage):
    quick_reply: Name
    """Id of the quick reply, as sent in `chat.replies`."""
    title: Annotated[str, Field(max_length=200)]


class AgentMessageSeen(Inbound):
    """A human wrote in the channel itself (or the channel echoes what Baton sent, see `reply_id`)."""

    message_id: Annotated[str, Field(min_length=1, max_length=200)]
    text: str
    agent: Annotated[str, Field(max_length=200)] | None = None
    reply_id: str | None = None
    """Event id of the `chat.replies` event this is an echo of."""


class ContactLeft(Inbound):
    message_id: Annotated[str, Field(min_length=1, max_length=200)]
    email: Annotated[str, Field(max_length=320)] | None = None
    phone: Annotated[str, Field(max_length=50)] | None = None
    note: Annotated[str, Field(max_length=2000)] = ""


class FeedbackGiven(Inbound):
    message_id: Annotated[str, Field(min_length=1, max_length=200)]
    helpful: bool
    reply_id: str | None = None
    comment: Annotated[str, Field(max_length=2000)] = ""


class IdentityChanged(Inbound):
    """The shopper logged in (a token) or out (none)."""


class ConversationClosed(Inbound):
    by: Literal["customer", "gateway", "agent"]


# --- chat.messages: the same, accepted ------------------------------------------------------------


class Identity(Data):
    """Who the shopper is, as far as the shop signed it. `customer_id` None is a guest."""

    customer_id: Annotated[int, Field(ge=1)] | None = None
    website: str | None = None
    group: str | None = None
    expires_at: Utc | None = None


class Evidence(Data):
    """What a decision rests on."""

    source: Annotated[str, Field(max_length=200)]
    """`rule:ID`, `model:NAME`, `timer:KIND`, `button`, `answer:CAUSE`, `sentiment`, `policy:FIELD`."""
    reason: Reason | None = None
    span: tuple[int, int] | None = None
    """Half-open character range of the masked text."""
    score: Probability | None = None
    detail: Annotated[str, Field(max_length=500)] | None = None


class Screening(Data):
    """What was found at the door. Not `complete` means unscreened: such a message is escalated."""

    complete: bool
    reason: Reason | None = None
    evidence: tuple[Evidence, ...] = ()
    version: str
    """Of the rules (and signal models) that screened."""


class Utterance(Data):
    """One line of the conversation so far, masked."""

    role: Literal["customer", "assistant", "agent", "notice"]
    text: str
    at: Utc
    position: int | None = None
    skus: tuple[str, ...] = ()
    """Products this line showed, best first: what "it" and "the cheaper one" may mean."""
    contained: Reason | None = None
    """Subject a human must decide, so that an LLM never sees this line."""


class Undecided(Data):
    """A turn that is still open and that the newest turn covers."""

    position: Position
    message: str
    """Identity of its accepted event."""
    accepted_at: Utc
    text: str


class Accepted(InConversation):
    """Base of what ingest passes on: who, where, in which language, and who was last known to speak."""

    store: Name
    language: Language
    bucket: Bucket
    identity: Identity
    owner: Owner
    """As far as ingest knows; the router alone is sure."""
    accepted_at: Utc


class AcceptedTurn(Accepted):
    """An accepted event that opens a turn."""

    position: Position
    text: str
    """Masked, and cut to what the models may see."""
    truncated: bool = False
    private: dict[str, str] = {}
    """Placeholder to original. Goes to no LLM, no longer-lived topic, no log and no state of the router."""
    screening: Screening
    page_sku: str | None = None
    answer_by: Utc
    """When the turn must be decided at the latest; counts from the oldest undecided turn."""
    undecided: tuple[Undecided, ...] = ()
    """Older open turns, oldest first."""
    history: tuple[Utterance, ...] = ()
    """Last lines before this one, oldest first."""


class ConversationStartedAccepted(Accepted):
    page_sku: str | None = None


class CustomerMessageAccepted(AcceptedTurn):
    attachments: tuple[Attachment, ...] = ()


class HumanRequestedAccepted(AcceptedTurn):
    pass


class QuickReplyChosenAccepted(AcceptedTurn):
    quick_reply: str


class AgentMessageSeenAccepted(Accepted):
    text: str
    agent: str | None = None
    reply_id: str | None = None


class ContactLeftAccepted(Accepted):
    note: str = ""
    private: dict[str, str] = {}


class FeedbackGivenAccepted(Accepted):
    helpful: bool
    reply_id: str | None = None
    comment: str = ""


class IdentityChangedAccepted(Accepted):
    pass


class ConversationClosedAccepted(Accepted):
    by: Literal["customer", "gateway", "agent"]


class RejectionCause(StrEnum):
    """Why a message was not accepted; each has a text the shopper gets."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"


class MessageRejected(InConversation):
    """A message ingest did not accept; it has no position and opens no turn."""

    message_id: str | None = None
    cause: RejectionCause
    language: Language
    announce: bool = True
    """False where the shopper was told the same a moment ago."""


# --- chat.sentiment --------------------------------------------------------------------------------


class Sentiment(Data):
    """Probabilities that sum to one."""

    negative: Probability
    neutral: Probability
    positive: Probability


class SentimentScored(InConversation):
    position: Position
    message: str
    """Identity of the accepted event."""
    scores: Sentiment | None = None
    """None where there was no text to score."""
    model: str


# --- chat.answers ----------------------------------------------------------------------------------


class FactProof(Data):
    """A value just read from the shop."""

    kind: Literal["price", "stock", "order", "attribute", "product"]
    subject: str
    """SKU or order number."""
    value: str
    read_at: Utc


LIVE_FACTS = frozenset({"price", "stock", "order"})
"""Kinds that change by the minute and prove nothing after 15 of them; the others stand until the shop edits them."""


class PassageProof(Data):
    """A passage quoted word for word."""

    kind: Literal["passage"] = "passage"
    source: str
    title: str
    url: str | None = None
    quote: Annotated[str, Field(max_length=2000)]
    read_at: Utc


Proof = Annotated[FactProof | PassageProof, Field(discriminator="kind")]


class Claim(Data):
    """One checkable statement of a reply, and the proofs it rests on."""

    text: str
    kind: Literal["price", "stock", "order", "attribute", "product", "policy", "delivery"]
    proofs: tuple[int, ...]
    """Indexes into the proposal's `proofs`."""


class Card(Data):
    """A product as a channel may show it."""

    sku: str
    name: str
    url: str
    price: Money | None = None
    regular_price: Money | None = None
    """Only where it is higher than `price`."""
    in_stock: bool | None = None
    read_at: Utc


class QuickReply(Data):
    id: Name
    title: Annotated[str, Field(min_length=1, max_length=80)]


class AboutMessage(InConversation):
    position: Position
    message: str
    """Identity of the accepted event."""
    intent: Intent
    seconds: Annotated[float, Field(ge=0)]
    """Time the service spent on it."""


class AnswerProposed(AboutMessage):
    kind: Literal["answer", "clarification"]
    text: str
    plain: str
    """The same as `text` with its cards (name, price, stock, link) written out, for channels without cards."""
    language: Language
    cards: Annotated[tuple[Card, ...], Field(max_length=4)] = ()
    quick_replies: Annotated[tuple[QuickReply, ...], Field(max_length=6)] = ()
    claims: tuple[Claim, ...] = ()
    proofs: tuple[Proof, ...] = ()
    confidence: Probability
    versions: dict[str, str] = {}


class AnswerWithheld(AboutMessage):
    """There is no answer the machine may give."""

    reason: Reason
    """One of the judged reasons."""
    detail: Annotated[str, Field(max_length=500)] = ""


class AnswerUnavailable(AboutMessage):
    """Something the answer needs is away."""

    cause: Literal["shop", "index", "llm", "deadline", "internal"]
    detail: Annotated[str, Field(max_length=500)] = ""


# --- chat.replies ----------------------------------------------------------------------------------


class Reply(InConversation):
    """What a gateway shows. `plain` says the same as `text`, cards and buttons, for channels without them."""

    language: Language
    text: str
    plain: str
    cards: tuple[Card, ...] = ()
    quick_replies: tuple[QuickReply, ...] = ()


class AnswerSent(Reply):
    position: Position
    kind: Literal["answer", "clarification"]
    offers_human: bool = False


class NoticeSent(Reply):
    """Fixed text of the shop."""

    notice: Name
    """Its name in the notice files."""
    position: Position | None = None
    reason: Reason | None = None


class RejectionSent(Reply):
    message_id: str | None = None
    cause: RejectionCause


class HumanReplySent(Reply):
    agent: Name
