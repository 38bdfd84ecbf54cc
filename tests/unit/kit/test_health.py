"""Live and ready, through the states a service goes through."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from services.lib.kit import health as health_module
from services.lib.kit.health import STUCK_AFTER_S, ServiceHealth


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def raising() -> bool:
    raise OSError("secret path")


async def test_a_consumer_without_an_assignment_is_live_and_not_ready() -> None:
    health = ServiceHealth("x", assigned=False)
    assert await health.live() == []
    assert await health.ready() == ["no assignment yet"]
    health.assigned = True
    assert await health.ready() == []


async def test_a_service_without_a_group_is_ready_at_once() -> None:
    assert await ServiceHealth("x").ready() == []


async def test_paused_is_live_and_not_ready() -> None:
    health = ServiceHealth("x")
    health.paused("database: away")
    assert await health.live() == []
    assert await health.ready() == ["paused: database: away"]
    health.paused(None)
    assert await health.ready() == []


async def test_a_failure_is_neither() -> None:
    health = ServiceHealth("x", failure=ValueError("what a shopper wrote"))
    assert await health.live() == await health.ready() == ["ending: ValueError"]


async def test_a_batch_that_is_held_too_long_is_not_live_unless_it_waits_for_sql(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(health_module.time, "monotonic", lambda: now[0])
    health = ServiceHealth("x")
    health.busy(True)
    now[0] += STUCK_AFTER_S - 1
    assert await health.live() == []
    now[0] += 2
    assert await health.live() == ["a batch is held for 121 s"]
    health.paused("database: away")  # a restart would not bring the database back
    assert await health.live() == []
    health.paused(None)
    health.busy(False)
    assert await health.live() == []


async def test_checks_are_asked_and_one_that_raises_is_an_answer() -> None:
    health = ServiceHealth("x", checks={"good": yes, "bad": no, "broken": raising})
    assert await health.ready() == ["bad", "broken: OSError"]
    assert await health.live() == []


@pytest.mark.parametrize(("path", "state", "status"), [
    ("/health/live", {}, 200),
    ("/health/ready", {}, 200),
    ("/health/live", {"why_paused": "x"}, 200),
    ("/health/ready", {"why_paused": "x"}, 503),
    ("/health/live", {"failure": ValueError()}, 503),
])  # fmt: skip
async def test_over_http(path: str, state: dict[str, Any], status: int) -> None:
    app = Starlette(routes=ServiceHealth("x", **state).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answer = await client.get(path)
    assert answer.status_code == status
    assert answer.json()["ok"] is (status == 200)
