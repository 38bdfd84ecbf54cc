"""`Transcripts`: reads original transcripts from ingest."""

from typing import Protocol
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from schemas.event import Utc
from schemas.support import BriefLine
from services.copilot_drafter.gathered import Transcript


class TranscriptError(Exception):
    """Why there is no transcript, in words."""


class NothingSaid(TranscriptError):
    """Ingest has no line of the conversation."""

    def __init__(self) -> None:
        super().__init__("ingest has nothing of this conversation")


class Transcripts(Protocol):
    async def read(self, gateway: str, conversation: str) -> Transcript:
        """Raises `TranscriptError`; `NothingSaid` where there is no line."""
        ...


class _Attachment(BaseModel):
    model_config = ConfigDict(frozen=True)

    url: str
    media_type: str
    name: str | None = None


class _Line(BaseModel):
    """A line as ingest gives it. Fields that are not known here are ignored: ingest may be ahead of us."""

    model_config = ConfigDict(frozen=True)

    role: str
    text: str
    at: Utc
    attachments: tuple[_Attachment, ...] = ()


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True)

    gateway: str
    conversation: str
    reaches_back_to: Utc | None
    cut: bool
    lines: tuple[_Line, ...]


class HttpTranscripts:
    """Over ingest's authenticated endpoint."""

    def __init__(self, http: httpx.AsyncClient, url: str, token: SecretStr) -> None:
        self._http, self._url = http, url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token.get_secret_value()}"}

    async def read(self, gateway: str, conversation: str) -> Transcript:
        address = f"{self._url}/transcripts/{_segment(gateway)}/{_segment(conversation)}"
        try:
            answer = await self._http.get(address, headers=self._headers)
            answer.raise_for_status()
            body = _Body.model_validate_json(answer.content)
            lines = tuple(_brief_line(line) for line in body.lines)
        except httpx.HTTPStatusError as error:
            raise _refusal(error.response) from error
        except httpx.HTTPError as error:
            raise TranscriptError(f"ingest did not answer ({type(error).__name__})") from error
        except ValidationError:  # without its cause, which quotes what was said
            raise TranscriptError("ingest's answer made no sense") from None
        if (body.gateway, body.conversation) != (gateway, conversation):
            # A name with a slash may read as another pair of names: nobody gets to see somebody else's words.
            raise TranscriptError("ingest answered for another conversation")
        return Transcript(lines, body.cut, body.reaches_back_to)


def _segment(name: str) -> str:
    """One segment of a path. Dots too: a client or a proxy would take `..` for a way up."""
    return quote(name, safe="").replace(".", "%2E")


def _refusal(answer: httpx.Response) -> TranscriptError:
    match answer.status_code:
        case 401:
            return TranscriptError("ingest refused the transcript token (401)")
        case 404 if answer.headers.get("content-type", "").startswith("application/json"):
            return NothingSaid()  # a wrong address is a 404 as well, but not in ingest's words
        case status:
            return TranscriptError(f"ingest answered {status}")


def _brief_line(line: _Line) -> BriefLine:
    """Raises ValidationError for a role that a brief has no name for."""
    attached = [
        f"[attached: {', '.join(part for part in (one.name, one.media_type, one.url) if part)}]"
        for one in line.attachments
    ]
    text = "\n".join(part for part in (line.text, *attached) if part)
    return BriefLine.model_validate({"role": line.role, "text": text, "at": line.at})


class FakeTranscripts:
    """In memory, for tests: transcripts by (gateway, conversation); of others nothing was said."""

    def __init__(self, known: dict[tuple[str, str], Transcript] | None = None) -> None:
        self._known = known or {}

    async def read(self, gateway: str, conversation: str) -> Transcript:
        try:
            return self._known[gateway, conversation]
        except KeyError:
            raise NothingSaid from None
