"""`Conversation`: what ingest knows of one conversation, as one frozen JSON document.

Everything in it is bounded: by time (known message ids, the rate), by count (history, undecided turns,
messages that wait) or by the size of an inbound event.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from schemas.chat import (
    Bucket,
    Identity,
    Inbound,
    InboundMessage,
    Language,
    Locale,
    RejectionCause,
    Undecided,
    Utterance,
)
from schemas.event import Name, Utc
from schemas.reasons import Owner, Reason
from schemas.topics import CHAT_INBOUND
from services.ingest.found import Found


def _read_inbound(value: Any) -> Any:
    if isinstance(value, Inbound):
        return value
    type_ = CHAT_INBOUND.type_named(value["type"])
    if type_ is None:
        raise ValueError(f"{value['type']} is not a type of {CHAT_INBOUND.name}")
    return type_.model_validate(value["data"])


def _write_inbound(data: Inbound) -> dict[str, Any]:
    # Unset fields stay unset: they tell what the gateway said from what the schema filled in.
    return {"type": type(data).__name__, "data": data.model_dump(mode="json", exclude_unset=True)}


class _Known(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Item(_Known):
    """An inbound event on its way through ingest, possibly kept while it waits."""

    identity: str
    """Of the inbound event."""
    said_at: Utc
    """By the gateway's clock, but never in our future."""
    arrived_at: Utc
    """By ours."""
    data: Annotated[Inbound, BeforeValidator(_read_inbound), PlainSerializer(_write_inbound)]
    found: Found

    @property
    def needs_reply(self) -> int:
        """Sequence of the last reply the shopper had seen when writing; 0 where nothing is awaited."""
        return self.data.last_reply_sequence or 0 if isinstance(self.data, InboundMessage) else 0


class KnownIds(_Known):
    """Digests of the message ids accepted in one hour, in one string."""

    hour: Utc
    digests: str
    """Of one length each."""


class Conversation(_Known):
    key: str
    position: int = 0
    """Of the last turn; 0 before the first."""
    lines: int = 0
    """Written to the conversation log so far."""
    undecided: tuple[Undecided, ...] = ()
    """Empty where the owner is not `ai`."""
    history: tuple[Utterance, ...] = ()
    owner: Owner = Owner.AI
    epoch: int = 0
    """Of the last change of owner that the router told of."""
    store: Name = "default"
    locale: Locale | None = None
    language: Language | None = None
    """Of the last message that told."""
    visitor: str | None = None
    page_sku: str | None = None
    identity: Identity | None = None
    """Proven; it counts until it expires."""
    customer_id: int | None = None
    """Last proven, also after it expired; None after a log-out."""
    bucket: Bucket | None = None
    """None until the first event is accepted; then it stays."""
    replies_read: int = 0
    """Highest `sequence` of chat.replies read for this conversation."""
    gave_up_on: int = 0
    """Highest reply sequence that was waited for in vain: it is not waited for again."""
    known: tuple[KnownIds, ...] = ()
    """Oldest hour first."""
    recent: tuple[Utc, ...] = ()
    """When the messages of the last minute were accepted, oldest first."""
    let_past: dict[Reason, Utc] = {}
    """When a message was last let past the rate limit, by subject."""
    announced: dict[RejectionCause, Utc] = {}
    """When the shopper was last told so."""
    waiting: tuple[Item, ...] = ()
    """Events held back for a reply of ours that was not read yet, in order of arrival."""
    waits: int = 0
    """Times a wait began; numbers the timers."""
