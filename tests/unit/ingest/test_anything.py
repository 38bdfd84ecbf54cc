"""Any event that can be decoded, through the real readers: nothing raises, and nothing personal is shown."""

import functools
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn

from schemas import chat, support
from schemas.codec import decode, encode
from schemas.event import Event
from schemas.reasons import Owner, Reason
from schemas.topics import CHAT_INBOUND, CHAT_REPLIES, SUPPORT_ESCALATIONS
from services.ingest.app import readers_of
from services.ingest.examine import examine
from services.ingest.settings import Settings
from services.lib.kit.dead_letters import Vault
from services.lib.kit.fold import Arrival

NAMES = {"gateway": "web", "conversation": "c1"}
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@functools.cache
def readers():
    return readers_of(
        Settings(
            database_url="sqlite+aiosqlite://",
            dead_letter_key=Vault.new_key(),
            identity_key="an identity key of the shop, 32+ bytes",
            transcript_token="a-token-of-at-least-32-characters",
        )
    )


# --- any event ---

TEXT = st.text(max_size=60) | st.sampled_from(
    ["", " ", "\0", "👍", "[email 1]", "[message]", "]" * 40, "[" * 40, "my lawyer", "0" * 700, "x" * 9_000]
)
SHORT = st.text(max_size=20)
NAME = st.text(alphabet="abz0-é", min_size=1, max_size=10)
WHERE = st.fixed_dictionaries(
    {},
    optional={
        "store": NAME,
        "locale": st.sampled_from(["de", "de_DE", "en-GB", "zh-Hant-TW"]),
        "visitor": SHORT,
        "page_sku": SHORT,
        "identity_token": SHORT,
    },
)
IDS = st.sampled_from(["1", "2", "3", "\0", "é"])
SEQUENCE = st.none() | st.integers(0, 2**40)
OPENS = st.fixed_dictionaries({"message_id": IDS, "last_reply_sequence": SEQUENCE})
PICTURE = chat.Attachment(url="https://cdn.example/1", media_type="image/png", name="a\0b")


def event(type_, *fields, **more):
    parts = st.tuples(*fields, st.fixed_dictionaries(more))
    return parts.map(lambda given: type_(**NAMES, **{k: v for part in given for k, v in part.items()}))


INBOUND = st.one_of(
    event(chat.ConversationStarted, WHERE),
    event(chat.CustomerMessage, WHERE, OPENS, text=TEXT, attachments=st.sampled_from([(), (PICTURE,)])),
    event(chat.HumanRequested, WHERE, OPENS),
    event(chat.QuickReplyChosen, WHERE, OPENS, quick_reply=NAME, title=SHORT),
    event(chat.AgentMessageSeen, WHERE, message_id=IDS, text=TEXT, agent=SHORT, reply_id=st.none() | SHORT),
    event(chat.ContactLeft, WHERE, message_id=IDS, email=st.none() | SHORT, phone=st.none() | SHORT, note=SHORT),
    event(chat.FeedbackGiven, WHERE, message_id=IDS, helpful=st.booleans(), comment=SHORT),
    event(chat.IdentityChanged, WHERE),
    event(chat.ConversationClosed, WHERE, by=st.sampled_from(["customer", "gateway", "agent"])),
)
SAID = {"language": st.just("en"), "text": TEXT, "plain": SHORT}
POSITION = st.integers(1, 2**40)
REPLIES = st.one_of(
    event(chat.AnswerSent, **SAID, position=POSITION, kind=st.just("answer")),
    event(chat.NoticeSent, **SAID, notice=NAME, position=st.none() | POSITION),
    event(chat.RejectionSent, **SAID, cause=st.sampled_from(chat.RejectionCause)),
    event(chat.HumanReplySent, **SAID, agent=NAME),
)
HANDED = {"handoff": NAME, "epoch": st.integers(0, 9)}
HANDOFFS = st.one_of(
    event(support.EscalationClaimed, **HANDED, agent=NAME),
    event(support.EscalationReturned, **HANDED, agent=NAME),
    event(support.EscalationResolved, **HANDED, agent=NAME),
    event(support.EscalationCancelled, **HANDED, by=st.sampled_from(["customer", "closed"])),
    event(
        support.PriorityRaised,
        **HANDED,
        position=POSITION,
        reason=st.sampled_from(Reason),
        priority=st.just("urgent"),
    ),
    event(support.EscalationReminded, **HANDED, waiting_seconds=st.just(1.0), priority=st.just("low")),
    event(
        support.ActionRefused,
        **HANDED,
        agent=NAME,
        action=st.just("claim"),
        cause=st.just("not_queued"),
        owner=st.sampled_from(Owner),
        request=SHORT,
    ),
)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001  # bounds


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    events=st.lists(
        st.tuples(INBOUND | REPLIES | HANDOFFS, TIMES, st.none() | st.integers(1, 2**60), st.floats(0, 2)),
        max_size=12,
    )
)
def test_no_event_makes_a_rule_raise(new_line, events):
    line = new_line()
    for number, (data, time, sequence, pause) in enumerate(events):
        topic = next(t for t in (CHAT_INBOUND, CHAT_REPLIES, SUPPORT_ESCALATIONS) if type(data) in t.types)
        type_ = type(data)
        written = Event[type_](
            id=str(number), source="s", type=type_.__name__, subject=line.key, time=time, data=data, sequence=sequence
        )
        body = encode(topic, written)
        read = decode(topic, line.key.encode(), body)
        line.arrive(Arrival(read, examine(read.data, len(body), readers(), line.now)))
        line.pass_time(pause)
    line.pass_time(1)
    assert [turn.position for turn in line.turns] == list(range(1, len(line.turns) + 1))
    assert line.state.waiting == ()


