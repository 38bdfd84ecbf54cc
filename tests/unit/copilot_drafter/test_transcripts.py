"""Reading transcripts: held against ingest's own endpoint and log, and against answers that make no sense."""

import json
from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount

from schemas.chat import Attachment
from schemas.event import conversation_key
from services.copilot_drafter.transcripts import FakeTranscripts, HttpTranscripts, NothingSaid, TranscriptError
from services.ingest.http import transcript_route
from services.ingest.rows import LogLine
from services.ingest.store import ConversationLog, tables

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TOKEN = SecretStr("a transcript token of 32 characters or more")
URL = "http://ingest.test/ingest"


@pytest_asyncio.fixture
async def log(open_database):
    return Said(await open_database(tables))


class Said:
    """Ingest's log, and what it serves of it."""

    def __init__(self, database):
        self._database, self._log = database, ConversationLog(database)
        self.app = Starlette(routes=[Mount("/ingest", routes=[transcript_route(self._log, TOKEN)])])

    async def write(self, gateway, conversation, *texts, **more):
        lines = [
            LogLine(n=n, role="customer", text=text, masked="", at=NOW, received_at=NOW, event=str(n), **more)
            for n, text in enumerate(texts, start=1)
        ]
        async with self._database.begin() as connection:
            await self._log.write(connection, conversation_key(gateway, conversation), lines)

    async def read(self, gateway, conversation, token=TOKEN):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app)) as http:
            return await HttpTranscripts(http, URL + "/", token).read(gateway, conversation)


async def test_what_ingest_wrote_is_read(log):
    await log.write("web", "c1", "Where is it?", "My name is Jane Miller", position=1)
    transcript = await log.read("web", "c1")
    assert [(line.role, line.text, line.at) for line in transcript.lines] == [
        ("customer", "Where is it?", NOW),
        ("customer", "My name is Jane Miller", NOW),
    ]
    assert (transcript.cut, transcript.reaches_back_to) == (False, NOW)


async def test_files_are_told_with_their_address(log):
    photo = Attachment(url="https://cdn.example/1.jpg", media_type="image/jpeg", name="mug.jpg")
    nameless = Attachment(url="https://cdn.example/2", media_type="application/pdf")
    await log.write("web", "c1", "", attachments=(photo,))
    await log.write("web", "c2", "look", attachments=(photo, nameless))
    assert (await log.read("web", "c1")).lines[0].text == (
        "[attached: mug.jpg, image/jpeg, https://cdn.example/1.jpg]"
    )
    assert (await log.read("web", "c2")).lines[0].text.splitlines() == [
        "look",
        "[attached: mug.jpg, image/jpeg, https://cdn.example/1.jpg]",
        "[attached: application/pdf, https://cdn.example/2]",
    ]


async def test_a_long_one_comes_cut(log):
    await log.write("web", "c1", *["x" * 10_000] * 40)
    transcript = await log.read("web", "c1")
    assert transcript.cut is True
    assert 20 < len(transcript.lines) < 40


@pytest.mark.parametrize(
    "name",
    ["a/b", "..", ".", "../..", "a/../b", "/", "//x", "a?b=c", "a#b", "a%2Fb", "%", "%00", "100%", "a:b", "ü/ß",
     "日本", "😡", "a\\b", "a&b=c;d", "'\"<>", "a+b", "é",
     "x" * 200, "ü" * 200, "favicon.ico", "..;", "{a}"],
)  # fmt: skip
async def test_whatever_a_conversation_is_called_its_own_words_come_back(log, name):
    await log.write("web", name, "mine")
    await log.write("web", "b", "not mine")
    await log.write("web", "a", "not mine")
    assert [line.text for line in (await log.read("web", name)).lines] == ["mine"]


