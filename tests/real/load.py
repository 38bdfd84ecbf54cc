"""`Load`: a chat gateway with many shoppers who write at the same time, the same ones for the same seed.

Knows Baton's topics and nothing of its code, as docs/examples/gateway.py does. What it did is in `sent`: only what
Kafka acknowledged counts.
"""

import json
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from tests.real.checker.log import Said, Sent
from tests.real.texts import PRODUCTS, SAID, SAID_IN_GERMAN

INBOUND = "baton.chat.inbound.v1"
_GIVE_UP_S = 120
"""A broker that restarts, or a new leader, takes less."""

GERMANS = 0.12
REPEATED = 0.04
"""Share of messages that are published twice, as a gateway does that got no acknowledgement."""
RENUMBERED = 0.02
"""Share of messages that come again under another event id with the message id they had."""
WAITS = 0.12
"""Share of later messages that name a reply that may not have been read yet."""
BUTTONS, QUICK_REPLIES, EMPTY, CLOSED, FEEDBACK, CONTACT, TAKEN_OVER = 0.03, 0.06, 0.02, 0.05, 0.04, 0.02, 0.01

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Planned:
    key: str
    said: Said
    data: Json
    again: bool = False
    """A copy of what was sent before."""


class Load:
    """`messages` counts what opens a turn; closings, feedback, copies and the like come on top of it.

    `send` may be called by the test itself, as often as it likes, or run beside it with `start` and `join`.
    """

    def __init__(
        self, bootstrap: str, conversations: int = 100, messages: int = 500, *, seed: int = 1, gateway: str = "load"
    ) -> None:
        self.plan = planned(conversations, messages, seed=seed, gateway=gateway)
        self._next = 0
        self._bodies: dict[str, bytes] = {}
        self._acknowledged: set[int] = set()
        self._failed: list[KafkaError] = []
        self._thread: threading.Thread | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "acks": "all",
                "message.timeout.ms": _GIVE_UP_S * 1000,
                "linger.ms": 5,
            }
        )

    @property
    def remaining(self) -> int:
        """Events that are still to be sent."""
        return len(self.plan) - self._next

    @property
    def sent(self) -> Sent:
        """What Kafka has acknowledged so far."""
        sent = Sent()
        acknowledged = frozenset(self._acknowledged)
        for number, one in enumerate(self.plan):
            if number in acknowledged and not one.again:
                sent.conversations.setdefault(one.key, []).append(one.said)
        return sent

    def send(self, at_most: int | None = None, *, rate: float | None = None) -> Sent:
        """Publish the next events (None: all that are left), `rate` a second or as fast as it goes; returns when
        Kafka has them. Raises `RuntimeError` where Kafka does not take them within two minutes."""
        end = len(self.plan) if at_most is None else min(len(self.plan), self._next + at_most)
        began, first = time.monotonic(), self._next
        while self._next < end:
            if rate is not None:
                due = began + (self._next - first) / rate
                while (left := due - time.monotonic()) > 0:
                    self._producer.poll(min(left, 0.1))
            self._publish(self._next)
            self._next += 1
        unsent = self._producer.flush(_GIVE_UP_S + 5)
        if unsent or self._failed:
            raise RuntimeError(f"Kafka took {len(self._acknowledged)} events, and not {unsent}: {self._failed[:3]}")
        return self.sent

    def start(self, rate: float) -> None:
        """Send the rest in a thread."""
        self._thread = threading.Thread(target=self._send_quietly, args=(rate,), daemon=True)
        self._thread.start()

    def join(self, within_s: float = 300.0) -> Sent:
        """Wait for the thread. Raises what `send` raises."""
        if self._thread is not None:
            self._thread.join(within_s)
        if self._failed or self.remaining or (self._thread is not None and self._thread.is_alive()):
            raise RuntimeError(f"{self.remaining} events were not sent within {within_s} s: {self._failed[:3]}")
        return self.sent

    def _send_quietly(self, rate: float) -> None:
        try:
            self.send(rate=rate)
        except RuntimeError as error:
            self._failed.append(KafkaError(KafkaError._FAIL, str(error)))

    def _publish(self, number: int) -> None:
        one = self.plan[number]
        value = self._bodies.setdefault(one.said.id, body(one))  # a copy is the same to the byte

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self._acknowledged.add(number)
            else:
                self._failed.append(error)

        while True:
            try:
                self._producer.produce(INBOUND, key=one.key, value=value, on_delivery=delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)


