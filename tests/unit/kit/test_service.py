"""A service starts and stops in order, and the process says with its status whether one failed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from services.lib.kit.service import Service


async def test_parts_start_in_order_and_stop_backwards_after_what_runs_beside() -> None:
    log: list[str] = []
    service = Service("x", end=lambda: log.append("end"))

    def part(name: str) -> Any:
        @asynccontextmanager
        async def managed() -> AsyncIterator[None]:
            log.append(f"+{name}")
            yield
            log.append(f"-{name}")

        return managed

    async def beside() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            log.append("beside ended")

    service.on_start(part("sql"))
    service.on_start(part("kafka"))
    service.run_beside(beside)
    async with service.running():
        await asyncio.sleep(0)
    assert log == ["+sql", "+kafka", "beside ended", "-kafka", "-sql"]
    assert not service.failed


async def test_a_part_that_dies_ends_the_process_once() -> None:
    ended: list[int] = []
    service = Service("x", end=lambda: ended.append(1))

    async def dies() -> None:
        raise LookupError("no")

    service.run_beside(dies)
    service.run_beside(dies)
    async with service.running():
        await asyncio.sleep(0.01)
        assert await service.health.live() == ["ending: LookupError"]
    assert ended == [1]
    assert service.failed


async def test_a_part_that_ends_without_being_asked_has_died_too() -> None:
    service = Service("x", end=lambda: None)

    async def returns() -> None:
        return

    service.run_beside(returns)
    async with service.running():
        await asyncio.sleep(0.01)
    assert service.failed


def test_without_a_server_failing_is_a_signal_to_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    Service("x").fail(ValueError())
    assert sent == [(os.getpid(), signal.SIGTERM)]


async def test_it_answers_health_and_metrics() -> None:
    service = Service("x")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.asgi()), base_url="http://x") as client:
        assert (await client.get("/health/live")).status_code == 200
        metrics = await client.get("/metrics/")
    assert "baton_event_age_seconds" in metrics.text


def test_every_metric_says_what_it_is_and_in_what_unit() -> None:
    ours = [metric for metric in REGISTRY.collect() if metric.name.startswith("baton_")]
    assert len(ours) > 15
    for metric in ours:
        assert metric.documentation, metric.name
        if metric.type == "histogram":
            assert metric.name.endswith("_seconds")
