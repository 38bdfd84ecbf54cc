"""`LogLine`: one line of the conversation log, as the fold records it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.chat import Attachment
from schemas.event import Utc

Role = Literal["customer", "assistant", "agent", "notice"]


class LogLine(BaseModel):
    """What was said, by whom, when: the original, with card numbers and security codes cut, and masked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: Annotated[int, Field(ge=1)] = 1
    """Without gaps in one conversation."""
    role: Role
    text: str
    masked: str
    at: Utc
    """When it was said, by the clock of who says so."""
    received_at: Utc
    """By ours: from then on it is kept for its time."""
    event: str
    """Identity of the event that said it."""
    position: int | None = None
    attachments: tuple[Attachment, ...] = ()
