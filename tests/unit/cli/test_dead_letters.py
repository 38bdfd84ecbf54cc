"""`baton dlq`: what is there is shown without harm, and sent again in order, once, to its own partition."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from schemas.topics import CHAT_INBOUND, CHAT_MESSAGES, SUPPORT_CONTROL, TOPICS
from services.cli.dead_letters import Listed, Redriven, counted, line_of, listed, printable, redrive
from services.cli.main import app
from services.lib.kit.broker import MAX_REQUEST, client_options, groupless
from services.lib.kit.dead_letters import REDRIVE, DeadLetters, Letter, Place, Vault
from services.lib.kit.fakes import MIDNIGHT, MemoryPublisher, record_of
from services.lib.kit.settings import KafkaSettings

KEY = Vault.new_key()
IN = CHAT_INBOUND


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder where no line runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BATON_KAFKA__BOOTSTRAP", raising=False)
    monkeypatch.delenv("BATON_DEAD_LETTER_KEY", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def kafka() -> Iterator[KafkaSettings]:
    """An empty one each: what is listed and sent depends on all that is there."""
    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letters)]
    command = [sys.executable, "-m", "services.lib.kit.embedded", *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        yield KafkaSettings(bootstrap=json.loads(process.stdout.readline())["bootstrap"])
        process.communicate(timeout=10)


# --- what is shown ---------------------------------------------------------------------------------------


def letter(**fields: Any) -> Letter:
    whole = {
        "origin": f"{IN.name}/3/7", "group": "ingest", "cause": "not_json", "error": "no", "failed_at": "2026",
        "sha256": "0" * 64, "cut": False, "tombstone": False,
    }  # fmt: skip
    return Letter(**(whole | fields))


def of(one: Letter | None, topic: str = IN.dead_letters) -> Listed:
    return Listed(topic, 1, 2, "key", one)


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_printed(text: str) -> None:
    shown = printable(text)
    assert shown.isascii()
    assert shown.isprintable()
    assert not (text.isascii() and text.isprintable()) or shown == text


@pytest.mark.parametrize("evil", ["\x1b[2J", "a\nb", "\r", "\x9b31m", "\u202e", "\x00", "\u2028"])
@pytest.mark.parametrize("field", ["group", "cause", "error", "failed_at"])
def test_a_hostile_header_stays_on_its_line(field: str, evil: str) -> None:
    for line in (line_of(of(letter(**{field: evil}))), *counted([of(letter(**{field: evil}))])):
        assert line.isprintable()
        assert line.isascii()


def test_the_summary_counts_by_group_topic_and_cause() -> None:
    found = [of(letter()), of(letter(origin=f"{IN.name}/0/0")), of(letter(group="router")), of(None)]
    assert counted(found) == [
        f"      2  ingest  {IN.name}  not_json",
        f"      1  router  {IN.name}  not_json",
        f"      1  not a dead letter  {IN.dead_letters}",
    ]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["dlq", *arguments])


@pytest.mark.parametrize(
    ("environment", "arguments", "said"),
    [
        ({}, (), "no line is running"),
        ({"BATON_KAFKA__BOOTSTRAP": "127.0.0.1:1"}, (), "BATON_DEAD_LETTER_KEY is needed"),
        ({"BATON_DEAD_LETTER_KEY": "c2VjcmV0"}, (), "BATON_DEAD_LETTER_KEY must be base64 of 32 bytes"),
        ({"BATON_DEAD_LETTER_KEY": KEY}, (), "no line is running"),
        ({"BATON_DEAD_LETTER_KEY": KEY}, ("--origin", "here"), "--origin is not written as"),
    ],
)
def test_what_is_missing_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], arguments: Sequence[str], said: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = run("redrive", "--group", "ingest", *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"baton: {said}")
    assert result.stderr.count("\n") == 1
    assert "c2VjcmV0" not in result.output


def test_without_a_group_nothing_is_sent() -> None:
    assert run("redrive").exit_code == 2


# --- what is sent ----------------------------------------------------------------------------------------


class Bench:
    """Writes letters as a consumer would, and others as anybody may."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka, self.vault = kafka, Vault(KEY)

    def sealed(
        self, record: ConsumerRecord, group: str = "ingest", cause: str = "not_json", vault: Vault | None = None
    ) -> tuple[str, bytes | None, bytes, dict[str, str]]:
        now = MIDNIGHT + timedelta(seconds=record.offset)
        return DeadLetters(MemoryPublisher(), group, vault or self.vault).sealed(record, cause, "no", now)

    async def write(self, *letters: tuple[str, bytes | None, bytes, dict[str, str]]) -> None:
        async with AIOKafkaProducer(max_request_size=MAX_REQUEST, **client_options(self.kafka)) as producer:
            for topic, key, value, headers in letters:
                pairs = [(name, text.encode()) for name, text in headers.items()]
                await producer.send_and_wait(topic, value, key, headers=pairs)

    async def redrive(self, group: str = "ingest", **options: Any) -> list[Redriven]:
        return [one async for one in redrive(self.kafka, self.vault, group, **options)]

    async def arrived(self, topic: str = IN.name, within_s: float = 1.0) -> list[ConsumerRecord]:
        found: list[ConsumerRecord] = []
        async with groupless(self.kafka, topic) as consumer:
            while batches := await consumer.getmany(timeout_ms=round(within_s * 1000)):
                found.extend(record for batch in batches.values() for record in batch)
        return found


