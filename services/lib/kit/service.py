"""`Service`: runs the parts of one deployable behind an ASGI application with health and metrics.

    service = Service("sentiment")
    service.on_start(...)            # async context managers, entered in order, left in reverse
    service.run_beside(...)          # endless coroutines; one that ends or raises ends the service
    app = service.asgi()
    raise SystemExit(serve(app, [service], "0.0.0.0", 8080))

On SIGTERM the server leaves the lifespan: consumers drain, commit and leave, then clients close. The process
ends with status 0 where it was asked to, and with 1 where a service failed, alone or among others.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import uvicorn
from prometheus_client import make_asgi_app
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp

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
        """`end` is called once where the service cannot go on; `serve` puts its own in place."""
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
        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with self.running():
                yield

        app = Starlette(
            routes=[*self.health.routes(), Mount("/metrics", make_asgi_app()), *self.routes], lifespan=lifespan
        )
        app.state.service = self
        return app


def serve(app: ASGIApp, services: Sequence[Service], host: str, port: int) -> int:
    """Serve until SIGTERM, SIGINT or the failure of a service. Returns the exit status of the process: 0 where
    it was asked to end, 1 where a service failed or did not start."""
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False))

    def end() -> None:
        server.should_exit = True

    for service in services:
        service.end = end
    # After its shutdown uvicorn raises the signal again, which would end us with the signal's status.
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run()
    except SystemExit:  # uvicorn's own way out where the application does not start
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if server.started and not any(service.failed for service in services) else 1
