"""`refusal`: whether a message is accepted, by what it holds, how large it is, and how many came before.

Duplicates. A message id is known for `REMEMBERED` in the conversation's own state, beside the inbox of event
identities: a gateway that sends a message again may give it a new event id. In the state and not in a table,
because the fold is then the only place that decides and a replay decides the same; the price, a larger
state, is paid by floods alone (12 bytes a message), and `REMEMBERED_MOST` bounds it by refusing further
messages, never by forgetting: what was accepted cannot be accepted twice. Ids are kept apart by what they
number (messages of the shopper, messages of an agent, contacts, feedback), since gateways number those apart.
"""

import base64
import hashlib
import unicodedata
from datetime import datetime, timedelta

from schemas.chat import (
    ContactLeft,
    CustomerMessage,
    FeedbackGiven,
    HumanRequested,
    Inbound,
    InboundMessage,
    RejectionCause,
)
from schemas.reasons import Reason
from schemas.topics import INBOUND_LIMIT
from services.ingest.state import Conversation, Item, KnownIds

REMEMBERED = timedelta(days=10)
"""A copy may be read at the end of inbound's 72 h, lie 72 h as a dead letter, and be sent again for 72 h."""
REMEMBERED_MOST = 5_000
"""Messages of one conversation in that time: 20 an hour, day and night; beyond it is a flood."""
RATE_WINDOW = timedelta(minutes=1)
RATE_MOST = 200
"""Messages a minute a conversation: forty times what a person types, and little work for us."""
LET_PAST_EVERY = timedelta(minutes=10)
"""The way to a human stays open in a flood: once per subject in this time; one handoff is enough."""
ANNOUNCED_EVERY = timedelta(minutes=1)
"""A flood must not be answered with a flood."""

_DIGEST = 12
"""Characters: 64 bits in base64 and a comma. With 5,000 ids two collide by chance in one of 10^12 conversations."""
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Mn", "Me", "Mc"})
"""Not Cn: an emoji newer than this Python is unassigned to it, and a message to a reader."""
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""They show nothing, although Unicode calls them letters and symbols."""


def is_blank(text: str) -> bool:
    """Whether a reader would see nothing: white space, zero-width, control and lone combining marks only."""
    return all(unicodedata.category(c) in _INVISIBLE or c in _FILLERS for c in text)


def hopeless(item: Item) -> RejectionCause | None:
    """A refusal that follows from the event alone, whatever the conversation."""
    data = item.data
    if isinstance(data, CustomerMessage):
        if item.found.size > INBOUND_LIMIT:
            return RejectionCause.TOO_LARGE
        if not data.attachments and is_blank(data.text):
            return RejectionCause.EMPTY
    if isinstance(data, ContactLeft) and all(is_blank(t) for t in (data.email or "", data.phone or "", data.note)):
        return RejectionCause.EMPTY
    return None


def refusal(state: Conversation, item: Item, now: datetime) -> RejectionCause | None:
    """Why this event is not accepted; None where it is. Agents and the gateway itself are never refused."""
    if not isinstance(item.data, InboundMessage | ContactLeft | FeedbackGiven):
        return None
    cause = hopeless(item)
    if cause is not None:
        return cause
    rate = sum(at > now - RATE_WINDOW for at in state.recent)
    if rate < RATE_MOST and remembered(state, now) < REMEMBERED_MOST:
        return None
    subject = urgent(item)
    if subject is not None and not _within(state.let_past.get(subject), now, LET_PAST_EVERY):
        return None
    return RejectionCause.TOO_MANY


def urgent(item: Item) -> Reason | None:
    """The subject that a human must decide, where the event has one."""
    if isinstance(item.data, HumanRequested):
        return Reason.HUMAN_REQUEST
    return item.found.screening.reason if isinstance(item.data, InboundMessage) else None


def counted(state: Conversation, item: Item, now: datetime) -> Conversation:
    """The state after this event was accepted: its id known, its place in the rate taken."""
    update: dict[str, object] = {}
    digest = _digest(item.data)
    if digest is not None:
        update["known"] = _with_id(state.known, digest, now)
    if isinstance(item.data, InboundMessage | ContactLeft | FeedbackGiven):
        recent = tuple(at for at in state.recent if at > now - RATE_WINDOW)
        update["recent"] = (*recent, now)[-RATE_MOST:]
        subject = urgent(item)
        if subject is not None and (len(recent) >= RATE_MOST or remembered(state, now) >= REMEMBERED_MOST):
            update["let_past"] = {**state.let_past, subject: now}
    return state.model_copy(update=update)


def announces(state: Conversation, cause: RejectionCause, now: datetime) -> bool:
    """Whether the shopper has not been told the same a moment ago."""
    return not _within(state.announced.get(cause), now, ANNOUNCED_EVERY)


def is_known(state: Conversation, data: Inbound) -> bool:
    """Whether a message with this id was accepted before."""
    digest = _digest(data)
    return digest is not None and any(digest in ids.digests for ids in state.known)


def remembered(state: Conversation, now: datetime) -> int:
    """How many message ids are known."""
    return sum(len(ids.digests) // _DIGEST for ids in _unexpired(state.known, now))


def _with_id(known: tuple[KnownIds, ...], digest: str, now: datetime) -> tuple[KnownIds, ...]:
    hour = now.replace(minute=0, second=0, microsecond=0)
    kept = _unexpired(known, now)
    if kept and kept[-1].hour >= hour:  # or the clock went back
        return (*kept[:-1], KnownIds(hour=kept[-1].hour, digests=kept[-1].digests + digest))
    return (*kept, KnownIds(hour=hour, digests=digest))


def _unexpired(known: tuple[KnownIds, ...], now: datetime) -> tuple[KnownIds, ...]:
    return tuple(ids for ids in known if ids.hour > now - REMEMBERED - timedelta(hours=1))


def _digest(data: Inbound) -> str | None:
    message_id = getattr(data, "message_id", None)
    if message_id is None:
        return None
    space = "turn" if isinstance(data, InboundMessage) else type(data).__name__
    raw = hashlib.sha256(f"{space}\x00{message_id}".encode()).digest()[:8]
    return base64.urlsafe_b64encode(raw).decode().replace("=", ",")


def _within(earlier: datetime | None, now: datetime, span: timedelta) -> bool:
    return earlier is not None and now - earlier < span
