"""`IngestFold`: what ingest decides about each event of a conversation, as a pure function.

The rules, each with its test:

- **Order** is the order in the partition. The gateway's clock is written down, never followed: a message from
  the future or the past is accepted now.
- **Duplicates**: the same event identity is the inbox's to drop; the same message id under another event id is
  dropped here, and the first content wins, whatever the second one says (`limits`).
- **Refused** (`MessageRejected`, announced at most once a minute a cause, id not remembered): nothing to see in
  it and nothing attached; over 64 KiB; too many a minute. The human button and contained subjects go past the
  rate once each ten minutes.
- **Waiting**: a message written after a reply of ours that was not read here yet would lack it in its history.
  It waits for that reply, at most `WAIT_AT_MOST`, and what comes after it waits behind it. A contained or
  unscreened message and the human button wait for nothing, and take everything before them along, in order.
- **Open turns** end with `AnswerSent`, with `NoticeSent` (except "one moment", which decides nothing), or with
  a change of owner, up to the position they name.
- **Owner** follows support.escalations alone, by its epoch, since replies carry none and come on another topic;
  closing and reopening, which the router does not announce, follow from the inbound events themselves.
- **Broken**: where a rule raises, the messages that waited and the one that came pass on as unscreened, which
  escalates. Other events pass where they can; replies and handoffs are left to the dead letters.
"""

from datetime import datetime, timedelta
from typing import Any

from schemas import chat, support
from schemas.event import Event
from schemas.reasons import Owner
from services.ingest.accept import SKUS_MOST, accept, heard, pass_unscreened, reject, write
from services.ingest.found import Found, unmasked
from services.ingest.ledger import WAIT, Ledger
from services.ingest.limits import hopeless, is_known, urgent
from services.ingest.rows import LogLine, Role
from services.ingest.state import Conversation, Item
from services.lib.kit.fold import Arrival, Step, Timer

WAIT_AT_MOST = timedelta(seconds=0.7)
"""With the clock's resolution of 0.2 s, and 0.1 s for the work itself, a message is held for at most 1 s."""
WAITING_MOST = 20
"""Events held at a time. Nobody types so many in a second: then all pass at once."""
FROM_THE_FUTURE = timedelta(minutes=5)
"""A gateway's clock may be ahead by so much and is still believed, for the log."""
ONE_MOMENT = "one_moment"
"""The notice that says it takes a moment; its turn stays open."""

_ROLES: dict[type[chat.Reply], Role] = {
    chat.AnswerSent: "assistant",
    chat.NoticeSent: "notice",
    chat.RejectionSent: "notice",
    chat.HumanReplySent: "agent",
}


class IngestFold:
    """A `Fold` without context: what is accepted depends on the conversation alone."""

    state_type = Conversation

    def initial(self, key: str) -> Conversation:
        return Conversation(key=key)

    def step(self, state: Conversation, arrival: Arrival | Timer, context: None, now: datetime) -> Step[Conversation]:
        ledger = Ledger(arrival.identity)
        if isinstance(arrival, Timer):
            state = _waited(state, arrival, ledger, now)
        elif isinstance(arrival.event.data, chat.Inbound):
            state = _came(state, _item(arrival, now), ledger, now)
        elif isinstance(arrival.event.data, chat.Reply):
            state = _release(_replied(state, arrival.event, _found(arrival), ledger), ledger, now)
        elif isinstance(arrival.event.data, support.Handoff):
            state = _handed(state, arrival.event.data)
        return Step(state, ledger.effects)

    def broken(
        self, state: Conversation, arrival: Arrival | Timer, context: None, now: datetime
    ) -> Step[Conversation]:
        ledger = Ledger(arrival.identity)
        items = list(state.waiting)
        if items:
            ledger.end_wait()
        if isinstance(arrival, Arrival) and isinstance(arrival.event.data, chat.Inbound):
            found = arrival.found if isinstance(arrival.found, Found) else unmasked(arrival.event.data, 0, "none")
            items.append(_item(Arrival(arrival.event, found), now))
        state = state.model_copy(update={"waiting": ()})
        for item in items:
            state = pass_unscreened(state, item, ledger, now)
        return Step(state, ledger.effects)


# --- what shoppers and gateways do ---------------------------------------------------------------


