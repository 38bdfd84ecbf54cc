"""The sandbox shop at a fixed time, and a client that holds its token."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette

from services.lib.shop.sandbox.app import create_app
from services.lib.shop.sandbox.data import SandboxData, load

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
KEY = "a-signing-key-of-more-than-32-bytes"


@pytest.fixture(scope="session")
def data() -> SandboxData:
    return load(NOW)


@pytest.fixture(scope="session")
def app(data: SandboxData) -> Starlette:
    return create_app(data, token="right", signing_key=KEY, clock=lambda: NOW)


@pytest.fixture
async def shop(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="https://shop.example",
        headers={"Authorization": "Bearer right"},
    ) as client:
        yield client
