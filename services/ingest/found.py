"""`Found`: what was found out about an event before the transaction, by work that takes time and no state.

A plain value, so that the fold stays pure and a message that waits for a reply can be kept with it.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas import chat
from schemas.chat import Identity, Language, Screening
from schemas.event import Data
from schemas.topics import INBOUND_LIMIT
from services.ingest.redact import PLACEHOLDER, redact

MODEL_CHARACTERS = 8_000
"""Of a message, for the models: about 2,000 tokens. Humans get it whole from the log."""

Token = Literal["absent", "proven", "refused"]


class Found(BaseModel):
    """About an inbound event or a reply."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    """Bytes of the record."""
    original: str = ""
    """What was written, whole, with card numbers and security codes cut: nothing else of it is ever stored."""
    masked: str = ""
    """What the models may see of it."""
    truncated: bool = False
    """Whether `masked` ends before `original` does."""
    private: dict[str, str] = {}
    """Placeholder of `masked` to original."""
    screening: Screening
    language: Language | None = None
    """None where the text does not tell."""
    token: Token = "absent"  # noqa: S105  # a kind of outcome, not a secret
    identity: Identity | None = None
    """Where the token was proven."""


def words_of(data: Data) -> str:
    """What somebody wrote in this event; empty where it has no words."""
    match data:
        case chat.CustomerMessage() | chat.AgentMessageSeen() | chat.Reply():
            return data.text
        case chat.QuickReplyChosen():
            return data.title
        case chat.ContactLeft():
            return data.note
        case chat.FeedbackGiven():
            return data.comment
        case _:
            return ""


def unmasked(data: Data, size: int, version: str) -> Found:
    """What is known of an event that could not be masked: nothing for the models, and what can be kept safely
    of the words for humans."""
    kept = redact(words_of(data)[:INBOUND_LIMIT])
    return Found(
        size=size,
        original=kept,
        private={PLACEHOLDER: kept} if kept else {},
        screening=Screening(complete=False, version=version),
    )
