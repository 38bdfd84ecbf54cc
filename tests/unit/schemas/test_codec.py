"""Every way in which a record is no event, with the cause that names it, and without a word of what it held."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.chat import AnswerUnavailable, CustomerMessage, Sentiment, SentimentScored
from schemas.codec import TooLarge, Undecodable, decode, encode
from schemas.event import Event, conversation_key, derived_id
from schemas.reasons import Intent
from schemas.topics import CHAT_ANSWERS, CHAT_INBOUND, CHAT_SENTIMENT, SUPPORT_CONTROL, SUPPORT_PRESENCE, Topic

SECRET = "nora-winther-5551234"
"""Stands for personal data: no error may repeat it."""

KEY = b"web:c-1"
NOW = datetime(2026, 3, 12, 9, 15, tzinfo=UTC)


def envelope(**changes: Any) -> dict[str, Any]:
    """A good `CustomerMessage`, with changes; a change to `...` removes the field."""
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "web",
        "type": "CustomerMessage",
        "subject": "web:c-1",
        "time": "2026-03-12T09:15:00Z",
        "data": {"gateway": "web", "conversation": "c-1", "message_id": "m-1", "text": SECRET},
    }
    return {name: value for name, value in (event | changes).items() if value is not ...}


def value(**changes: Any) -> bytes:
    return json.dumps(envelope(**changes)).encode()


def with_data(**changes: Any) -> bytes:
    data = envelope()["data"] | changes
    return value(data={name: part for name, part in data.items() if part is not ...})


def proposal(**changes: Any) -> bytes:
    """A good `AnswerProposed`, with changes to its data."""
    data = {
        "gateway": "web",
        "conversation": "c-1",
        "position": 1,
        "message": "baton/ingest#1",
        "intent": "product_search",
        "seconds": 0.4,
        "kind": "answer",
        "text": SECRET,
        "plain": SECRET,
        "language": "en",
        "confidence": 0.9,
    }
    return value(type="AnswerProposed", data=data | changes)


def card(amount: Any) -> dict[str, Any]:
    price = {"amount": amount, "currency": "USD"}
    return {"sku": "S", "name": "N", "url": "U", "price": price, "read_at": "2026-03-12T09:15:00Z"}


def lever(**changes: Any) -> bytes:
    data = {
        "name": "rollout.default",
        "owner": SECRET,
        "why": "trial",
        "expires_at": "2026-04-01T00:00:00Z",
        "store": "default",
        "percentages": {"ai": 100},
    }
    return value(type="RolloutSet", subject="rollout.default", data=data | changes)


BAD: list[tuple[str, Topic, bytes | None, bytes | None, str, str]] = [
    # what is wrong, topic, key, value, cause, what the text says
    ("no value", CHAT_INBOUND, KEY, None, "empty", "no value"),
    ("empty value", CHAT_INBOUND, KEY, b"", "empty", "no value"),
    ("a space", CHAT_INBOUND, KEY, b" ", "not_json", "not JSON"),
    ("not JSON", CHAT_INBOUND, KEY, SECRET.encode(), "not_json", "not JSON"),
    ("cut off", CHAT_INBOUND, KEY, value()[:-1], "not_json", "not JSON"),
    ("two events", CHAT_INBOUND, KEY, value() + value(), "not_json", "not JSON"),
    ("byte order mark", CHAT_INBOUND, KEY, b"\xef\xbb\xbf" + value(), "not_json", "not JSON"),
    ("NaN", CHAT_INBOUND, KEY, value()[:-1] + b', "x": NaN}', "not_json", "not JSON"),
    ("infinity", CHAT_INBOUND, KEY, value()[:-1] + b', "x": -Infinity}', "not_json", "not JSON"),
    ("lone surrogate", CHAT_INBOUND, KEY, value()[:-1] + b', "x": "\\ud83d"}', "not_json", "not JSON"),
    ("arrays without end", CHAT_INBOUND, KEY, b"[" * 60_000, "not_json", "not JSON"),
    ("objects without end", CHAT_INBOUND, KEY, b'{"a":' * 12_000, "not_json", "not JSON"),
    ("value not UTF-8", CHAT_INBOUND, KEY, value()[:-2] + b"\xff", "not_utf8", "not UTF-8"),
    ("Latin-1", CHAT_INBOUND, KEY, '{"a": "für"}'.encode("latin-1"), "not_utf8", "not UTF-8"),
    ("UTF-16", CHAT_INBOUND, KEY, value().decode().encode("utf-16"), "not_utf8", "byte 0"),
    ("key not UTF-8", CHAT_INBOUND, b"\xc3(", value(), "not_utf8", "not UTF-8"),
    ("no key", CHAT_INBOUND, None, value(), "missing_key", "conversation"),
    ("empty key", CHAT_INBOUND, b"", value(), "missing_key", "conversation"),
    ("no key of an agent", SUPPORT_PRESENCE, None, value(), "missing_key", "agent"),
    ("key is not the subject", CHAT_INBOUND, b"web:c-2", value(), "key_mismatch", "subject"),
    ("key is longer", CHAT_INBOUND, KEY + b" ", value(), "key_mismatch", "subject"),
    ("subject is not the data's", CHAT_INBOUND, b"web:c-2", value(subject="web:c-2"), "key_mismatch", "data"),
    ("another gateway's", CHAT_INBOUND, KEY, with_data(gateway="app"), "key_mismatch", "data"),
    ("too large", CHAT_INBOUND, KEY, with_data(text="x" * 65_536), "too_large", "takes 65536"),
    ("1 MB of brackets", CHAT_INBOUND, KEY, b"[" * 1_000_000, "too_large", "takes 65536"),
    ("an array", CHAT_INBOUND, KEY, b"[]", "not_an_event", "dictionary"),
    ("a string", CHAT_INBOUND, KEY, json.dumps(SECRET).encode(), "not_an_event", "dictionary"),
    ("null", CHAT_INBOUND, KEY, b"null", "not_an_event", "dictionary"),
    ("no type", CHAT_INBOUND, KEY, value(type=...), "not_an_event", "type"),
    ("type is a list", CHAT_INBOUND, KEY, value(type=[SECRET]), "not_an_event", "type"),
    ("no specversion", CHAT_INBOUND, KEY, value(specversion=...), "not_an_event", "specversion"),
    ("older CloudEvents", CHAT_INBOUND, KEY, value(specversion="0.3"), "wrong_version", "1.0"),
    ("specversion is a number", CHAT_INBOUND, KEY, value(specversion=1.0), "not_an_event", "specversion"),
    (
        "a later version",
        CHAT_INBOUND,
        KEY,
        value(dataschema="urn:baton:schema:chat.inbound.v2:CustomerMessage"),
        "wrong_version",
        "urn:baton:schema:chat.inbound.v1:CustomerMessage",
    ),
    ("a foreign schema", CHAT_INBOUND, KEY, value(dataschema=SECRET), "wrong_version", "dataschema"),
    ("unknown type", CHAT_INBOUND, KEY, value(type="CustomerShouted"), "unknown_type", CHAT_INBOUND.name),
    ("another topic's type", CHAT_INBOUND, KEY, proposal(), "unknown_type", CHAT_INBOUND.name),
    ("empty type", CHAT_INBOUND, KEY, value(type=""), "unknown_type", CHAT_INBOUND.name),
    ("no data", CHAT_INBOUND, KEY, value(data=...), "invalid_data", "data: Field required"),
    ("data is text", CHAT_INBOUND, KEY, value(data=SECRET), "invalid_data", "data"),
    ("no id", CHAT_INBOUND, KEY, value(id=...), "invalid_data", "id: Field required"),
    ("empty id", CHAT_INBOUND, KEY, value(id=""), "invalid_data", "id"),
    ("no message id", CHAT_INBOUND, KEY, with_data(message_id=...), "invalid_data", "data.message_id"),
    ("text is a number", CHAT_INBOUND, KEY, with_data(text=5551234), "invalid_data", "data.text"),
    ("text is null", CHAT_INBOUND, KEY, with_data(text=None), "invalid_data", "data.text"),
    ("store with spaces", CHAT_INBOUND, KEY, with_data(store=f"a {SECRET}"), "invalid_data", "data.store"),
    ("colon in gateway", CHAT_INBOUND, KEY, with_data(gateway=f"a:{SECRET}"), "invalid_data", "data.gateway"),
    ("21 attachments", CHAT_INBOUND, KEY, with_data(attachments=[{}] * 21), "invalid_data", "data.attachments"),
    ("naive time", CHAT_INBOUND, KEY, value(time="2026-03-12T09:15:00"), "invalid_data", "time"),
    ("no time", CHAT_INBOUND, KEY, value(time=SECRET), "invalid_data", "time"),
    ("February 30", CHAT_INBOUND, KEY, value(time="2026-02-30T00:00:00Z"), "invalid_data", "time"),
    ("before all time", CHAT_INBOUND, KEY, value(time="0001-01-01T00:00:00+14:00"), "invalid_data", "time"),
    ("after all time", CHAT_INBOUND, KEY, value(time="9999-12-31T23:59:00-14:00"), "invalid_data", "time"),
    ("sequence 0", CHAT_INBOUND, KEY, value(sequence=0), "invalid_data", "sequence"),
    ("binary data", CHAT_INBOUND, KEY, value(datacontenttype=SECRET), "invalid_data", "datacontenttype"),
    ("float money", CHAT_ANSWERS, KEY, proposal(cards=[card(49.5)]), "invalid_data", "decimal string"),
    ("infinite money", CHAT_ANSWERS, KEY, proposal(cards=[card("Infinity")]), "invalid_data", "amount"),
    ("money is NaN", CHAT_ANSWERS, KEY, proposal(cards=[card("NaN")]), "invalid_data", "amount"),
    ("money is words", CHAT_ANSWERS, KEY, proposal(cards=[card(SECRET)]), "invalid_data", "amount"),
    ("money out of bounds", CHAT_ANSWERS, KEY, proposal(cards=[card("1e99999999")]), "invalid_data", "amount"),
    ("five decimals", CHAT_ANSWERS, KEY, proposal(cards=[card("1.23456")]), "invalid_data", "amount"),
    ("five cards", CHAT_ANSWERS, KEY, proposal(cards=[card("1")] * 5), "invalid_data", "data.cards"),
    ("certain beyond 1", CHAT_ANSWERS, KEY, proposal(confidence=1.1), "invalid_data", "data.confidence"),
    ("unknown intent", CHAT_ANSWERS, KEY, proposal(intent=SECRET), "invalid_data", "data.intent"),
    ("unknown proof", CHAT_ANSWERS, KEY, proposal(proofs=[{"kind": SECRET}]), "invalid_data", "data.proofs"),
    ("proof without kind", CHAT_ANSWERS, KEY, proposal(proofs=[{"x": SECRET}]), "invalid_data", "data.proofs"),
    ("key of a dict", CHAT_ANSWERS, KEY, proposal(versions={SECRET: 1}), "invalid_data", "data.versions"),
    (
        "unknown arm",
        SUPPORT_CONTROL,
        b"rollout.default",
        lever(percentages={SECRET: 1}),
        "invalid_data",
        "data.percentages",
    ),
]


@pytest.mark.parametrize(
    ("topic", "key", "record", "cause", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_bad_record(topic: Topic, key: bytes | None, record: bytes | None, cause: str, says: str) -> None:
    with pytest.raises(Undecodable) as caught:
        decode(topic, key, record)
    assert caught.value.cause == cause
    assert says in caught.value.detail
    assert str(caught.value) == f"{cause}: {caught.value.detail}"
    for never in (SECRET, "5551234", "49.5", "1.23456"):
        assert never not in str(caught.value)
    assert len(str(caught.value)) < 1500
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_error_of_an_unknown_type_repeats_nothing_either() -> None:
    """The type is what a dead letter is told by, but whoever can publish writes it."""
    with pytest.raises(Undecodable) as caught:
        decode(CHAT_INBOUND, KEY, value(type=SECRET))
    assert caught.value.cause == "unknown_type"
    assert SECRET not in str(caught.value)


def test_the_records_around_the_bad_ones_are_good() -> None:
    """Without this the table above could pass because its base is broken."""
    event = decode(CHAT_INBOUND, KEY, value())
    assert (event.identity, event.subject, event.data.text) == ("web#1", "web:c-1", SECRET)
    priced = decode(CHAT_ANSWERS, KEY, proposal(cards=[card("49.50")] * 4))
    assert str(priced.data.cards[0].price.amount) == "49.50"
    assert decode(SUPPORT_CONTROL, b"rollout.default", lever()).data.percentages == {"ai": 100}


def test_deep_nesting_ends_in_an_error_whatever_the_limit() -> None:
    for record in (b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000):
        with pytest.raises(Undecodable, match=r"^not_json: "):
            decode(CHAT_INBOUND, KEY, record, limit=10_000_000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Grüße, ça va, ¿qué?",
        "我的訂單在哪裡",
        "أين طلبي",
        "👩‍👩‍👧 🎁",
        "\u0000\u202e",
        "'; DROP TABLE turns; --",
        "x" * 60_000,
    ],
)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    data = CustomerMessage(gateway="web", conversation="c-1", message_id="m-1", text=text)
    event = Event[CustomerMessage](
        id="1", source="web", type="CustomerMessage", subject="web:c-1", time=NOW, data=data
    )
    assert decode(CHAT_INBOUND, KEY, encode(CHAT_INBOUND, event)).data == data


def test_the_limit_is_of_bytes_and_met_exactly() -> None:
    record = value()
    assert decode(CHAT_INBOUND, KEY, record, limit=len(record)).id == "1"
    with pytest.raises(Undecodable, match="too_large"):
        decode(CHAT_INBOUND, KEY, record, limit=len(record) - 1)
    emoji = CustomerMessage(gateway="web", conversation="c-1", message_id="m", text="🎁" * 16_384)
    with pytest.raises(TooLarge, match=r"baton\.chat\.inbound\.v1 takes 65536"):
        encode(
            CHAT_INBOUND,
            Event[CustomerMessage](
                id="1", source="web", type="CustomerMessage", subject="web:c-1", time=NOW, data=emoji
            ),
        )


def test_encoding_fills_in_the_schema_and_leaves_out_what_is_absent() -> None:
    data = AnswerUnavailable(
        gateway="web",
        conversation="c-1",
        position=1,
        message="m",
        intent=Intent.POLICY,
        seconds=1,
        cause="shop",
    )
    event = Event[AnswerUnavailable].new(
        data, source="baton/retrieval-answer", subject="web:c-1", time=NOW, cause="web#1"
    )
    body = json.loads(encode(CHAT_ANSWERS, event))
    assert body["dataschema"] == "urn:baton:schema:chat.answers.v1:AnswerUnavailable"
    assert body["id"] == derived_id("web#1", "AnswerUnavailable")
    assert body["causationid"] == "web#1"
    assert "traceparent" not in body
    assert body["time"] == "2026-03-12T09:15:00Z"


def test_an_event_goes_to_its_own_topic_only() -> None:
    data = SentimentScored(
        gateway="web",
        conversation="c-1",
        position=1,
        message="m",
        scores=Sentiment(negative=0, neutral=1, positive=0),
        model="x",
    )
    event = Event[SentimentScored].new(data, source="s", subject="web:c-1", time=NOW, cause="c")
    assert decode(CHAT_SENTIMENT, KEY, encode(CHAT_SENTIMENT, event)).data == data
    with pytest.raises(ValueError, match="SentimentScored is not a type of "):
        encode(CHAT_ANSWERS, event)


def test_a_message_without_text_has_a_score_of_nothing_and_comes_back_so() -> None:
    data = SentimentScored(gateway="web", conversation="c-1", position=1, message="m", scores=None, model="x")
    event = Event[SentimentScored].new(data, source="s", subject="web:c-1", time=NOW, cause="c")
    assert decode(CHAT_SENTIMENT, KEY, encode(CHAT_SENTIMENT, event)).data == data


def test_two_gateways_that_number_alike_have_two_keys() -> None:
    assert conversation_key("web", "1") != conversation_key("app", "1")
    assert derived_id("web#1", "X") != derived_id("app#1", "X") != derived_id("app#1", "X", 1)
