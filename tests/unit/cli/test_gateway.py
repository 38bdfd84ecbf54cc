"""The gateway in miniature: what it drops, what it remembers, what it sends."""

import asyncio

import pytest

from schemas.chat import (
    AnswerSent,
    CustomerMessage,
    HumanReplySent,
    HumanRequested,
    NoticeSent,
    QuickReplyChosen,
    Reply,
)
from schemas.codec import decode, encode
from schemas.event import Event
from schemas.topics import CHAT_INBOUND, CHAT_REPLIES, SUPPORT_DECISIONS
from services.cli.gateway import Gateway, Heard
from services.lib.kit.fakes import MIDNIGHT, MemoryPublisher, record_of


def reply(text="hello", *, cause="m1", sequence=None, conversation="c1", gateway="terminal", type_=AnswerSent):
    about = {"gateway": gateway, "conversation": conversation, "language": "en", "text": text, "plain": text}
    more = {"agent": "ann"} if type_ is HumanReplySent else {"position": 1, "kind": "answer"}
    data = type_(**about, **more)
    return Event.new(
        data, source="baton/escalation-router", subject=data.key, time=MIDNIGHT, cause=cause, sequence=sequence
    )


def record(event, topic=CHAT_REPLIES):
    return record_of(topic, encode(topic, event), event.subject.encode())


class Line:
    """A gateway with a log of records to read and a producer in memory."""

    def __init__(self, *conversations):
        self.publisher = MemoryPublisher()
        self.gateway = Gateway("terminal", self.publisher)
        self.heard = {name: Heard() for name in conversations or ("c1",)}
        for name, heard in self.heard.items():
            self.gateway.listen(name, heard)

    async def read(self, *records):
        async def log():
            for one in records:
                yield one

        await self.gateway.read(log())

    def texts(self, name="c1"):
        return [event.data.text for event in self.heard[name].events]

    def sent(self):
        return [decode(CHAT_INBOUND, s.key, s.value) for s in self.publisher.on(CHAT_INBOUND.name)]


async def test_what_was_seen_is_dropped():
    line = Line()
    await line.read(record(reply("a")), record(reply("b", cause="m2")), record(reply("a")), record(reply("a")))
    assert line.texts() == ["a", "b"]


async def test_the_same_id_of_another_source_is_another_event():
    line = Line()
    event = reply("a")
    await line.read(record(event), record(event.model_copy(update={"source": "somebody/else"})))
    assert line.texts() == ["a", "a"]


async def test_conversations_are_kept_apart():
    line = Line("c1", "c2")
    others = [reply("x", conversation="c3"), reply("y", gateway="web", conversation="c1", cause="m9")]
    await line.read(
        record(reply("one")), record(reply("two", conversation="c2", cause="m2")), *(record(one) for one in others)
    )
    assert line.texts("c1") == ["one"]
    assert line.texts("c2") == ["two"]


async def test_what_it_does_not_know_is_skipped():
    line = Line()
    good = record(reply("good"))
    unknown = encode(CHAT_REPLIES, reply("new")).replace(b'"AnswerSent"', b'"HologramSent"')
    bad = [
        record_of(CHAT_REPLIES, value, b"terminal:c1")
        for value in (unknown, b"", b"{", b"\xff", b"[]", b"null", b"x" * 600_000, None)
    ]
    await line.read(
        *bad, record_of(CHAT_REPLIES, good.value, None), record_of(CHAT_REPLIES, good.value, b"a:b"), good
    )
    assert line.texts() == ["good"]


async def test_a_message_tells_the_last_reply_that_was_shown():
    line = Line("c1", "c2")
    await line.gateway.send("c1", "first")
    await line.read(
        record(reply("b", cause="m2", sequence=2)),
        record(reply("a", cause="m1", sequence=1)),  # an older one that comes late takes nothing back
        record(reply("x", cause="m3", sequence=9, conversation="c2")),
        record(reply("y", cause="m4", type_=HumanReplySent)),
    )
    await line.gateway.send("c1", "second")
    assert [event.data.last_reply_sequence for event in line.sent()] == [None, 2]


async def test_sequences_of_other_topics_are_not_replies():
    line = Line()
    event = reply("a", sequence=7)
    with pytest.raises(ValueError, match="is not a type"):
        encode(SUPPORT_DECISIONS, event)
    await line.read(record(event))
    await line.gateway.send("c1", "x")
    assert line.sent()[-1].data.last_reply_sequence == 7


async def test_what_is_sent_is_an_inbound_event_of_its_own():
    line = Line()
    first = await line.gateway.send("c1", "hello", store="de", locale="de_DE")
    await line.gateway.send("c1", "hello", store="de", locale="de_DE")
    one, two = line.sent()
    assert (one.type, one.source, one.subject) == ("CustomerMessage", "gateway/terminal", "terminal:c1")
    assert (one.data.text, one.data.store, one.data.locale) == ("hello", "de", "de_DE")
    assert one.id == first.id
    assert one.identity != two.identity
    assert one.data.message_id != two.data.message_id


async def test_buttons():
    line = Line()
    await line.gateway.send("c1", line.gateway.human_button("c1", store="de"))
    await line.gateway.send("c1", line.gateway.quick_reply("c1", "order/1", "Order 1"))
    human, chosen = (event.data for event in line.sent())
    assert isinstance(human, HumanRequested)
    assert human.store == "de"
    assert isinstance(chosen, QuickReplyChosen)
    assert (chosen.quick_reply, chosen.title) == ("order/1", "Order 1")


@pytest.mark.parametrize("text", ["", "😡", "\u202eabc", "x" * 60_000, "line\nline", "\x00"])
async def test_whatever_is_written_is_sent_as_it_is(text):
    line = Line()
    await line.gateway.send("c1", text)
    assert line.sent()[0].data == CustomerMessage(
        gateway="terminal", conversation="c1", text=text, message_id=line.sent()[0].data.message_id
    )


async def test_heard_waits_for_what_comes():
    heard = Heard()
    waiting = asyncio.create_task(heard.until(lambda: heard.of(Reply) or None, 5))
    await asyncio.sleep(0)
    assert not waiting.done()
    heard(reply("a"))
    assert [one.text for one in await waiting] == ["a"]
    assert heard.of(NoticeSent) == []


async def test_heard_waits_no_longer_than_that():
    with pytest.raises(TimeoutError):
        await Heard().until(lambda: None, 0.01)


async def test_heard_finds_what_is_there_already():
    heard = Heard()
    heard(reply("a"))
    assert len(await heard.until(lambda: heard.of(Reply) or None, 0.01)) == 1
