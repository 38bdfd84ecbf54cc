"""Ingest as it runs, short of Kafka: records in, through the real unit of work on SQLite, records out."""

import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from aiokafka import ConsumerRecord
from pydantic import ValidationError

from schemas import chat
from schemas.codec import decode, encode
from schemas.event import Event
from schemas.reasons import Reason
from schemas.topics import BY_NAME, CHAT_INBOUND, CHAT_REPLIES, DEAD_LETTER_LIMIT
from services.ingest.app import create, readers_of
from services.ingest.decide import IngestFold
from services.ingest.handlers import preparer
from services.ingest.settings import Settings
from services.ingest.store import ConversationLog, tables
from services.lib.kit.dead_letters import DeadLetters, Vault
from services.lib.kit.health import ServiceHealth
from services.lib.kit.outbox import Outbox
from services.lib.kit.settings import WrongSettings, load
from services.lib.kit.work import UnitOfWork

KEY = "an identity key of the shop, 32+ bytes"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NAMES = {"gateway": "web", "conversation": "c1"}


class Wire:
    """Takes what is published, in memory."""

    def __init__(self):
        self.sent = []

    async def send(self, topic, key, value, headers=None):
        self.sent.append((topic, key, value, headers or {}))


class Ingest:
    """One instance of the service."""

    def __init__(self, database, settings, readers):
        self.wire, self.database, self.now = Wire(), database, NOW
        self.log = ConversationLog(database)
        self._offset = 0
        health = ServiceHealth("ingest")
        self.work = UnitOfWork(
            "ingest",
            IngestFold(),
            database=database,
            outbox=Outbox("ingest", database, self.wire, lambda: self.now),
            dead_letters=DeadLetters(self.wire, "ingest", Vault(settings.dead_letter_key.get_secret_value())),
            context=lambda: None,
            clock=lambda: self.now,
            health=health,
            recorder=self.log,
            prepare=preparer(readers, lambda: self.now),
            size_limit=DEAD_LETTER_LIMIT,
            strict_types=True,
        )

    def record(self, value, key=b"web:c1", topic=CHAT_INBOUND, headers=()):
        self._offset += 1
        return ConsumerRecord(
            topic.name, 0, self._offset, 0, 0, key, value, None, len(key or b""), len(value or b""), headers
        )

    async def take(self, *records):
        """Handles one batch; gives the events it published and the causes of its dead letters."""
        before = len(self.wire.sent)
        await self.work.handle(records)
        events, letters = [], []
        for topic, key, value, headers in self.wire.sent[before:]:
            if topic in BY_NAME:
                events.append(decode(BY_NAME[topic], key, value))
            else:
                letters.append(headers["x-cause"])
        return events, letters


def wrapped(data, *, event_id="e1", source="web", subject=None, changed=None):
    type_ = type(data)
    event = Event[type_](
        id=event_id, source=source, type=type_.__name__, subject=subject or data.key, time=NOW, data=data
    )
    return json.dumps({**event.model_dump(mode="json", exclude_none=True), **(changed or {})}).encode()


def message(text="Is it blue?", message_id="m1", **fields):
    return chat.CustomerMessage(**{**NAMES, **fields}, text=text, message_id=message_id)


@pytest.fixture(scope="module")
def settings():
    return Settings(
        database_url="sqlite+aiosqlite://",
        dead_letter_key=Vault.new_key(),
        identity_key=KEY,
        transcript_token="a-token-of-at-least-32-characters",
    )


@pytest.fixture(scope="module")
def readers(settings):
    return readers_of(settings)


@pytest.fixture
async def ingest(open_database, settings, readers):
    return Ingest(await open_database(tables), settings, readers)


async def test_a_message_passes_masked_screened_logged_and_numbered(ingest):
    events, letters = await ingest.take(
        ingest.record(wrapped(message("Hello, I am anna@shop.example, do you sell red shirts?"))),
        ingest.record(wrapped(message("I want to talk to a human", "m2"), event_id="e2")),
    )
    assert letters == []
    first, second = (event.data for event in events)
    assert "anna" not in first.text
    assert "anna@shop.example" in first.private.values()
    assert (first.language, first.screening.complete, first.screening.reason) == ("en", True, None)
    assert (second.position, second.screening.reason) == (2, Reason.HUMAN_REQUEST)
    assert second.undecided[0].message == events[0].identity
    assert [event.sequence for event in events] == [1, 2]
    transcript = await ingest.log.transcript("web:c1")
    assert [line.text for line in transcript.lines] == [
        "Hello, I am anna@shop.example, do you sell red shirts?",
        "I want to talk to a human",
    ]


