"""Bad input: each is answered, dead-lettered or dropped by a stated rule, and none stops a partition."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from schemas.chat import Attachment, CustomerMessage, RejectionSent
from schemas.codec import encode
from schemas.event import Event
from schemas.reasons import Decision, Reason
from schemas.support import DecisionMade
from schemas.topics import CHAT_INBOUND
from services.cli.dead_letters import listed
from services.escalation_router.decide import RouterFold
from services.ingest.decide import IngestFold
from services.lib.kit.broker import client_options
from tests.line.conftest import Shopper

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def raw(whole):
    """Sends bytes as another program would, past everything of ours."""
    producer = AIOKafkaProducer(**client_options(whole[0].kafka), max_request_size=3_000_000)
    await producer.start()

    async def send(value, key=b"test:bad", headers=None):
        return await producer.send_and_wait(CHAT_INBOUND.name, value, key=key, headers=headers)

    yield send
    await producer.stop()


def inbound(shopper, *, id_=None, text="hello", message_id=None, time=None, **fields):
    data = CustomerMessage(
        gateway=fields.pop("gateway", "test"),
        conversation=shopper.name,
        message_id=message_id or str(uuid4()),
        text=text,
        **fields,
    )
    event = Event.new(
        data, source="gateway/test", subject=data.key, time=time or datetime.now(UTC), cause=id_ or str(uuid4())
    )
    return encode(CHAT_INBOUND, event), data.key.encode()


def altered(shopper, **changes):
    value, key = inbound(shopper)
    body = json.loads(value)
    body.update(changes)
    return json.dumps(body).encode(), key


async def still_answers(line, channel):
    """A message in every partition's way still gets its decision."""
    shoppers = [Shopper(line, channel) for _ in range(6)]
    for one in shoppers:
        await one.say("let me talk to a person")
    for one in shoppers:
        assert (await one.decision()).reason is Reason.HUMAN_REQUEST


async def test_what_is_no_event_is_a_dead_letter_with_its_cause(whole, raw):
    line, channel = whole
    one = Shopper(line, channel)
    good, key = inbound(one)
    sent = {
        "not_json": await raw(b"{not json", key),
        "not_utf8": await raw(b"\xff\xfe{}", key),
        "wrong_version": await raw(*altered(one, specversion="2.0")),
        "unknown_type": await raw(*altered(one, type="CustomerSneezed")),
        "missing_key": await raw(good, None),
        "key_mismatch": await raw(good, b"test:somebody-else"),
        "invalid_data": await raw(*altered(one, data={"gateway": "test"})),
        "not_an_event": await raw(b"[]", key),
        "empty": await raw(b"", key),
    }
    wanted = {f"{at.topic}/{at.partition}/{at.offset}": cause for cause, at in sent.items()}
    found: dict[str, str] = {}
    async with asyncio.timeout(20):
        while not wanted.keys() <= found.keys():
            found = {x.letter.origin: x.letter.cause for x in await listed(line.kafka, "chat.inbound") if x.letter}
    assert {origin: found[origin] for origin in wanted} == wanted
    assert one.heard.of(DecisionMade) == []
    await still_answers(line, channel)


@pytest.mark.parametrize(
    ("text", "cause"),
    [("", "empty"), (" \u200b\n", "empty"), ("x" * 1_000_000, "too_large")],
    ids=["no", "blank", "1MB"],
)
async def test_what_cannot_be_accepted_is_answered(whole, raw, shopper, text, cause):
    body = json.loads(inbound(shopper)[0])
    body["data"]["text"] = text
    await raw(json.dumps(body).encode(), f"test:{shopper.name}".encode())
    rejected = await shopper.reply()
    assert isinstance(rejected, RejectionSent)
    assert rejected.cause == cause
    await still_answers(*whole)


async def test_an_image_alone_and_an_emoji_alone_are_messages(whole):
    image, emoji = Shopper(*whole), Shopper(*whole)
    attachment = Attachment(url="https://cdn.example/photo.jpg", media_type="image/jpeg")
    await image.say(
        CustomerMessage(gateway="test", conversation=image.name, message_id="1", text="", attachments=(attachment,))
    )
    await emoji.say("😀👍")
    for one in (image, emoji):
        made = await one.decision()
        assert made.position == 1


async def test_twice_and_with_other_content_the_first_counts(whole, raw):
    one = Shopper(*whole)
    await raw(*inbound(one, id_="same", text="let me talk to a person", message_id="m1"))
    await raw(*inbound(one, id_="same", text="let me talk to a person", message_id="m1"))
    await raw(*inbound(one, id_="same", text="something else", message_id="m2"))
    await raw(*inbound(one, id_="other event, same message", text="something else", message_id="m1"))
    await raw(*inbound(one, text="never mind", message_id="m3"))
    await one.decision(2)
    assert [made.position for made in one.heard.of(DecisionMade)] == [1, 2]
    assert one.heard.of(DecisionMade)[1].because == "the shopper cancelled"


async def test_two_gateways_that_both_number_from_1(whole, raw):
    line, channel = whole
    one = Shopper(line, channel)
    body = json.loads(inbound(one, text="let me talk to a person", message_id="1")[0])
    for source, gateway in (("gateway/a", "test"), ("gateway/b", "other")):
        body |= {"id": "1", "source": source, "subject": f"{gateway}:{one.name}"}
        body["data"] |= {"gateway": gateway}
        await raw(json.dumps(body).encode(), body["subject"].encode())
    await one.decision()
    assert one.heard.of(DecisionMade)[0].gateway == "test"
    assert len(one.heard.of(DecisionMade)) == 1


async def test_a_header_that_is_not_utf8_loses_nothing(whole, raw, shopper):
    await raw(*inbound(shopper, text="let me talk to a person"), headers=[("x", b"\xff\xfe")])
    assert (await shopper.decision()).reason is Reason.HUMAN_REQUEST


async def test_an_event_from_the_future_counts_from_now(whole, raw, shopper):
    ahead = datetime.now(UTC) + timedelta(days=30)
    await raw(*inbound(shopper, text="let me talk to a person", time=ahead))
    made = await shopper.decision()
    assert abs((made.accepted_at - datetime.now(UTC)).total_seconds()) < 60


async def test_a_close_before_its_message_does_not_lose_the_message(whole, raw):
    one = Shopper(*whole)
    value, key = inbound(one)
    closed = json.loads(value)
    closed |= {"type": "ConversationClosed", "id": str(uuid4()), "dataschema": None}
    closed["data"] = {"gateway": "test", "conversation": one.name, "by": "gateway"}
    await raw(json.dumps({k: v for k, v in closed.items() if v is not None}).encode(), key)
    await raw(*inbound(one, text="let me talk to a person"))
    assert (await one.decision()).reason is Reason.HUMAN_REQUEST


@pytest.mark.parametrize("fold", [IngestFold, RouterFold])
async def test_an_event_that_makes_deciding_raise_escalates_and_stops_nothing(whole, monkeypatch, fold):
    """A bug is planted: deciding raises for one text. The shopper gets to a human, the others do not notice."""
    sound = fold.step

    def planted(self, state, arrival, context, now):
        data = getattr(getattr(arrival, "event", None), "data", None)
        if getattr(data, "text", "") == "this text trips the planted bug":
            raise RuntimeError("planted")
        return sound(self, state, arrival, context, now)

    monkeypatch.setattr(fold, "step", planted)
    one = Shopper(*whole)
    await one.say("this text trips the planted bug")
    made = await one.decision()
    assert (made.decision, made.reason) == (Decision.ESCALATE, Reason.AI_UNAVAILABLE)
    await still_answers(*whole)
