"""Client: HTTP to one Magento, with its limits. Every exchange is a read, so every one may be repeated.

In this order: a place among the requests in flight, the circuit breaker, one exchange with its time
and size limit, then at most a few repetitions after jittered pauses, all within one overall limit.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic as system_monotonic
from typing import Any, NamedTuple

import httpx

from services.lib.shop.breaker import Breaker
from services.lib.shop.oauth import OAuth
from services.lib.shop.port import ShopRefused, ShopUnavailable
from services.lib.shop.settings import ShopSettings
from services.lib.shop.wire import Malformed, Record, decode, part, record, records, text

_LATER = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses after which the same request may succeed (520 to 524: a CDN in front of a silent origin)."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")

_REFUSALS = frozenset({"graphql-authorization", "graphql-authentication", "graphql-input", "graphql"})
"""GraphQL error categories that a repetition does not cure."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Clock(NamedTuple):
    """Time as the client sees it; tests bring their own."""

    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = system_monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class _Again(Exception):
    """This attempt failed; the next may not."""

    def __init__(self, cause: str, pause_s: float = 0.0) -> None:
        super().__init__(cause)
        self.pause_s = pause_s


class Client:
    """JSON over HTTP from one Magento, or `ShopUnavailable`, or `ShopRefused`."""

    def __init__(
        self,
        settings: ShopSettings,
        http: httpx.AsyncClient,
        *,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.breaker = Breaker(
            threshold=settings.breaker_failures,
            rest_s=settings.breaker_rest_s,
            monotonic=self.clock.monotonic,
        )
        self._http = http
        self._jitter = jitter
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._auth: httpx.Auth | None = None
        self._bearer: dict[str, str] = {}
        if settings.oauth is not None:
            self._auth = OAuth(settings.oauth, self.clock.now)
        elif settings.token is not None:
            self._bearer = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}

    async def rest(self, path: str, params: Sequence[tuple[str, str]] = (), *, store: str | None = None) -> Any:
        """Decoded answer of `GET /rest/{store}/V1/{path}`; None for 404. `path` is already escaped."""
        scope = f"{store}/V1" if store else "V1"
        url = httpx.URL(f"{self.settings.base_url}/rest/{scope}/{path}", params=list(params))
        request = self._request("GET", url, self._bearer)
        # The name of the resource alone: ids and SKUs of a path belong into no log.
        return await self._read(request, f"GET V1/{path.split('/')[0]}", auth=self._auth)

    async def graphql(
        self, query: str, variables: Mapping[str, Any], *, store: str, customer_token: str | None = None
    ) -> Record:
        """The `data` of a storefront query, seen as a guest or as this customer.

        POST although it reads: Magento's page cache answers GET, and a cached price is no proof. The
        integration's own token stays out: a shopper does not have it.
        """
        headers = {"Store": store, "Content-Currency": self.settings.currency(store)}
        if customer_token is not None:
            if not _TOKEN.fullmatch(customer_token):
                raise ShopRefused("POST graphql: the customer's token is none", status=401)
            headers["Authorization"] = f"Bearer {customer_token}"
        url = httpx.URL(f"{self.settings.base_url}/graphql")
        request = self._request("POST", url, headers, json={"query": query, "variables": dict(variables)})
        try:
            answer = record(await self._read(request, "POST graphql", auth=None))
            data, errors = part(answer, "data"), records(answer.get("errors"))
            categories = {text(part(error, "extensions").get("category")) for error in errors}
        except Malformed as error:
            raise ShopUnavailable("POST graphql: the answer is not GraphQL's") from error
        if categories & _REFUSALS and not any(data.values()):
            raise ShopRefused(f"POST graphql: {', '.join(sorted(categories))}", status=200)
        if errors and not any(data.values()):
            raise ShopUnavailable("POST graphql: the shop reports an error of its own")
        return data

    def _request(self, method: str, url: httpx.URL, headers: Mapping[str, str], json: Any = None) -> httpx.Request:
        """Built without the HTTP client, which would add cookies: with Magento's session cookie of one
        customer the next one would be taken for the same."""
        return httpx.Request(
            method,
            url,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "Baton", **headers},
            json=json,
            extensions={"timeout": httpx.Timeout(self.settings.attempt_s).as_dict()},
        )

    async def _read(self, request: httpx.Request, what: str, *, auth: httpx.Auth | None) -> Any:
        try:
            async with asyncio.timeout(self.settings.limit_s):
                return await self._persist(request, what, auth)
        except TimeoutError as error:
            raise ShopUnavailable(f"{what}: no answer within {self.settings.limit_s:g} s") from error

    async def _persist(self, request: httpx.Request, what: str, auth: httpx.Auth | None) -> Any:
        began = self.clock.monotonic()
        for attempt in range(1, self.settings.attempts + 1):
            try:
                return await self._attempt(request, what, auth)
            except _Again as failure:
                bound = self.settings.backoff_s * 2 ** (attempt - 1)
                pause = max(failure.pause_s, self._jitter() * bound)
                left = self.settings.limit_s - (self.clock.monotonic() - began)
                if attempt == self.settings.attempts or pause >= left:
                    raise ShopUnavailable(f"{what}: {failure} (attempt {attempt})") from failure
            await self.clock.sleep(pause)
        raise AssertionError("attempts is at least 1")

    async def _attempt(self, request: httpx.Request, what: str, auth: httpx.Auth | None) -> Any:
        async with self._slots:
            if not self.breaker.admit():
                raise ShopUnavailable(f"{what}: not asked, the shop has been failing (circuit open)")
            try:
                answer = await self._exchange(request, what, auth)
            except _Again:
                self.breaker.failed()
                raise
            except ShopRefused:
                self.breaker.succeeded()
                raise
            except BaseException:
                self.breaker.abandoned()
                raise
            self.breaker.succeeded()
            return answer

    async def _exchange(self, request: httpx.Request, what: str, auth: httpx.Auth | None) -> Any:
        try:
            async with asyncio.timeout(self.settings.attempt_s):
                response = await self._http.send(request, auth=auth, stream=True, follow_redirects=False)
                try:
                    body = await self._body(response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise _Again(f"no answer within {self.settings.attempt_s:g} s") from error
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            raise _Again(f"no connection ({type(error).__name__})") from error
        status = response.status_code
        if status == 404:
            return None
        if status == 500 and (categories := _categories(body) & _REFUSALS):
            # Magento's GraphQL controller answers 500 to a query or header that it does not take.
            raise ShopRefused(f"{what}: {', '.join(sorted(categories))}", status=status)
        if status in _LATER:
            raise _Again(f"status {status}", self._asked_to_wait(response))
        if status != 200:
            raise ShopRefused(f"{what}: status {status}{_template(body)}", status=status)
        if body is None:
            raise _Again(f"an answer of more than {self.settings.max_body} bytes")
        try:
            return decode(body)
        except Malformed as error:
            raise _Again("an answer that is not JSON") from error

    async def _body(self, response: httpx.Response) -> bytes | None:
        """The body, or None where it exceeds the limit, which is checked while it is decompressed."""
        pieces: list[bytes] = []
        size = 0
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > self.settings.max_body:
                return None
            pieces.append(piece)
        return b"".join(pieces)

    def _asked_to_wait(self, response: httpx.Response) -> float:
        """Seconds that `Retry-After` asks for (RFC 9110, 10.2.3), 0 without or where it is nonsense."""
        value = response.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return 0.0
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return max(0.0, (at - self.clock.now()).total_seconds())


@contextmanager
def sense(what: str) -> Generator[None]:
    """An answer that makes no sense is as good as none."""
    try:
        yield
    except Malformed as error:
        raise ShopUnavailable(f"{what}: the shop's answer makes no sense: {error}") from error


def _categories(body: bytes | None) -> set[str]:
    """Categories of the GraphQL errors in a body; empty where it is none."""
    try:
        errors = records(record(decode(body or b"")).get("errors"))
        return {text(part(error, "extensions").get("category")) for error in errors}
    except Malformed:
        return set()


def _template(body: bytes | None) -> str:
    """Magento's error message with its %placeholders unfilled: the parameters may name a person."""
    try:
        message = text(record(decode(body or b"")).get("message"))
    except Malformed:
        return ""
    return f": {message[:200]}" if message else ""