@pytest.mark.parametrize("gateway", ["..", ".", "a%2Fb", "ü", "a?b", "x" * 128])
async def test_whatever_a_gateway_is_called(log, gateway):
    await log.write(gateway, "c1", "mine")
    assert [line.text for line in (await log.read(gateway, "c1")).lines] == ["mine"]


async def test_a_gateway_with_a_slash_never_gets_the_words_of_another(log):
    """`a/b` and `c` reads as `a` and `b/c` in a path."""
    await log.write("a", "b/c", "somebody else's")
    with pytest.raises(TranscriptError, match="answered for another conversation"):
        await log.read("a/b", "c")


async def test_a_conversation_without_words(log):
    with pytest.raises(NothingSaid, match="ingest has nothing of this conversation"):
        await log.read("web", "c1")


async def test_a_wrong_token(log):
    await log.write("web", "c1", "hello")
    with pytest.raises(TranscriptError, match=r"refused the transcript token \(401\)"):
        await log.read("web", "c1", SecretStr("another token of 32 characters or more.."))


def served(answer):
    """A reader of an ingest that answers so."""
    transport = httpx.MockTransport(answer if callable(answer) else lambda request: answer)
    return HttpTranscripts(httpx.AsyncClient(transport=transport), URL, TOKEN)


def body(**changes):
    line = {"role": "agent", "text": "hello", "at": "2026-05-04T12:00:00Z"}
    whole = {"gateway": "web", "conversation": "c1", "reaches_back_to": None, "cut": False, "lines": [line]}
    return {**whole, **changes}


async def test_a_newer_ingest_may_say_more():
    lines = [
        {
            "role": "agent",
            "text": "hello",
            "at": "2026-05-04T12:00:00Z",
            "mood": "fine",
            "attachments": [{"url": "u", "media_type": "m", "bytes": 3}],
        }
    ]
    transcript = await served(httpx.Response(200, json=body(lines=lines, pages=2))).read("web", "c1")
    assert transcript.lines[0].text == "hello\n[attached: m, u]"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"<html>secret words</html>",
        json.dumps(body(lines=None)).encode(),
        json.dumps(body(lines=[{"role": "parrot", "text": "secret words", "at": "2026-05-04T12:00:00Z"}])).encode(),
        json.dumps(body(lines=[{"role": "agent", "text": "secret words", "at": "yesterday"}])).encode(),
        json.dumps(body(lines=[{"role": "agent", "text": "secret words", "at": "2026-05-04T12:00:00"}])).encode(),
    ],
)
async def test_garbage_is_named_and_not_repeated(content):
    with pytest.raises(TranscriptError, match="ingest's answer made no sense") as raised:
        await served(httpx.Response(200, content=content)).read("web", "c1")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ is True


@pytest.mark.parametrize("status", [302, 400, 403, 404, 429, 500, 503])
async def test_a_refusal_is_told(status):
    """Another server's 404 is a wrong address, and not a conversation without words."""
    answer = httpx.Response(status, text="Not Found", headers={"Location": "http://elsewhere.example"})
    with pytest.raises(TranscriptError, match=f"ingest answered {status}") as raised:
        await served(answer).read("web", "c1")
    assert not isinstance(raised.value, NothingSaid)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
async def test_an_ingest_that_is_away(error):
    def away(request):
        raise error("no")

    with pytest.raises(TranscriptError, match=rf"did not answer \({error.__name__}\)"):
        await served(away).read("web", "c1")


async def test_the_token_is_sent():
    seen = []

    def answer(request):
        seen.append(request.headers["Authorization"])
        return httpx.Response(200, json=body())

    await served(answer).read("web", "c1")
    assert seen == [f"Bearer {TOKEN.get_secret_value()}"]


async def test_the_fake_is_alike():
    known = await served(httpx.Response(200, json=body())).read("web", "c1")
    fake = FakeTranscripts({("web", "c1"): known})
    assert await fake.read("web", "c1") is known
    with pytest.raises(NothingSaid):
        await fake.read("web", "c2")