# --- nothing personal ---

WORDS = st.sampled_from(["hello", "bitte", "my parcel", "order 000000123", "je veux", "¿dónde?", "👍", "SKU MH01-XS"])
EMAIL = st.builds("{}.{}@{}.example".format, *(st.text(alphabet="abcdefgh", min_size=3, max_size=8),) * 3)
PHONE = st.integers(10_000_000, 79_999_999).map(lambda n: f"+33 6 {n}")
CARD = st.integers(10**14, 10**15 - 1).map(lambda n: f"4{str(n)[1:]}").map(lambda n: n + luhn.calc_check_digit(n))
IBAN = st.integers(10**17, 10**18 - 1).map(lambda n: f"DE{iban.calc_check_digits(f'DE00{n}')}{n}")


def spaced(number):
    return " ".join(number[n : n + 4] for n in range(0, len(number), 4))


def written(how, text, ids):
    match how:
        case "message":
            return chat.CustomerMessage(**ids, text=text)
        case "agent":
            return chat.AgentMessageSeen(**ids, text=text)
        case "reply":
            return chat.HumanReplySent(**NAMES, language="en", text=text, plain="", agent="kim")
        case "note":
            return chat.ContactLeft(**ids, note=text)
        case "feedback":
            return chat.FeedbackGiven(**ids, helpful=True, comment=text)
    return chat.QuickReplyChosen(**ids, quick_reply="q", title=text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    said=st.lists(
        st.tuples(
            st.sampled_from(["message", "agent", "reply", "note", "feedback", "title"]),
            WORDS,
            st.one_of(
                st.tuples(st.just("masked"), EMAIL | PHONE),
                # Sixteen digits of an IBAN may pass for a card, and are cut then.
                st.tuples(st.just("masked or cut"), IBAN | IBAN.map(spaced)),
                st.tuples(st.just("cut"), CARD | CARD.map(spaced)),
            ),
            WORDS,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_nothing_personal_is_in_what_models_logs_and_topics_see(new_line, said):
    line = new_line()
    for number, (how, before, (_, secret), after) in enumerate(said):
        data = written(how, f"{before} {secret}, {after}", {**NAMES, "message_id": str(number)})
        found = examine(data, 500, readers(), NOW)
        if how == "reply":
            line.reply_found(data, found)
        else:
            line.inbound(data, found)
    shown = [sent.data.model_dump_json(exclude={"private"}) for sent in line.published]
    shown += [utterance.text for utterance in line.state.history] + [row.masked for row in line.log]
    kept = [sent.data.model_dump_json() for sent in line.published] + [row.text for row in line.log]
    for _, _, (kind, secret), _ in said:
        assert not any(secret in text for text in shown)
        if kind == "cut":
            assert not any(secret in text for text in [*kept, line.state.model_dump_json()])
    originals = "\n".join(row.text for row in line.log)
    for how, _, (kind, secret), _ in said:
        if kind == "masked" and how != "feedback":
            assert secret in originals


# --- long and hostile ---


@pytest.mark.parametrize("text", ["+49 30 901820, " * 4_000, "1 2 3 4 " * 8_000, "DE89 " * 12_000, "a@" * 30_000])
def test_a_hostile_message_takes_little_time_and_shows_nothing(text):
    started = datetime.now(UTC)
    found = examine(chat.CustomerMessage(**NAMES, message_id="1", text=text), 64_000, readers(), NOW)
    assert (datetime.now(UTC) - started).total_seconds() < 2
    assert found.screening.complete
    assert found.truncated
    assert "901820" not in found.masked


@pytest.mark.parametrize("shift", range(-20, 21, 4))
def test_an_address_at_the_edge_of_what_models_see_is_hidden_whole(shift):
    """The placeholder is shown, or nothing of the address is."""
    text = "x" * (7_990 + shift) + " anna.berg@shop.example and more " + "y" * 500
    found = examine(chat.CustomerMessage(**NAMES, message_id="1", text=text), 9_000, readers(), NOW)
    assert found.truncated
    assert "anna" not in found.masked
    assert found.original == text


def test_a_subject_beyond_what_models_see_is_found_and_has_no_span_there():
    text = "word " * 2_000 + "I will call my lawyer and sue you"
    found = examine(chat.CustomerMessage(**NAMES, message_id="1", text=text), 20_000, readers(), NOW)
    assert found.screening.reason is Reason.LEGAL_THREAT
    assert all(one.span is None for one in found.screening.evidence)
