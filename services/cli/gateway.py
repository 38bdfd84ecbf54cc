"""`Gateway`: a chat gateway in miniature, as `baton chat` and the samples need it.

What every gateway must do itself: give message ids, say the last reply it showed, drop replies it has seen,
and show the shop's own contact route when nothing comes for 30 s.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from schemas.chat import CustomerMessage, HumanRequested, Inbound, InboundMessage, QuickReplyChosen
from schemas.codec import Undecodable, decode
from schemas.event import Data, Event, conversation_key
from schemas.topics import BY_NAME, CHAT_INBOUND, CHAT_REPLIES, Topic
from services.lib.kit.broker import Publisher, connect, groupless
from services.lib.kit.service import utc_now
from services.lib.kit.settings import KafkaSettings

Listener = Callable[[Event[Any]], None]
"""Told each event once, in the order in which the log gives them."""

T = TypeVar("T")
D = TypeVar("D", bound=Data)


class Heard:
    """What was published about one conversation so far, in the order of its coming."""

    def __init__(self) -> None:
        self.events: list[Event[Any]] = []
        self._news = asyncio.Event()

    def __call__(self, event: Event[Any]) -> None:
        self.events.append(event)
        self._news.set()

    def of(self, type_: type[D]) -> list[D]:
        """The data of all events of a type (or of its subtypes)."""
        return [event.data for event in self.events if isinstance(event.data, type_)]

    async def until(self, found: Callable[[], T | None], within_s: float) -> T:
        """Wait until `found` finds something in what was heard. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while (result := found()) is None:
                self._news.clear()
                await self._news.wait()
        return result


class Gateway:
    """Publishes for conversations and hands what comes back to those who listen."""

    def __init__(self, name: str, publisher: Publisher) -> None:
        self.name = name
        self._publisher = publisher
        self._listeners: dict[str, Listener] = {}
        self._seen: set[str] = set()
        self._last_reply: dict[str, int] = {}

    def listen(self, conversation: str, heard: Listener) -> None:
        """Hear what is published about a conversation from now on."""
        self._listeners[conversation_key(self.name, conversation)] = heard

    async def send(self, conversation: str, said: str | Inbound, **whereabouts: Any) -> Event[Any]:
        """Publish a message (a string), or an inbound event that is there already."""
        key = conversation_key(self.name, conversation)
        if isinstance(said, str):
            said = CustomerMessage(**self._message(conversation), text=said, **whereabouts)
        event = Event.new(said, source=f"gateway/{self.name}", subject=key, time=utc_now(), cause=str(uuid.uuid4()))
        await self._publisher.publish(CHAT_INBOUND, event)
        return event

    def human_button(self, conversation: str, **whereabouts: Any) -> InboundMessage:
        return HumanRequested(**self._message(conversation), **whereabouts)

    def quick_reply(self, conversation: str, id_: str, title: str, **whereabouts: Any) -> InboundMessage:
        return QuickReplyChosen(**self._message(conversation), quick_reply=id_, title=title, **whereabouts)

    def _message(self, conversation: str) -> dict[str, Any]:
        return {
            "gateway": self.name,
            "conversation": conversation,
            "message_id": str(uuid.uuid4()),
            "last_reply_sequence": self._last_reply.get(conversation_key(self.name, conversation)),
        }

    async def read(self, consumer: AIOKafkaConsumer) -> None:
        """Hand on what the topics carry, for ever."""
        async for record in consumer:
            self._take(record)

    def _take(self, record: ConsumerRecord) -> None:
        topic: Topic = BY_NAME[record.topic]
        try:
            event = decode(topic, record.key, record.value)
        except Undecodable:
            return
        heard = self._listeners.get(event.subject)
        if heard is None or event.identity in self._seen:
            return
        self._seen.add(event.identity)
        if topic is CHAT_REPLIES and event.sequence is not None:
            self._last_reply[event.subject] = max(event.sequence, self._last_reply.get(event.subject, 0))
        heard(event)


@asynccontextmanager
async def gateway(kafka: KafkaSettings, name: str, *topics: Topic) -> AsyncIterator[Gateway]:
    """A gateway that hears what is published on `topics` from now on."""
    broker = connect(kafka, f"gateway-{name}")
    async with broker, groupless(kafka, *(topic.name for topic in topics)) as consumer:
        await consumer.seek_to_end(*consumer.assignment())
        one = Gateway(name, Publisher(broker))
        reading = asyncio.create_task(one.read(consumer))
        try:
            yield one
        finally:
            reading.cancel()
