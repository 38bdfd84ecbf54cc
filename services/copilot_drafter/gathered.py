"""`Gathered`: what was read for one brief, each part there or named as missing."""

from dataclasses import dataclass
from datetime import datetime

from schemas.chat import AnswerProposed, AnswerUnavailable, AnswerWithheld
from schemas.support import BriefLine
from services.lib.shop.models import Customer, Order


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said, in the original words, oldest first."""

    lines: tuple[BriefLine, ...] = ()
    cut: bool = False
    """Older lines exist and did not fit."""
    reaches_back_to: datetime | None = None
    """When the first of `lines` was said (UTC)."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that could not be read, with the reason in words."""

    why: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """None: there is nothing of the kind to read (a guest has no orders here, a subject allows no draft)."""

    read_at: datetime
    transcript: Transcript | Missing
    customer: Customer | Missing | None
    orders: tuple[Order, ...] | Missing | None
    answer: AnswerProposed | AnswerWithheld | AnswerUnavailable | Missing | None
    order_meant: str | None = None
    """Number of the order that `answer` takes the question to be about, where the shopper named none."""
