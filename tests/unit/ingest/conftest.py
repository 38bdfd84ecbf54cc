"""`Line`: a conversation played through the fold, as the unit of work would: effects applied, nothing mocked."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas import chat, support
from schemas.codec import decode, encode
from schemas.event import Data, Event
from schemas.reasons import Reason
from schemas.topics import CHAT_MESSAGES, CHAT_REPLIES
from services.ingest.decide import IngestFold
from services.ingest.found import Found, words_of
from services.ingest.rows import LogLine
from services.lib.kit.fold import Arrival, CancelTimers, Publish, Record, SetTimer, Step, Timer

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Line:
    """State, clock, timers, published events and log of one conversation."""

    def __init__(self, key: str = "web:c1", now: datetime = START) -> None:
        self.key, self.now = key, now
        self.fold = IngestFold()
        self.state = self.fold.initial(key)
        self.published: list[Event[Any]] = []
        self.log: list[LogLine] = []
        self.timers: dict[tuple[str, int, int], Timer] = {}
        self._ids = itertools.count(1)
        self._replies = itertools.count(1)

    @property
    def names(self) -> dict[str, str]:
        gateway, _, conversation = self.key.partition(":")
        return {"gateway": gateway, "conversation": conversation}

    # --- what may come ---

    def inbound(self, data: Data, found: Found | None = None, *, time: datetime | None = None) -> list[Data]:
        return self.arrive(Arrival(self._event(data, time), found or plain(data)))

    def inbound_broken(self, data: Data) -> list[Data]:
        """An event for which `step` raises, since nothing was found out about it."""
        arrival = Arrival(self._event(data, None))
        with pytest.raises(TypeError):
            self.arrive(arrival)
        return self.apply(arrival, self.fold.broken(self.state, arrival, None, self.now))

    def _event(self, data: Data, time: datetime | None) -> Event[Any]:
        return Event[type(data)](
            id=f"in-{next(self._ids)}",
            source=data.gateway,
            type=type(data).__name__,
            subject=self.key,
            time=time or self.now,
            data=data,
        )

    def say(self, text: str = "Hello", *, message_id: str | None = None, found: Found | None = None, **fields: Any):
        time = fields.pop("time", None)
        message_id = message_id or f"m-{next(self._ids)}"
        data = chat.CustomerMessage(**self.names, text=text, message_id=message_id, **fields)
        return self.inbound(data, found, time=time)

    def button(self, message_id: str | None = None, **fields: Any) -> list[Data]:
        message_id = message_id or f"m-{next(self._ids)}"
        return self.inbound(chat.HumanRequested(**self.names, message_id=message_id, **fields))

    def reply(self, type_: type[chat.Reply] = chat.AnswerSent, *, sequence: int | None = None, **fields: Any):
        text = fields.pop("text", "Our answer")
        if type_ is chat.AnswerSent:
            fields = {"kind": "answer", "position": max(self.state.position, 1), **fields}
        data = type_(**self.names, language="en", text=text, plain=text, **fields)
        return self.reply_found(data, plain(data), sequence=sequence)

    def reply_found(self, data: chat.Reply, found: Found, *, sequence: int | None = None) -> list[Data]:
        number = next(self._replies) if sequence is None else sequence
        event = Event.new(
            data,
            source="baton/escalation-router",
            subject=self.key,
            time=self.now,
            cause=f"r{next(self._ids)}",
            sequence=number,
        )
        encode(CHAT_REPLIES, event)
        return self.arrive(Arrival(event, found))

    def handoff(self, type_: type[support.Handoff], epoch: int, **fields: Any) -> list[Data]:
        if type_ is support.EscalationRaised:
            fields = {
                "position": max(self.state.position, 1),
                "reason": Reason.HUMAN_REQUEST,
                "evidence": (),
                "priority": "normal",
                "language": "en",
                "store": "default",
                "transcript": (),
                "versions": support.Versions(policy="p"),
                **fields,
            }
        data = type_(**self.names, handoff="h1", epoch=epoch, **fields)
        cause = f"e{next(self._ids)}"
        event = Event.new(data, source="baton/escalation-router", subject=self.key, time=self.now, cause=cause)
        return self.arrive(Arrival(event))

    def arrive(self, arrival: Arrival | Timer) -> list[Data]:
        return self.apply(arrival, self.fold.step(self.state, arrival, None, self.now))

    def pass_time(self, seconds: float) -> list[Data]:
        """Move the clock and fire what falls due, in order."""
        end = self.now + timedelta(seconds=seconds)
        published: list[Data] = []
        while due := sorted((t for t in self.timers.values() if t.due <= end), key=lambda t: t.due):
            timer = due[0]
            del self.timers[timer.kind, timer.turn, timer.epoch]
            self.now = max(self.now, timer.due)
            published += self.arrive(timer)
        self.now = end
        return published

    # --- what follows ---

    def apply(self, arrival: Arrival | Timer, step: Step[Any]) -> list[Data]:
        """Takes over a step as the unit of work does; every event goes through the wire's encoding."""
        published: list[Data] = []
        for effect in step.effects:
            if isinstance(effect, Publish):
                assert effect.topic is CHAT_MESSAGES
                event = Event.new(
                    effect.data,
                    source="baton/ingest",
                    subject=self.key,
                    time=self.now,
                    cause=arrival.identity,
                    ordinal=effect.ordinal,
                )
                sent = decode(CHAT_MESSAGES, self.key.encode(), encode(CHAT_MESSAGES, event))
                assert sent.data == effect.data
                self.published.append(sent)
                published.append(sent.data)
            elif isinstance(effect, SetTimer):
                self.timers.setdefault(
                    (effect.kind, effect.turn, effect.epoch),
                    Timer(self.key, effect.kind, effect.turn, effect.epoch, effect.due),
                )
            elif isinstance(effect, CancelTimers):
                self.timers = {k: t for k, t in self.timers.items() if t.kind not in effect.kinds}
            elif isinstance(effect, Record):
                assert isinstance(effect.row, LogLine)
                self.log.append(effect.row)
        self.state = self.fold.state_type.model_validate_json(step.state.model_dump_json())
        assert self.state == step.state
        return published

    @property
    def turns(self) -> list[chat.AcceptedTurn]:
        return [event.data for event in self.published if isinstance(event.data, chat.AcceptedTurn)]


def plain(data: Data, *, reason: Reason | None = None, **fields: Any) -> Found:
    """What is found about ordinary words, without looking for anything in them."""
    text = words_of(data)
    size = len(data.model_dump_json().encode())
    screening = chat.Screening(complete=True, reason=reason, version="rules-1")
    return Found(**{"size": size, "original": text, "masked": text, "screening": screening, **fields})


class Tools:
    """What tests of the fold use beside a `Line`."""

    plain = staticmethod(plain)

    @staticmethod
    def contained(text: str, reason: Reason) -> Found:
        return plain(_message(text), reason=reason)

    @staticmethod
    def unscreened(text: str) -> Found:
        return plain(_message(text), screening=chat.Screening(complete=False, version="rules-1"))


def _message(text: str) -> chat.CustomerMessage:
    return chat.CustomerMessage(gateway="web", conversation="c1", message_id="x", text=text)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture(scope="session")
def new_line() -> type[Line]:
    return Line


@pytest.fixture(scope="session")
def tools() -> Tools:
    return Tools()
