"""What is put aside: sealed, whole or with its hash, and never so much that nobody notices."""

import base64
import hashlib
import os

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.asyncapi import broker_limit
from schemas.topics import DEAD_LETTER_LIMIT
from services.lib.kit.broker import MAX_REQUEST
from services.lib.kit.dead_letters import (
    REDRIVE,
    Brake,
    DeadLetters,
    Lost,
    Place,
    Vault,
    letter_of,
    opened,
    origin_of,
)
from services.lib.kit.errors import Braked, Poison
from services.lib.kit.fakes import MIDNIGHT, MemoryPublisher, Sent, record_of

TOPIC = topics.CHAT_INBOUND


@given(body=st.binary(max_size=200), origin=st.text(max_size=50))
def test_what_is_sealed_opens_with_the_same_key_and_origin_alone(body: bytes, origin: str) -> None:
    vault = Vault(Vault.new_key())
    sealed = vault.seal(body, origin)
    assert vault.open(sealed, origin) == body
    assert len(body) < 8 or body not in sealed
    assert vault.seal(body, origin) != sealed
    with pytest.raises(ValueError, match="another key"):
        vault.open(sealed, origin + "x")
    with pytest.raises(ValueError, match="another key"):
        Vault(Vault.new_key()).open(sealed, origin)
    with pytest.raises(ValueError, match="another key"):
        vault.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), origin)


@pytest.mark.parametrize("sealed", [b"", b"short"])
def test_what_is_no_letter_does_not_open(sealed: bytes) -> None:
    try:
        Vault(Vault.new_key()).open(sealed, "o")
    except InvalidTag:
        pytest.fail("the cipher's own error came out")
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("key", "why"),
    [("not base64!", "base64"), ("ключ", "base64"), (base64.b64encode(b"x" * 31).decode(), "31"), ("", "0")],
)
def test_a_key_that_is_none_is_refused_without_repeating_it(key: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        Vault(key)
    assert not key or key not in str(caught.value)


async def test_a_letter_says_where_it_is_from_and_keeps_the_bytes() -> None:
    publisher, vault = MemoryPublisher(), Vault(Vault.new_key())
    record = record_of(TOPIC, b"\xff\x00not json", b"\xff", partition=3, offset=7)
    await DeadLetters(publisher, "ingest", vault).put(record, "not_json", "Zürich 😀\r\nx-evil: 1", MIDNIGHT)
    [sent] = publisher.sent
    letter = letter_of(sent.headers)
    assert (sent.topic, sent.key) == (TOPIC.dead_letters, b"\xff")
    assert letter.origin == f"{TOPIC.name}/3/7"
    assert (letter.group, letter.cause, letter.cut) == ("ingest", "not_json", False)
    assert letter.error.isascii()
    assert letter.failed_at == MIDNIGHT.isoformat()
    assert vault.open(sent.value, letter.origin) == record.value


async def test_above_two_mebibytes_the_rest_is_cut_and_the_hash_is_of_the_whole() -> None:
    publisher, vault = MemoryPublisher(), Vault(Vault.new_key())
    body = os.urandom(DEAD_LETTER_LIMIT + 5)
    await DeadLetters(publisher, "ingest", vault).put(record_of(TOPIC, body), "too_large", "", MIDNIGHT)
    [sent] = publisher.sent
    letter = letter_of(sent.headers)
    opened = vault.open(sent.value, letter.origin)
    assert letter.cut
    assert len(sent.value) <= DEAD_LETTER_LIMIT
    assert body.startswith(opened)
    assert len(opened) > DEAD_LETTER_LIMIT - 2048
    assert letter.sha256 == hashlib.sha256(body).hexdigest()
    assert len(sent.value) + sum(len(k) + len(v) for k, v in sent.headers.items()) < MAX_REQUEST


async def test_a_letter_that_kafka_does_not_take_whole_is_cut_until_it_does() -> None:
    publisher, vault = MemoryPublisher(), Vault(Vault.new_key())

    def small_topic(sent: Sent) -> Exception | None:
        return Poison("too large") if len(sent.value) > 1000 else None

    publisher.refuse = small_topic
    await DeadLetters(publisher, "ingest", vault).put(record_of(TOPIC, b"x" * 100_000), "too_large", "", MIDNIGHT)
    [sent] = publisher.sent
    letter = letter_of(sent.headers)
    assert letter.cut
    assert vault.open(sent.value, letter.origin) == b""
    assert letter.sha256 == hashlib.sha256(b"x" * 100_000).hexdigest()


async def test_a_tombstone_is_a_letter_too() -> None:
    publisher, vault = MemoryPublisher(), Vault(Vault.new_key())
    await DeadLetters(publisher, "ingest", vault).put(record_of(TOPIC, None, None), "empty", "", MIDNIGHT)
    assert vault.open(publisher.sent[0].value, letter_of(publisher.sent[0].headers).origin) == b""


GOOD = {
    "x-origin": f"{TOPIC.name}/3/7", "x-group": "ingest", "x-cause": "not_json", "x-error": "", "x-failed-at": "",
    "x-sha256": "0" * 64,
}  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-origin": "a"},
        *({k: v for k, v in GOOD.items() if k != name} for name in GOOD),
        *(
            {**GOOD, "x-origin": origin}
            for origin in ("", "a", "a/b", "a/1/x", "a/-1/2", "a/01/2", "a/1/2/3", "a/١/2", "a\n/1/2", "a/1/2\n")
        ),
        {**GOOD, "x-sha256": "0" * 63},
        {**GOOD, "x-sha256": "F" * 64},
        {**GOOD, "x-error": "x" * 10_000},
    ],
)
def test_what_is_no_letter_says_so(headers: dict[str, str]) -> None:
    assert letter_of(GOOD).origin == GOOD["x-origin"]
    with pytest.raises(ValueError):  # that it is no other error is the point
        letter_of(headers)


