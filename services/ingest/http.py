"""`transcript_route`: `GET /transcripts/{gateway}/{conversation}`, for the drafter and the agents' desks.

It gives the original words, personal data included, so it asks for the token of `Settings` and lets nobody
keep a copy. The answer is at most 256 KiB: the newest lines, and it says where older ones are missing.

    {"gateway": "web", "conversation": "c1", "reaches_back_to": "2026-01-05T10:00:00Z",
     "cut": false, "begins": true, "lines": [{"role": "customer", "text": "...", "at": "...", "position": 1}]}
"""

import hmac
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.chat import Attachment
from schemas.event import Utc, conversation_key
from schemas.topics import TRANSCRIPT_LIMIT
from services.ingest.rows import Role
from services.ingest.store import ConversationLog
from services.lib.kit.errors import Unavailable

_ENVELOPE = 2 * 1024
"""Bytes kept for what is not lines: two names and a few flags."""
NOTHING = "nothing was said in this conversation, or it was deleted"
_NO_COPY = {"Cache-Control": "no-store"}


class TranscriptLine(BaseModel):
    model_config = ConfigDict(frozen=True)

    role: Role
    text: str
    at: Utc
    position: int | None = None
    attachments: tuple[Attachment, ...] = ()


class TranscriptBody(BaseModel):
    """What the endpoint answers."""

    model_config = ConfigDict(frozen=True)

    gateway: str
    conversation: str
    reaches_back_to: Utc | None
    """When the first line below was said; None where not even one fits."""
    cut: bool
    """Older lines exist and did not fit."""
    begins: bool
    """The conversation's first line is below."""
    lines: tuple[TranscriptLine, ...]


def transcript_route(log: ConversationLog, token: SecretStr) -> Route:
    expected = token.get_secret_value().encode()

    async def transcript(request: Request) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # Compared in constant time: how long a refusal takes must not tell how much of a guess was right.
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
            return _error(HTTPStatus.UNAUTHORIZED, "a Bearer token is needed", {"WWW-Authenticate": "Bearer"})
        gateway, conversation = request.path_params["gateway"], request.path_params["conversation"]
        if "\0" in gateway + conversation:  # no name has one, and PostgreSQL would refuse to look
            return _error(HTTPStatus.NOT_FOUND, NOTHING)
        try:
            found = await log.transcript(conversation_key(gateway, conversation), TRANSCRIPT_LIMIT - _ENVELOPE)
        except Unavailable:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, "the log cannot be read now", {"Retry-After": "1"})
        if not found.lines and not found.cut:
            return _error(HTTPStatus.NOT_FOUND, NOTHING)
        body = TranscriptBody(
            gateway=gateway,
            conversation=conversation,
            reaches_back_to=found.reaches_back_to,
            cut=found.cut,
            begins=found.begins,
            lines=tuple(
                TranscriptLine(
                    role=line.role,
                    text=line.text,
                    at=line.at,
                    position=line.position,
                    attachments=line.attachments,
                )
                for line in found.lines
            ),
        )
        return Response(body.model_dump_json(), media_type="application/json", headers=_NO_COPY)

    return Route("/transcripts/{gateway}/{conversation:path}", transcript)


def _error(status: HTTPStatus, error: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": error}, status_code=status, headers={**_NO_COPY, **(headers or {})})
