"""`Event`: a CloudEvents 1.0 envelope in structured JSON mode around the data of one type.

Reading ignores fields it does not know, so that a writer may be ahead of its readers; writing forbids
them, so that a typo is an error and not a lost value. Source: CloudEvents 1.0.2, JSON format.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

NAMESPACE = uuid.UUID("5b0f2c9e-6a3d-5f43-9c1e-0d6a8c1b7e55")
"""Of every derived id; fixed for ever, since ids must come out the same after a restart."""


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment is out of range") from None


Utc = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment with a zone, normalised to UTC; a naive one is an error."""

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s:\x00-\x1f\x7f]+$")]
"""An identifier of another system: no white space or control characters, and no colon, which separates the parts of
a key."""

GatewayName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A gateway's own name: it stands in addresses, so nothing in it has a meaning there."""

ConversationName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
"""What a gateway calls a conversation. PostgreSQL takes no NUL in a text, and logs are read in terminals."""


class Data(BaseModel):
    """Base of everything an event carries: frozen, and closed when written."""

    model_config = ConfigDict(frozen=True, extra="forbid")


D = TypeVar("D", bound=Data)


class Event(BaseModel, Generic[D]):
    """One thing that happened. `subject` is the Kafka key; `(source, id)` is unique, as CloudEvents asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=200)]
    source: Annotated[str, Field(min_length=1, max_length=200)]
    """Who published it: `baton/SERVICE`, or a gateway's own name."""
    type: Annotated[str, Field(min_length=1, max_length=100)]
    subject: Annotated[str, Field(min_length=1, max_length=400)]
    time: Utc
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str | None = None
    data: D
    sequence: Annotated[int, Field(ge=1)] | None = None
    """Counts without gaps per (topic, subject) where the writer keeps state; absent elsewhere."""
    causationid: str | None = None
    """`identity` of the event that led to this one."""
    traceparent: str | None = None
    """W3C Trace Context."""

    @property
    def identity(self) -> str:
        """What readers remember to drop a second copy: two gateways may both number from 1."""
        return f"{self.source}#{self.id}"

    @classmethod
    def new(
        cls,
        data: D,
        *,
        source: str,
        subject: str,
        time: datetime,
        cause: str,
        ordinal: int = 0,
        sequence: int | None = None,
        traceparent: str | None = None,
    ) -> Self:
        """An event whose id follows from its cause, so that doing the work again gives the same event.

        `cause` is the `identity` of the causing event, or a timer's `timer_cause`; `ordinal` tells apart
        several events of one type with one cause.
        """
        kind = type(data).__name__
        return cls(
            id=derived_id(cause, kind, ordinal),
            source=source,
            type=kind,
            subject=subject,
            time=time,
            data=data,
            sequence=sequence,
            causationid=cause,
            traceparent=traceparent,
        )

    def followed_by(self, data: Data, *, source: str, time: datetime) -> "Event[Any]":
        """The event that a reader publishes about this one, in the same conversation and trace."""
        return Event.new(
            data,
            source=source,
            subject=self.subject,
            time=time,
            cause=self.identity,
            traceparent=self.traceparent,
        )


def derived_id(cause: str, kind: str, ordinal: int = 0) -> str:
    """UUIDv5 (RFC 9562) of (cause, type, ordinal)."""
    return str(uuid.uuid5(NAMESPACE, f"{cause}|{kind}|{ordinal}"))


def timer_cause(subject: str, kind: str, turn: int, epoch: int) -> str:
    """A timer has no event id; what it was set for is its identity."""
    return f"timer:{subject}:{kind}:{turn}:{epoch}"


def conversation_key(gateway: str, conversation: str) -> str:
    """The key and subject of every conversation topic."""
    return f"{gateway}:{conversation}"