@given(st.lists(st.tuples(st.sampled_from([*GOOD, "x-cut", "x"]), st.none() | st.binary(max_size=80))))
def test_no_headers_break_reading_them(headers: list[tuple[str, bytes | None]]) -> None:
    pairs: list[tuple[str, bytes | None]] = [(name, value.encode()) for name, value in GOOD.items()]
    for given_ in (headers, pairs + headers):
        try:
            letter = letter_of(given_)
        except ValueError:
            continue
        assert str(Place.parse(letter.origin)) == letter.origin


@given(
    value=st.none() | st.binary(max_size=300),
    key=st.none() | st.binary(max_size=50),
    error=st.text(max_size=600),
    place=st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1)),
)
def test_what_was_put_aside_comes_back_bit_for_bit_for_its_origin_alone(
    value: bytes | None, key: bytes | None, error: str, place: tuple[int, int]
) -> None:
    vault = Vault(Vault.new_key())
    record = record_of(TOPIC, value, key, partition=place[0], offset=place[1], headers=[("x", b"\xff")])
    lies_in, kept_key, sealed, headers = DeadLetters(MemoryPublisher(), "ingest", vault).sealed(
        record, "not_json", error, MIDNIGHT
    )
    letter = letter_of([(name, text.encode()) for name, text in headers.items()])
    assert letter == letter_of(headers)
    assert opened(letter, sealed, vault) == value
    assert kept_key == key
    assert origin_of(letter, lies_in) == (TOPIC, Place(TOPIC.name, *place))
    other = letter._replace(origin=str(Place(TOPIC.name, place[0], place[1] ^ 1)))
    with pytest.raises(Lost, match="another key"):
        opened(other, sealed, vault)
    with pytest.raises(Lost, match="hash"):
        opened(letter._replace(sha256="0" * 64), sealed, vault)
    with pytest.raises(Lost, match="another key"):
        opened(letter, sealed[: len(sealed) // 2], vault)
    with pytest.raises(Lost, match="another key"):
        opened(letter, None, vault)
    with pytest.raises(Lost, match="cut"):
        opened(letter._replace(cut=True), sealed, vault)


@pytest.mark.parametrize(
    ("origin", "why"),
    [("secrets/0/0", "no topic of the registry"), (f"{topics.CHAT_MESSAGES.name}/0/0", "another topic")],
)
def test_an_origin_elsewhere_is_refused(origin: str, why: str) -> None:
    with pytest.raises(Lost, match=why):
        origin_of(letter_of({**GOOD, "x-origin": origin}), TOPIC.dead_letters)


@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1, 3 * 1024 * 1024])
async def test_a_letter_fits_its_topic_whatever_key_and_error_are(size: int) -> None:
    publisher, vault = MemoryPublisher(), Vault(Vault.new_key())
    record = record_of(TOPIC, os.urandom(DEAD_LETTER_LIMIT + 1), b"k" * size)
    await DeadLetters(publisher, "ingest", vault).put(record, "too_large", "\U0001f600" * 600, MIDNIGHT)
    [sent] = publisher.sent
    letter = letter_of(sent.headers)
    overhead = sum(len(name) + len(value) for name, value in sent.headers.items()) + len(sent.key or b"")
    assert len(sent.value) + overhead + 1024 < min(MAX_REQUEST, broker_limit(DEAD_LETTER_LIMIT))
    assert letter.cut