@pytest.fixture
def bench(kafka: KafkaSettings) -> Bench:
    return Bench(kafka)


def troubles(done: list[Redriven]) -> list[str | None]:
    return [one.trouble for one in done]


async def test_the_originals_go_back_to_their_partition_in_their_order(bench: Bench) -> None:
    """The order of the letters is another: after a restart some were written again."""
    keys = (b"web:1", None, b"\xff")
    records = [record_of(IN, b"%d" % n, keys[n % 3], partition=n % 3, offset=n) for n in range(12)]
    shuffled = [*records[6:], *records[:6], *records[3:9]]
    await bench.write(*(bench.sealed(record) for record in shuffled))
    done = await bench.redrive()
    assert troubles(done) == [None] * 12
    arrived = await bench.arrived()
    for partition, key in enumerate(keys):
        there = [record for record in arrived if record.partition == partition]
        assert [record.value for record in there] == [b"%d" % n for n in range(12) if n % 3 == partition]
        assert {record.key for record in there} == {key}
    assert all(list(record.headers) == [(REDRIVE, b"ingest")] for record in arrived)


async def test_one_group_and_the_filters_alone(bench: Bench) -> None:
    await bench.write(
        bench.sealed(record_of(IN, b"a", offset=1)),
        bench.sealed(record_of(IN, b"b", offset=2), cause="broken"),
        bench.sealed(record_of(IN, b"c", offset=3), group="router"),
        bench.sealed(record_of(CHAT_MESSAGES, b"d", offset=1), group="router"),
        bench.sealed(record_of(CHAT_MESSAGES, b"e", offset=2), group="ingest"),
    )
    place = Place(IN.name, 0, 1)
    assert troubles(await bench.redrive(dry_run=True)) == [None] * 3
    assert await bench.arrived() == []
    assert troubles(await bench.redrive(topic="chat.messages")) == [None]
    assert troubles(await bench.redrive(causes=["broken"])) == [None]
    assert troubles(await bench.redrive(origins=[place])) == [None]
    assert await bench.redrive("nobody") == []
    assert [record.value for record in await bench.arrived()] == [b"b", b"a"]
    assert [record.value for record in await bench.arrived(CHAT_MESSAGES.name)] == [b"e"]
    assert {one.letter.group for one in await listed(bench.kafka, group="router") if one.letter} == {"router"}
    with pytest.raises(ValueError, match="'nothing' is no topic"):
        await bench.redrive(topic="nothing")


async def test_what_was_sent_again_and_failed_again_goes_once(bench: Bench) -> None:
    """Else two letters would become four, and four eight."""
    first = record_of(IN, b"poison", offset=1)
    again = record_of(IN, b"poison", offset=9, headers=[(REDRIVE, b"ingest")])
    await bench.write(bench.sealed(first), bench.sealed(record_of(IN, b"good", offset=2)), bench.sealed(again))
    done = await bench.redrive()
    assert [(one.listed.letter.origin if one.listed.letter else "", one.trouble) for one in done] == [
        (f"{IN.name}/0/1", None),
        (f"{IN.name}/0/2", None),
    ]
    [only] = await bench.redrive(origins=[Place(IN.name, 0, 9)])
    assert only.trouble is None
    assert [record.value for record in await bench.arrived()] == [b"poison", b"good", b"poison"]