def _came(state: Conversation, item: Item, ledger: Ledger, now: datetime) -> Conversation:
    cause = hopeless(item)
    if is_known(state, item.data):
        return state
    if cause is not None:
        return reject(state, item, cause, ledger, now)
    message = isinstance(item.data, chat.InboundMessage)
    if message and (urgent(item) is not None or not item.found.screening.complete):
        return accept(_release(state, ledger, now, all_of_them=True), item, ledger, now)
    if not state.waiting and not _must_wait(state, item):
        return accept(state, item, ledger, now)
    waiting = (*state.waiting, item)
    held = state.model_copy(update={"waiting": waiting})
    if len(waiting) > WAITING_MOST:
        return _release(held, ledger, now, all_of_them=True)
    return held if state.waiting else _start_wait(held, ledger)


def _item(arrival: Arrival, now: datetime) -> Item:
    event = arrival.event
    return Item(
        identity=event.identity,
        said_at=event.time if event.time <= now + FROM_THE_FUTURE else now,
        arrived_at=now,
        data=event.data,
        found=_found(arrival),
    )


def _found(arrival: Arrival) -> Found:
    if not isinstance(arrival.found, Found):
        raise TypeError(f"{arrival.event.type} was not prepared")
    return arrival.found


# --- waiting for a reply of ours -----------------------------------------------------------------


def _must_wait(state: Conversation, item: Item) -> bool:
    return item.needs_reply > max(state.replies_read, state.gave_up_on)


def _waited(state: Conversation, timer: Timer, ledger: Ledger, now: datetime) -> Conversation:
    if timer.kind != WAIT or timer.epoch != state.waits or not state.waiting:
        return state  # of a wait that is over
    return _release(_give_up(state, state.waiting[0]), ledger, now)


def _give_up(state: Conversation, item: Item) -> Conversation:
    return state.model_copy(update={"gave_up_on": max(state.gave_up_on, item.needs_reply)})


def _release(state: Conversation, ledger: Ledger, now: datetime, *, all_of_them: bool = False) -> Conversation:
    """Let go, in order, what has no reason to wait any more."""
    if not state.waiting:
        return state
    first = state.waiting[0]
    while state.waiting:
        item = state.waiting[0]
        if all_of_them or item.arrived_at + WAIT_AT_MOST <= now:
            state = _give_up(state, item)
        if _must_wait(state, item):
            break
        state = state.model_copy(update={"waiting": state.waiting[1:]})
        state = accept(state, item, ledger, now)
    if state.waiting and state.waiting[0] is first:
        return state
    ledger.end_wait()
    return _start_wait(state, ledger) if state.waiting else state


def _start_wait(state: Conversation, ledger: Ledger) -> Conversation:
    state = state.model_copy(update={"waits": state.waits + 1})
    ledger.start_wait(state.waiting[0].arrived_at + WAIT_AT_MOST, state.waits)
    return state


# --- what the router says ------------------------------------------------------------------------


def _replied(state: Conversation, event: Event[Any], found: Found, ledger: Ledger) -> Conversation:
    reply = event.data
    position = reply.position if isinstance(reply, chat.AnswerSent | chat.NoticeSent) else None
    decides = not (isinstance(reply, chat.NoticeSent) and reply.notice == ONE_MOMENT)
    if position is not None and decides:
        state = _settled(state, position)
    state = state.model_copy(update={"replies_read": max(state.replies_read, event.sequence or 0)})
    role = _ROLES[type(reply)]
    skus = tuple(card.sku for card in reply.cards[:SKUS_MOST])
    state = heard(
        state,
        chat.Utterance(role=role, text=found.masked, at=event.time, position=position, skus=skus),
    )
    if not found.original:
        return state
    line = LogLine(
        role=role,
        text=found.original,
        masked=found.masked,
        at=event.time,
        received_at=event.time,
        event=event.identity,
        position=position,
    )
    return write(state, ledger, line)


def _handed(state: Conversation, handoff: support.Handoff) -> Conversation:
    owner: Owner
    match handoff:
        case support.EscalationRaised():
            owner = Owner.QUEUED
        case support.EscalationClaimed():
            owner = Owner.HUMAN
        case support.EscalationReturned():
            owner = Owner.AI
        case support.EscalationResolved():
            owner = Owner.CLOSED
        case support.EscalationCancelled():
            owner = Owner.AI if handoff.by == "customer" else Owner.CLOSED
        case _:
            return state  # reminded, raised in priority, refused: nobody else speaks now
    if handoff.epoch <= state.epoch:
        return state  # overtaken
    # With the owner, every open turn ended: escalated, or suppressed for whoever speaks now.
    return state.model_copy(update={"owner": owner, "epoch": handoff.epoch, "undecided": ()})


def _settled(state: Conversation, position: int) -> Conversation:
    still_open = tuple(turn for turn in state.undecided if turn.position > position)
    return state.model_copy(update={"undecided": still_open})