async def test_a_key_that_is_cut_is_a_cut_letter() -> None:
    publisher, vault = MemoryPublisher(), Vault(Vault.new_key())
    await DeadLetters(publisher, "ingest", vault).put(record_of(TOPIC, b"x", b"k" * 70_000), "c", "", MIDNIGHT)
    await DeadLetters(publisher, "ingest", vault).put(record_of(TOPIC, b"x", b"k" * 30_000), "c", "", MIDNIGHT)
    assert [letter_of(sent.headers).cut for sent in publisher.sent] == [True, False]


@pytest.mark.parametrize(
    ("headers", "others"),
    [
        ([], False),
        ([(REDRIVE, b"ingest")], False),
        ([(REDRIVE, b"router")], True),
        ([(REDRIVE, b"\xff")], True),
        ([("x", b"\xff")], False),
    ],
)
def test_what_is_sent_again_names_its_group(headers: list[tuple[str, bytes]], others: bool) -> None:
    letters = DeadLetters(MemoryPublisher(), "ingest", Vault(Vault.new_key()))
    assert letters.for_others(record_of(TOPIC, b"x", headers=headers)) is others


def test_the_brake_stops_a_run() -> None:
    brake = Brake(run=3)
    for _ in range(10):
        brake.bad()
        brake.bad()
        brake.good()
    brake.bad()
    brake.bad()
    with pytest.raises(Braked, match="3 dead letters in a row"):
        brake.bad()


def test_the_brake_stops_a_ratio_once_enough_was_seen() -> None:
    brake = Brake(run=100, window=10, ratio=0.5)
    for _ in range(3):
        brake.bad()
        brake.bad()
        brake.good()
    with pytest.raises(Braked, match="7 of the last 10"):
        brake.bad()


def test_until_the_first_good_record_fewer_are_enough() -> None:
    """A process that is started again and again would make `run` letters each time."""
    brake = Brake(run=50, start=3)
    brake.bad()
    brake.bad()
    with pytest.raises(Braked, match="3 dead letters in a row"):
        brake.bad()
    brake = Brake(run=50, start=3)
    brake.good()
    for _ in range(49):
        brake.bad()
    with pytest.raises(Braked, match="50 dead letters in a row"):
        brake.bad()


def test_a_copy_of_the_brake_counts_by_itself() -> None:
    brake = Brake(run=2)
    copy = brake.copy()
    copy.bad()
    brake.bad()
    with pytest.raises(Braked):
        copy.bad()


@given(st.lists(st.booleans(), max_size=200))
def test_half_or_fewer_letters_in_no_long_run_never_stop_anybody(pattern: list[bool]) -> None:
    brake = Brake(run=50, window=20, ratio=0.5)
    for bad in pattern:  # each bad one is paid for by a good one
        if bad:
            brake.bad()
        brake.good()
