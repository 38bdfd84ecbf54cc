"""Clocks that stand still, and a shop that answers from a script."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.lib.shop.client import Clock
from services.lib.shop.settings import ShopSettings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = "integration-token-of-the-tests"


@dataclass
class Time:
    """Moves when told, or when somebody sleeps."""

    passed: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds

    @property
    def clock(self) -> Clock:
        return Clock(self.now, self.monotonic, self.sleep)


@dataclass
class Script:
    """An ASGI app that gives its answers in order, the last one for ever, and keeps what it was asked."""

    answers: list[Any]
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        body = (await receive()).get("body", b"")
        self.asked.append(
            {
                "method": scope["method"],
                "path": scope["path"],
                "raw_path": scope.get("raw_path"),
                "query": scope["query_string"].decode(),
                "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
                "body": body,
            }
        )
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = await answer()
        if isinstance(answer, Exception):
            raise answer
        status, payload, headers = (*answer, {})[:3]
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": raw})


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def script() -> type[Script]:
    return Script


@pytest.fixture
def shop_settings() -> Callable[..., ShopSettings]:
    def build(**changes: Any) -> ShopSettings:
        return ShopSettings.model_validate(
            {
                "base_url": "https://shop.test",
                "token": TOKEN,
                "stores": [{"code": "default", "currency": "USD"}, {"code": "de", "currency": "EUR"}],
                **changes,
            }
        )

    return build


@pytest.fixture
async def http_to() -> Any:
    """Builds an HTTP client to an ASGI app, and closes it."""
    opened: list[httpx.AsyncClient] = []

    def build(app: Any) -> httpx.AsyncClient:
        opened.append(httpx.AsyncClient(transport=httpx.ASGITransport(app=app)))
        return opened[-1]

    yield build
    for client in opened:
        await client.aclose()
