"""The conversation log on SQLite, and the endpoint that serves it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from schemas.chat import Attachment
from services.ingest.http import transcript_route
from services.ingest.rows import LogLine
from services.ingest.store import ConversationLog, tables
from services.lib.kit.sql import Database

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TOKEN = "a-token-of-at-least-32-characters"


@pytest.fixture
async def database(open_database):
    return await open_database(tables)


@pytest.fixture
async def log(database):
    return ConversationLog(database)


@pytest.fixture
async def client(log):
    app = Starlette(routes=[transcript_route(log, SecretStr(TOKEN))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest") as client:
        yield client


def said(n, text="Hello", **fields):
    at = START + timedelta(seconds=n)
    fields = {"role": "customer", "masked": "masked", "event": f"web#{n}", "received_at": at, **fields}
    return LogLine(n=n, text=text, at=at, **fields)


async def write(database, log, key, *lines):
    async with database.begin() as connection:
        await log.write(connection, key, lines)


def bearer(token=TOKEN):
    return {"Authorization": f"Bearer {token}"}


async def test_lines_come_back_in_order_with_their_originals(database, log):
    picture = Attachment(url="https://cdn.example/1.jpg", media_type="image/jpeg")
    lines = [said(1, "a@example.org", position=1, attachments=(picture,)), said(2, "Answer", role="assistant")]
    await write(database, log, "web:c1", *lines)
    await write(database, log, "web:c2", said(1, "Somebody else"))
    transcript = await log.transcript("web:c1")
    assert list(transcript.lines) == lines
    assert (transcript.cut, transcript.begins, transcript.reaches_back_to) == (False, True, lines[0].at)


async def test_a_line_that_is_rolled_back_was_never_written(database, log):
    async def failing():
        async with database.begin() as connection:
            await log.write(connection, "web:c1", [said(1)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert (await log.transcript("web:c1")).lines == ()


async def test_a_nul_is_written_as_a_character_that_every_database_takes(database, log):
    await write(database, log, "web:c1", said(1, "a\x00b"))
    assert (await log.transcript("web:c1")).lines[0].text == "a\ufffdb"


async def test_many_lines_are_read_page_by_page(database, log):
    await write(database, log, "web:c1", *(said(n, f"Line {n}") for n in range(1, 451)))
    assert [line.n for line in (await log.transcript("web:c1")).lines] == list(range(1, 451))


async def test_what_does_not_fit_is_cut_at_the_old_end_and_said(database, log):
    await write(database, log, "web:c1", *(said(n, "x" * 60_000) for n in range(1, 8)))
    transcript = await log.transcript("web:c1")
    assert [line.n for line in transcript.lines] == [4, 5, 6, 7]
    assert (transcript.cut, transcript.begins) == (True, False)


async def test_old_lines_are_deleted_and_the_transcript_says_that_it_does_not_begin(database, log):
    await write(database, log, "web:c1", said(1), said(2), said(3))
    assert await log.delete_before(START + timedelta(seconds=2)) == 1
    transcript = await log.transcript("web:c1")
    assert [line.n for line in transcript.lines] == [2, 3]
    assert (transcript.cut, transcript.begins) == (False, False)


async def test_the_endpoint_gives_the_transcript(database, log, client):
    await write(database, log, "web:a/b c", said(1, "Grüße 👋", position=1))
    answer = await client.get("/transcripts/web/a%2Fb%20c", headers=bearer())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "gateway": "web",
        "conversation": "a/b c",
        "reaches_back_to": "2026-03-02T09:00:01Z",
        "cut": False,
        "begins": True,
        "lines": [
            {
                "role": "customer",
                "text": "Grüße 👋",
                "at": "2026-03-02T09:00:01Z",
                "position": 1,
                "attachments": [],
            }
        ],
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer "},
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        {"Authorization": b"Bearer \xff\xfe"},
    ],
)
async def test_without_the_token_nothing_is_told_not_even_whether_it_exists(database, log, client, headers):
    await write(database, log, "web:c1", said(1))
    answers = [await client.get(f"/transcripts/web/{name}", headers=headers) for name in ("c1", "nobody")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert answers[0].json() == answers[1].json()


async def test_nobody_is_404_in_json(client):
    answer = await client.get("/transcripts/web/nobody", headers=bearer())
    assert answer.status_code == 404
    assert "nothing was said" in answer.json()["error"]


@pytest.mark.parametrize("text", ["x" * 60_000, "\x01" * 10_000, "€" * 20_000])
async def test_the_answer_stays_under_256_kib(database, log, client, text):
    await write(database, log, "web:c1", *(said(n, text) for n in range(1, 30)))
    answer = await client.get("/transcripts/web/c1", headers=bearer())
    assert len(answer.content) <= 256 * 1024
    body = json.loads(answer.content)
    assert body["cut"]
    assert body["lines"][-1]["at"] == "2026-03-02T09:00:29Z"
    assert body["reaches_back_to"] == body["lines"][0]["at"]


async def test_without_sql_it_says_so(tmp_path):
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder.db")
    log = ConversationLog(database)
    app = Starlette(routes=[transcript_route(log, SecretStr(TOKEN))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest") as client:
        answer = await client.get("/transcripts/web/c1", headers=bearer())
    await database.close()
    await asyncio.sleep(0.1)  # the driver's thread of the connection that never was
    assert answer.status_code == 503
