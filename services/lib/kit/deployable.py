"""`Deployable`: one service as the ASGI application of its own process, on a real Kafka.

    app = deployable("ingest", Settings, create)         # in services/ingest/app.py

    python -m uvicorn services.ingest.app:app --host 0.0.0.0 --port 8080
    baton up --service ingest

Settings are read and clients built when a server starts it, so that importing the module needs neither. What
stops the start is told in one sentence. On SIGTERM the server leaves the lifespan: consumers drain, commit and
leave, then clients close.
"""

import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import uvicorn
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from starlette.types import ASGIApp, Receive, Scope, Send

from services.lib.kit import logs
from services.lib.kit.broker import client_options
from services.lib.kit.embedded import is_embedded
from services.lib.kit.errors import Unavailable, UnknownRevision
from services.lib.kit.service import Service, terminate
from services.lib.kit.settings import KafkaSettings, ServiceSettings, WrongSettings, load

T = TypeVar("T", bound=ServiceSettings)

_EXPECTED = (WrongSettings, KafkaError, Unavailable, UnknownRevision, OSError)
"""What keeps a service from starting without being a fault of its code: no stack is logged."""

_log = logging.getLogger(__name__)


class Deployable:
    def __init__(self, name: str, build: Callable[[], Awaitable[Service]]) -> None:
        """`build` raises what keeps the service from starting."""
        self.name, self._build = name, build
        self.end: Callable[[], None] = terminate
        """What the service calls where it cannot go on."""
        self.service: Service | None = None
        """Once it was built."""
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is None:
            raise RuntimeError(f"{self.name} runs only under a server that speaks ASGI's lifespan protocol")
        else:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        logs.configure()
        started = False
        try:
            service = self.service = await self._build()
            service.end = self.end
            async with service.running():
                self._app = service.asgi()
                started = True
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except (Exception, SystemExit) as error:
            stack = None if isinstance(error, _EXPECTED) else error
            fields = {"service": self.name, "why": str(error) or type(error).__name__}
            _log.critical("stopped badly" if started else "did not start", exc_info=stack, extra={"fields": fields})
            phase = "shutdown" if started else "startup"
            await send({"type": f"lifespan.{phase}.failed", "message": f"{self.name}: {fields['why']}"})
        else:
            await send({"type": "lifespan.shutdown.complete"})


def deployable(name: str, settings: type[T], create: Callable[[T], Service]) -> Deployable:
    """The service that `create` makes of its settings, which the environment gives."""

    async def build() -> Service:
        given = load(settings)
        logs.configure(given.log_level)
        await _real_kafka(given.kafka)
        return create(given)

    return Deployable(name, build)


async def _real_kafka(kafka: KafkaSettings) -> None:
    """Raises `WrongSettings` where Kafka is the embedded one: in memory, and with one member a group."""
    admin = AIOKafkaAdminClient(**client_options(kafka))
    said: list[str] = []
    try:
        with _overheard("aiokafka", said):
            await admin.start()
            cluster = await admin.describe_cluster()
    except KafkaError as error:
        why = "; ".join(dict.fromkeys([str(error), *said]))
        raise Unavailable(f"Kafka at {kafka.bootstrap} does not answer or refuses: {why}") from error
    finally:
        await admin.close()
    if is_embedded(cluster["cluster_id"]):
        raise WrongSettings(f"baton: {kafka.bootstrap} is an embedded Kafka: a service of its own needs a real one")


@contextmanager
def _overheard(name: str, said: list[str]) -> Iterator[None]:
    """Adds what a logger says as errors meanwhile: that a password is wrong aiokafka tells its log alone."""
    logger = logging.getLogger(name)
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    level, logger.propagate = logger.level, False
    logger.setLevel(logging.ERROR)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = True


def serve(app: Deployable, host: str, port: int) -> int:
    """Serve until SIGTERM, SIGINT or the failure of the service. Returns the exit status of the process: 0 where it
    was asked to end, 1 where the service failed or did not start."""
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False))

    def end() -> None:
        server.should_exit = True

    app.end = end
    # After its shutdown uvicorn raises the signal again, which would end us with the signal's status.
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run()
    except SystemExit:  # uvicorn's own way out where the application does not start
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if server.started and app.service is not None and not app.service.failed else 1
