"""`embedded_line`: every service in one process on embedded parts, over the sandbox shop.

Kafka is librdkafka's mock cluster in a process of its own; SQL is files in a folder that is new at each
start and goes at the end, since state that belongs to another cluster is no state of this one.
"""

import asyncio
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from schemas.topics import TOPICS
from services.catalog_indexer import app as catalog_indexer
from services.catalog_indexer.indexing import Indexed, Progress, silent
from services.catalog_indexer.settings import Settings as IndexerSettings
from services.copilot_drafter import app as copilot_drafter
from services.copilot_drafter.settings import Settings as DrafterSettings
from services.escalation_router import app as escalation_router
from services.escalation_router.settings import Settings as RouterSettings
from services.ingest import app as ingest
from services.ingest.settings import Settings as IngestSettings
from services.lib.answering.pipeline import AnsweringSettings
from services.lib.kit.dead_letters import Vault
from services.lib.kit.embedded import embedded_kafka
from services.lib.kit.service import Service, utc_now
from services.lib.kit.settings import KafkaSettings, load
from services.lib.shop.sandbox.app import create_app as create_shop
from services.lib.shop.sandbox.data import SandboxData
from services.lib.shop.sandbox.data import load as load_shop
from services.lib.shop.settings import ShopSettings, StoreView
from services.retrieval_answer import app as retrieval_answer
from services.retrieval_answer.settings import Settings as AnswerSettings
from services.sentiment import app as sentiment
from services.sentiment.settings import Settings as SentimentSettings

STORE_LANGUAGES = {"default": "en", "de": "de"}
"""Of the sandbox's store views."""

INDEX = Path("var/sandbox-index.db")
"""Stays from start to start: it is derived from the catalogue alone, and what did not change is not encoded again."""

_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Line:
    """A running line, and what one needs to talk to it."""

    kafka: KafkaSettings
    url: str
    """Of the services; each is under its name."""
    shop_url: str
    identity_key: str
    """With which the sandbox signs identities."""
    shop: SandboxData
    transcript_token: str
    services: tuple[Service, ...]
    indexed: dict[str, Indexed]
    stop_shop: Callable[[], None]
    """Take the sandbox shop away, as an outage would."""
    dead_letter_key: str

    @property
    def failed(self) -> bool:
        return any(service.health.failure is not None for service in self.services)


@asynccontextmanager
async def embedded_line(
    *,
    port: int = 0,
    without: frozenset[str] = frozenset(),
    progress: Progress = silent,
    index_path: Path = INDEX,
) -> AsyncIterator[Line]:
    """A line whose services are ready. `port` 0 takes a free one; `without` names services to leave out."""
    identity_key, shop_token, transcript_token, dead_letter_key = (
        secrets.token_urlsafe(48),
        secrets.token_urlsafe(24),
        secrets.token_urlsafe(48),
        Vault.new_key(),
    )
    folder = Path(tempfile.mkdtemp(prefix="baton-"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # Taken before anything takes time, and before the drafter must know where ingest is.
        server = Server(port)
        stack.callback(server.close)
        names = [name for topic in TOPICS for name in (topic.name, topic.dead_letters)]
        broker = await stack.enter_async_context(embedded_kafka(names))
        kafka = KafkaSettings(bootstrap=broker.bootstrap)
        shop = load_shop(utc_now())
        shop_app = create_shop(shop, token=shop_token, signing_key=identity_key)
        shop_server = await stack.enter_async_context(serving(shop_app, 0))
        shop_settings = ShopSettings(
            base_url=shop_server.url,
            token=shop_token,
            stores=tuple(StoreView(code=store.code, currency=store.currency) for store in shop.stores),
        )
        common = {"kafka": kafka, "dead_letter_key": dead_letter_key}
        with_shop = {**common, "shop": shop_settings, "index_path": index_path}
        answering = AnsweringSettings(store_languages=STORE_LANGUAGES)
        indexer = load(IndexerSettings, **with_shop)
        indexed = await catalog_indexer.index_all(indexer, progress)
        database = f"sqlite+aiosqlite:///{folder}/"
        services = tuple(
            service
            for service in (
                ingest.create(
                    load(
                        IngestSettings,
                        **common,
                        database_url=database + "ingest.db",
                        identity_key=identity_key,
                        transcript_token=transcript_token,
                    )
                ),
                sentiment.create(load(SentimentSettings, **common)),
                retrieval_answer.create(load(AnswerSettings, **with_shop, answering=answering)),
                escalation_router.create(
                    load(RouterSettings, **common, database_url=database + "escalation-router.db")
                ),
                copilot_drafter.create(
                    load(
                        DrafterSettings,
                        **with_shop,
                        answering=answering,
                        ingest_url=f"{server.url}/ingest",
                        transcript_token=transcript_token,
                    )
                ),
                catalog_indexer.create(indexer),
            )
            if service.name not in without
        )
        await stack.enter_async_context(_all_running(services))
        # Mounted applications have no lifespan of their own, and these services are running already.
        routes = [Mount(f"/{service.name}", service.asgi()) for service in services]
        await stack.enter_async_context(server.running(Starlette(routes=routes)))
        await _until_ready(services)
        yield Line(
            kafka=kafka,
            url=server.url,
            shop_url=shop_server.url,
            identity_key=identity_key,
            shop=shop,
            transcript_token=transcript_token,
            services=services,
            indexed=indexed,
            stop_shop=shop_server.stop,
            dead_letter_key=dead_letter_key,
        )


@asynccontextmanager
async def _all_running(services: tuple[Service, ...]) -> AsyncIterator[None]:
    """All services, started and stopped side by side: each takes some seconds to join its group."""
    stop = asyncio.Event()
    started = [asyncio.Event() for _ in services]

    async def hold(service: Service, running: asyncio.Event) -> None:
        async with service.running():
            running.set()
            await stop.wait()

    async with asyncio.TaskGroup() as group:
        for service, running in zip(services, started, strict=True):
            group.create_task(hold(service, running))
        for running in started:
            await running.wait()
        try:
            yield
        finally:
            stop.set()


async def _until_ready(services: tuple[Service, ...], within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while any([await service.health.ready() for service in services]):  # noqa: ASYNC110  # readiness is asked for
            await asyncio.sleep(_POLL_S)


class _Server(uvicorn.Server):
    """Leaves signals to the command, which runs several servers: uvicorn would take them for itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    """An HTTP server on loopback whose port is taken before it serves, so that its address is known."""

    def __init__(self, port: int) -> None:
        try:
            self._socket = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise OSError(f"port {port} of 127.0.0.1 cannot be had: {error.strerror}") from None
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server: _Server | None = None

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def stop(self) -> None:
        """Stop serving at once, with the connections that are open."""
        if self._server is not None:
            self._server.should_exit = self._server.force_exit = True

    @asynccontextmanager
    async def running(self, app: ASGIApp) -> AsyncIterator["Server"]:
        config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=3)
        server = self._server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[self._socket]))
        while not server.started and not task.done():  # noqa: ASYNC110  # uvicorn sets no event
            await asyncio.sleep(_POLL_S)
        try:
            yield self
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def serving(app: ASGIApp, port: int) -> AsyncIterator[Server]:
    server = Server(port)
    try:
        async with server.running(app):
            yield server
    finally:
        server.close()