def body(one: Planned) -> bytes:
    """The record's value, as if it happened now."""
    event = {
        "specversion": "1.0",
        "id": one.said.id,
        "source": one.said.source,
        "type": one.said.type,
        "subject": one.key,
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": one.data,
    }
    return json.dumps(event, ensure_ascii=False).encode()


def planned(conversations: int, messages: int, *, seed: int, gateway: str) -> list[Planned]:
    """What will be sent, in order. Conversations take turns at random, each with at least one message."""
    random = Random(seed)  # noqa: S311  # a load is no secret
    shoppers = [_Shopper(gateway, seed, n) for n in range(conversations)]
    turns = [*shoppers[:messages], *random.choices(shoppers, k=max(0, messages - conversations))]
    random.shuffle(turns)
    return [one for shopper in turns for one in shopper.speaks()]


class _Shopper:
    def __init__(self, gateway: str, seed: int, number: int) -> None:
        self._gateway, self._conversation = gateway, f"c{seed}-{number}"
        self._random = Random(f"{seed}-{number}")  # noqa: S311
        self._german = self._random.random() < GERMANS
        self._count = 0
        self._turns = 0

    def speaks(self) -> list[Planned]:
        """One message, and what comes with it."""
        random = self._random
        said: list[Planned] = []
        if not self._turns and random.random() < 0.5:
            said.append(self._event("ConversationStarted", {}))
        if random.random() < EMPTY:
            said.append(self._message("CustomerMessage", {"text": "  \u200b"}))
        said.append(self._turn())
        self._turns += 1
        if random.random() < REPEATED:
            said.append(replace(said[-1], again=True))
        if random.random() < RENUMBERED:
            first = said[-1]
            other = replace(first.said, id=f"{first.said.id}-again")
            said.append(replace(first, said=other, again=False))
        if random.random() < FEEDBACK:
            said.append(self._message("FeedbackGiven", {"helpful": random.random() < 0.5}))
        if random.random() < CONTACT:
            said.append(self._message("ContactLeft", {"email": "jane.miller@example.com", "note": "please write"}))
        if random.random() < TAKEN_OVER:
            said.append(self._message("AgentMessageSeen", {"text": "Hello, I am looking into it.", "agent": "Cleo"}))
        if random.random() < CLOSED:
            said.append(self._event("ConversationClosed", {"by": "customer"}))
        return said

    def _turn(self) -> Planned:
        random = self._random
        seen = {"last_reply_sequence": 1} if self._turns and random.random() < WAITS else {}
        kind = random.random()
        if kind < BUTTONS:
            return self._message("HumanRequested", seen)
        if kind < BUTTONS + QUICK_REPLIES:
            button = random.choice(("human", "cancel_handoff", "delivery-time"))
            title = {"human": "Talk to a person", "cancel_handoff": "Never mind"}.get(button, "When will it arrive?")
            return self._message("QuickReplyChosen", {"quick_reply": button, "title": title, **seen})
        mix = SAID_IN_GERMAN if self._german else SAID
        _, texts = random.choices(list(mix.values()), weights=[often for often, _ in mix.values()])[0]
        text = random.choice(texts).replace("{product}", random.choice(PRODUCTS))
        return self._message("CustomerMessage", {"text": text, **seen})

    def _message(self, kind: str, data: Json) -> Planned:
        return self._event(kind, {"message_id": f"m{self._count + 1}", **data})

    def _event(self, kind: str, data: Json) -> Planned:
        self._count += 1
        where = {"store": "de", "locale": "de_DE"} if self._german else {"store": "default", "locale": "en_US"}
        said = Said(
            kind, data.get("message_id"), f"gateway/{self._gateway}", f"{self._conversation}:{self._count}:{kind}"
        )
        whole = {"gateway": self._gateway, "conversation": self._conversation, **where, **data}
        return Planned(f"{self._gateway}:{self._conversation}", said, whole)