async def test_the_shop_proves_who_it_is(ingest):
    claims = {
        "sub": "7",
        "website": 1,
        "group": 2,
        "iss": "https://shop.example",
        "aud": "baton",
        "iat": NOW,
        "exp": NOW + timedelta(minutes=15),
    }
    token = jwt.encode(claims, KEY, "HS256")
    forged = jwt.encode({**claims, "sub": "8"}, "x" * 40, "HS256")
    events, _ = await ingest.take(
        ingest.record(wrapped(message(message_id="m1", identity_token=token), event_id="e1")),
        ingest.record(wrapped(message(message_id="m2", identity_token=forged), event_id="e2")),
    )
    assert events[0].data.identity == chat.Identity(
        customer_id=7, website="1", group="2", expires_at=NOW + timedelta(minutes=15)
    )
    assert events[1].data.identity == chat.Identity()


BAD = {
    "not JSON": (b"{", {}, "not_json"),
    "not UTF-8": (b'{"id": "\xff"}', {}, "not_utf8"),
    "no value": (b"", {}, "empty"),
    "a list": (b"[]", {}, "not_an_event"),
    "wrong version": (wrapped(message(), changed={"specversion": "0.3"}), {}, "wrong_version"),
    "a schema of another version": (
        wrapped(message(), changed={"dataschema": "urn:baton:schema:chat.inbound.v9:CustomerMessage"}),
        {},
        "wrong_version",
    ),
    "unknown type": (wrapped(message(), changed={"type": "CustomerShouted"}), {}, "unknown_type"),
    "data that does not fit": (wrapped(message(), changed={"data": {"text": 5}}), {}, "invalid_data"),
    "missing key": (wrapped(message()), {"key": None}, "missing_key"),
    "another key": (wrapped(message()), {"key": b"web:c2"}, "key_mismatch"),
    "a key that differs from the subject": (wrapped(message(), subject="web:c2"), {}, "key_mismatch"),
    "a key that is not UTF-8": (wrapped(message()), {"key": b"\xff"}, "not_utf8"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_event_is_put_aside_and_stops_nobody(ingest, name):
    value, fields, cause = BAD[name]
    events, letters = await ingest.take(
        ingest.record(value, **fields), ingest.record(wrapped(message("Next", "m2"), event_id="e2"))
    )
    assert letters == [cause]
    assert [event.data.text for event in events] == ["Next"]


async def test_a_header_that_is_not_utf8_changes_nothing(ingest):
    events, letters = await ingest.take(ingest.record(wrapped(message()), headers=(("h", b"\xff\xfe"),)))
    assert (len(events), letters) == (1, [])


@pytest.mark.parametrize(
    ("text", "cause"),
    [("x" * 1_000_000, "too_large"), ("", "empty"), ("\u200b \n", "empty")],
)
async def test_what_is_refused_is_answered(ingest, text, cause):
    events, letters = await ingest.take(ingest.record(wrapped(message(text))))
    (rejected,) = [event.data for event in events]
    assert (rejected.cause.value, rejected.message_id, rejected.announce, letters) == (cause, "m1", True, [])
    assert (await ingest.log.transcript("web:c1")).lines == ()


@pytest.mark.parametrize(
    "text",
    [
        "👍",
        "🏳️‍🌈❤️",
        "Привет",
        "請問有紅色的嗎？",
        "هل لديكم قميص أحمر؟",
        "a\u0000b",
        "'; DROP TABLE log; --",
        "x" * 60_000,
    ],
)
async def test_every_writing_passes_and_comes_back_from_the_log(ingest, text):
    events, letters = await ingest.take(ingest.record(wrapped(message(text))))
    assert letters == []
    assert events[0].data.position == 1
    assert (await ingest.log.transcript("web:c1")).lines[0].text == text.replace("\0", "\ufffd")


async def test_an_event_that_comes_again_changes_nothing(ingest):
    record = wrapped(message())
    await ingest.take(ingest.record(record), ingest.record(record))
    assert len(ingest.wire.sent) == 1
    assert await ingest.take(ingest.record(record)) == ([], [])
    assert await ingest.take(ingest.record(wrapped(message("Other words"), event_id="e2"))) == ([], [])
    assert len((await ingest.log.transcript("web:c1")).lines) == 1


async def test_two_gateways_that_number_from_1(ingest):
    other = message("From the app", "1", gateway="app", conversation="1")
    events, _ = await ingest.take(
        ingest.record(wrapped(message("From the web", "1", conversation="1"), event_id="1"), key=b"web:1"),
        ingest.record(wrapped(other, event_id="1", source="app"), key=b"app:1"),
    )
    assert sorted((event.subject, event.data.position) for event in events) == [("app:1", 1), ("web:1", 1)]
    assert events[0].id != events[1].id


async def test_a_message_waits_for_a_reply_that_is_not_read_yet(ingest):
    reply = Event.new(
        chat.AnswerSent(**NAMES, language="en", text="Two shirts", plain="Two shirts", position=1, kind="answer"),
        source="baton/escalation-router",
        subject="web:c1",
        time=NOW,
        cause="x",
        sequence=1,
    )
    waiting = message("The first one", "m2", last_reply_sequence=1)
    events, _ = await ingest.take(
        ingest.record(wrapped(message("Shirts?"))), ingest.record(wrapped(waiting, event_id="e2"))
    )
    assert [event.data.text for event in events] == ["Shirts?"]
    events, _ = await ingest.take(ingest.record(encode(CHAT_REPLIES, reply), topic=CHAT_REPLIES))
    assert [(event.data.text, event.data.undecided) for event in events] == [("The first one", ())]
    assert [u.text for u in events[0].data.history] == ["Shirts?", "Two shirts"]


async def test_where_deciding_raises_the_message_passes_unscreened_and_is_put_aside(ingest, monkeypatch):
    monkeypatch.setattr("services.ingest.accept.arrived_from", lambda *_: 1 / 0)
    events, letters = await ingest.take(ingest.record(wrapped(message("I am anna@shop.example"))))
    (turn,) = [event.data for event in events]
    assert (turn.position, turn.screening.complete, letters) == (1, False, ["broken"])
    assert "anna" not in turn.text
    monkeypatch.undo()
    # Sent again from the dead letters, it is known.
    assert await ingest.take(ingest.record(wrapped(message("I am anna@shop.example")))) == ([], [])


PERSONAL = {
    "anna.berg@shop.example": "anna.berg",
    "+49 30 901820": "901820",
    "4111 1111 1111 1111": "1111 1111 1111",
    "DE89 3704 0044 0532 0130 00": "3704 0044",
}


@pytest.mark.parametrize("original", PERSONAL)
async def test_nothing_personal_is_in_a_masked_field(ingest, original):
    trace = PERSONAL[original]
    events, _ = await ingest.take(
        ingest.record(wrapped(message(f"Reach me at {original} please"))),
        ingest.record(wrapped(message("Hello?", "m2"), event_id="e2")),
    )
    for event in events:
        shown = event.data.model_dump_json(exclude={"private"})
        assert trace not in shown
    assert trace not in json.dumps([line.masked for line in (await ingest.log.transcript("web:c1")).lines])
    if original.startswith("4111"):
        sent = b"".join(value for _, _, value, _ in ingest.wire.sent)
        assert trace.encode() not in sent
        assert trace not in (await ingest.log.transcript("web:c1")).lines[0].text


# --- composition ---


def test_the_app_has_health_metrics_and_transcripts(settings):
    app = create(settings).asgi()
    assert {"/health/live", "/health/ready", "/metrics", "/transcripts/{gateway}/{conversation:path}"} <= {
        route.path for route in app.routes
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [("identity_key", "short"), ("transcript_token", "short"), ("region", "Germany"), ("log_kept_days", 1)],
)
def test_wrong_settings_stop_the_start_with_one_sentence(settings, field, value):
    given = {**settings.model_dump(), field: value}
    with pytest.raises(ValidationError):
        Settings(**given)
    with pytest.raises(WrongSettings, match=field.upper()):
        load(Settings, **given)