async def test_what_cannot_be_sent_is_named_and_holds_nothing_up(bench: Bench) -> None:
    topic, key, value, headers = bench.sealed(record_of(IN, b"x", offset=1))
    elsewhere = f"{CHAT_MESSAGES.name}/0/0"
    sealed_elsewhere = bench.vault.seal(b"x", "secrets/0/0")
    other_key = bench.sealed(record_of(IN, b"other", offset=4), vault=Vault(Vault.new_key()))
    cut = bench.sealed(record_of(IN, b"cut" * 1_000_000, offset=5))
    control = bench.sealed(record_of(SUPPORT_CONTROL, b"{}", offset=1))
    away = bench.sealed(record_of(IN, b"away", partition=99, offset=6))
    unsayable = bench.sealed(record_of(IN, None, None, offset=8))
    await bench.write(
        (topic, key, b"foreign", {}),
        (topic, key, sealed_elsewhere, {**headers, "x-origin": "secrets/0/0"}),
        (topic, key, value, {**headers, "x-origin": elsewhere}),
        (topic, key, value, {**headers, "x-origin": f"{IN.name}/0/3"}),
        (topic, key, value, {**headers, "x-sha256": hashlib.sha256(b"y").hexdigest()}),
        (topic, key, b"", {**headers, "x-origin": f"{IN.name}/0/2"}),
        other_key,
        cut,
        control,
        away,
        unsayable,
        bench.sealed(record_of(IN, b"fine", offset=7)),
    )
    done = await bench.redrive()
    why = [one.trouble or "" for one in done]
    for said, times in {
        "not a dead letter": 1,
        "its origin is no topic of the registry": 1,
        "its origin is another topic than": 1,
        "sealed with another key": 3,
        "its hash": 1,
        "cut:": 1,
        "its topic keeps the last record": 1,
        "its partition is not there": 1,
        "the original had neither key nor value": 1,
    }.items():
        assert sum(one.startswith(said) for one in why) == times, (said, why)
    assert why.count("") == 1
    assert [record.value for record in await bench.arrived()] == [b"fine"]


async def test_bodies_of_two_mebibytes_and_none_come_back_as_they_were(bench: Bench) -> None:
    large = bytes(range(256)) * 4096 * 2
    bodies: list[bytes | None] = [b"", None, large[: 1024 * 1024], large[: 2 * 1024 * 1024 - 1024], b"\x00"]
    await bench.write(*(bench.sealed(record_of(IN, body, offset=n)) for n, body in enumerate(bodies)))
    assert troubles(await bench.redrive()) == [None] * 5
    assert [record.value for record in await bench.arrived()] == bodies


def test_the_command_says_what_it_did(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    bench = Bench(kafka)
    asyncio.run(
        bench.write(
            bench.sealed(record_of(IN, b"secret body", offset=1)),
            (IN.dead_letters, b"k", b"foreign", {"x-group": "\x1b[2J"}),
        )
    )
    monkeypatch.setenv("BATON_KAFKA__BOOTSTRAP", kafka.bootstrap)
    shown = run("list", "--topic", IN.short)
    assert shown.exit_code == 0
    assert f"ingest  {IN.name}/0/1  not_json" in shown.stdout
    assert "secret body" not in shown.output
    assert "\x1b" not in shown.output
    assert f"1  ingest  {IN.name}  not_json" in run("list", "--summary").stdout
    monkeypatch.setenv("BATON_DEAD_LETTER_KEY", KEY)
    arguments = ("redrive", "--group", "ingest", "--topic", IN.short)
    tried = run(*arguments, "--dry-run")
    assert (tried.exit_code, tried.stderr) == (1, "1 would be sent to ingest, 1 not\n")
    sent = run(*arguments)
    assert (sent.exit_code, sent.stderr) == (1, "1 sent to ingest, 1 not\n")
    assert "NOT SENT: not a dead letter" in sent.stdout
    assert "secret body" not in sent.output
    one = run(*arguments, "--origin", f"{IN.name}/0/1", "--cause", "not_json")
    assert (one.exit_code, one.stderr) == (0, "1 sent to ingest, 0 not\n")
    none = run(*arguments, "--origin", f"{IN.name}/0/1", "--origin", f"{IN.name}/0/99")
    assert (none.exit_code, none.stderr) == (1, "1 sent to ingest, 1 not\n")
    assert f"{IN.name}/0/99" in none.stdout
    assert [record.value for record in asyncio.run(bench.arrived())] == [b"secret body"] * 3
