"""A running line on embedded parts, one a file: it takes seconds to start, and must not stand still between tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest_asyncio

from schemas.chat import NoticeSent, Reply
from schemas.event import Data
from schemas.support import DecisionMade
from schemas.topics import CHAT_REPLIES, SUPPORT_BRIEFS, SUPPORT_DECISIONS, SUPPORT_ESCALATIONS
from services.cli.gateway import Gateway, Heard, gateway
from services.cli.line import Line, embedded_line

PATIENCE_S = 20.0
_names = count(1)


class Shopper:
    """One conversation, seen from outside."""

    def __init__(self, line: Line, channel: Gateway, **whereabouts: Any) -> None:
        self.line, self.channel, self.whereabouts = line, channel, whereabouts
        self.name = f"t{next(_names)}"
        self.heard = Heard()
        channel.listen(self.name, self.heard)

    async def say(self, said: str | Data) -> None:
        await self.channel.send(self.name, said, **(self.whereabouts if isinstance(said, str) else {}))  # type: ignore[arg-type]

    async def decision(self, number: int = 1, within_s: float = PATIENCE_S) -> DecisionMade:
        def found() -> DecisionMade | None:
            made = self.heard.of(DecisionMade)
            return made[number - 1] if len(made) >= number else None

        return await self.heard.until(found, within_s)

    async def reply(self, number: int = 1, within_s: float = PATIENCE_S) -> Reply:
        def found() -> Reply | None:
            replies = self.heard.of(Reply)
            return replies[number - 1] if len(replies) >= number else None

        return await self.heard.until(found, within_s)

    async def notice(self, name: str, within_s: float = PATIENCE_S) -> NoticeSent:
        def found() -> NoticeSent | None:
            return next((n for n in self.heard.of(NoticeSent) if n.notice == name), None)

        return await self.heard.until(found, within_s)


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[tuple[Line, Gateway]]:
    """A line and a gateway `test` on it that hears all that shoppers and desks may hear."""
    topics = (CHAT_REPLIES, SUPPORT_DECISIONS, SUPPORT_ESCALATIONS, SUPPORT_BRIEFS)
    async with embedded_line(**options) as line, gateway(line.kafka, "test", *topics) as channel:
        yield line, channel


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole() -> AsyncIterator[tuple[Line, Gateway]]:
    async with opened() as both:
        yield both


@pytest_asyncio.fixture(loop_scope="module")
async def shopper(whole: tuple[Line, Gateway]) -> Shopper:
    return Shopper(*whole)
