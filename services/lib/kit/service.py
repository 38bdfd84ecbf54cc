"""`Service`: the parts of one deployable, run together, with health and metrics.

service = Service("sentiment")
service.on_start(...)            # async context managers, entered in order, left in reverse
service.run_beside(...)          # endless coroutines; one that ends or raises ends the service
async with service.running(): ...
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from prometheus_client import make_asgi_app
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from services.lib.kit.health import ServiceHealth

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The one real clock; everything else is handed it."""
    return datetime.now(UTC)


def terminate() -> None:
    """Ask the process to end, as an orchestrator would."""
    os.kill(os.getpid(), signal.SIGTERM)


class Service:
    def __init__(self, name: str, end: Callable[[], None] = terminate) -> None:
        """`end` is called once where the service cannot go on."""
        self.name, self.end = name, end
        self.health = ServiceHealth(name)
        self.routes: list[BaseRoute] = []
        """What the service answers over HTTP, beside health and metrics."""
        self._managers: list[Callable[[], AbstractAsyncContextManager[object]]] = []
        self._beside: list[Callable[[], Awaitable[None]]] = []

    def on_start(self, manager: Callable[[], AbstractAsyncContextManager[object]]) -> None:
        """Enter this at the start, after those given before it."""
        self._managers.append(manager)

    def run_beside(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run this until the service stops."""
        self._beside.append(work)

    def fail(self, error: BaseException) -> None:
        """End the process in good order: what is broken must not read on."""
        if self.health.failure is None:
            self.health.failure = error
            _log.critical("ending", exc_info=error, extra={"fields": {"service": self.name}})
            self.end()

    @property
    def failed(self) -> bool:
        return self.health.failure is not None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for manager in self._managers:
                await stack.enter_async_context(manager())
            tasks = [asyncio.create_task(self._guarded(work)) for work in self._beside]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # nothing may die in silence
            self.fail(error)
        else:
            self.fail(RuntimeError("a part that should run for ever has ended"))

    def asgi(self) -> Starlette:
        """What it answers over HTTP while it runs. Starting and stopping it is the caller's."""
        return Starlette(routes=[*self.health.routes(), Mount("/metrics", make_asgi_app()), *self.routes])
