"""`ServiceHealth`: live while the loops make progress, ready while the service can do its work.

Live fails where a part has died or a batch has been held for longer than any batch may take. Ready needs
an assignment (an empty one counts: more members than partitions), its own SQL answering, its tables
caught up, and nothing paused.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.lib.kit import metrics

STUCK_AFTER_S = 120.0
"""Seconds without progress of a busy loop: twice the longest bounded wait a handler has, and well under the
poll interval after which Kafka would give the partitions away."""


@dataclass(slots=True)
class ServiceHealth:
    service: str
    checks: dict[str, Callable[[], Awaitable[bool]]] = field(default_factory=dict)
    """Asked for readiness, by name."""
    failure: BaseException | None = None
    """Why the service is ending."""
    assigned: bool | None = None
    """None: the service consumes nothing in a group."""
    why_paused: str | None = None
    busy_since: float | None = None

    def paused(self, why: str | None) -> None:
        self.why_paused = why
        metrics.PAUSED.labels(self.service).set(0 if why is None else 1)

    def busy(self, is_busy: bool) -> None:
        self.busy_since = time.monotonic() if is_busy else None

    async def live(self) -> list[str]:
        """What is wrong; empty where nothing is."""
        wrong = []
        if self.failure is not None:
            wrong.append(f"ending: {type(self.failure).__name__}")
        if self.busy_since is not None and self.why_paused is None:
            held = time.monotonic() - self.busy_since
            if held > STUCK_AFTER_S:
                wrong.append(f"a batch is held for {held:.0f} s")
        return wrong

    async def ready(self) -> list[str]:
        wrong = await self.live()
        if self.assigned is False:
            wrong.append("no assignment yet")
        if self.why_paused is not None:
            wrong.append(f"paused: {self.why_paused}")
        for name, check in self.checks.items():
            try:
                good = await check()
            except Exception as error:  # a check that raises is an answer, not a failed request
                wrong.append(f"{name}: {type(error).__name__}")
            else:
                wrong.extend([] if good else [name])
        return wrong

    def routes(self) -> list[Route]:
        async def live(_: Request) -> JSONResponse:
            return _answer(await self.live())

        async def ready(_: Request) -> JSONResponse:
            return _answer(await self.ready())

        return [Route("/health/live", live), Route("/health/ready", ready)]


def _answer(wrong: list[str]) -> JSONResponse:
    return JSONResponse({"ok": not wrong, "wrong": wrong}, status_code=503 if wrong else 200)
