"""`create_app`: the sandbox shop as an ASGI app, with Magento's REST and GraphQL APIs.

Everything is held in memory and nothing is written. `/sandbox/health` and `/sandbox/identity` are the
sandbox's own; the rest answers as Magento 2.4 does.
"""

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.lib.shop.sandbox.data import SandboxData
from services.lib.shop.sandbox.errors import MagentoError, no_route, no_such_entity, not_authorized
from services.lib.shop.sandbox.identity import MIN_KEY_BYTES, sign_identity
from services.lib.shop.sandbox.orders import expand_orders
from services.lib.shop.sandbox.rest import RestApi, read_query
from services.lib.shop.sandbox.storefront import InputError, Storefront, formatted

Clock = Callable[[], datetime]
MAX_BODY = 1024 * 1024
"""Bytes of a request's body; a query that a service sends has a few thousand."""


def create_app(
    data: SandboxData,
    *,
    token: str,
    signing_key: str,
    clock: Clock = lambda: datetime.now(UTC),
) -> Starlette:
    """The shop over `data`. `token` opens REST and the identity endpoint; GraphQL is open to all.

    Raises ValueError where the token is empty or the signing key is shorter than 32 bytes.
    """
    if not token:
        raise ValueError("the sandbox shop needs a token")
    if len(signing_key.encode()) < MIN_KEY_BYTES:
        raise ValueError(f"the signing key is shorter than {MIN_KEY_BYTES} bytes")
    api = RestApi(data, expand_orders(data))
    storefront = Storefront(data)

    def authorize(request: Request, resource: str) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
            raise not_authorized(resource)

    async def rest(request: Request) -> Response:
        # The raw path: a SKU may hold an encoded slash, which the decoded path no longer tells apart.
        raw = request.scope.get("raw_path") or request.url.path.encode()
        path = raw.decode("latin-1").partition("?")[0].removeprefix("/rest/")
        if request.method != "GET":
            raise no_route()
        store, resource, handler, arguments = api.resolve(path)
        authorize(request, resource)
        query = read_query(request.scope["query_string"])
        return JSONResponse(handler(store, query, *(unquote(argument) for argument in arguments)))

    async def graphql(request: Request) -> Response:
        try:
            visit = storefront.visit(request.headers.get("store"), request.headers.get("content-currency"), clock())
            query, variables, operation = await _asked(request)
            return JSONResponse(storefront.execute(query, variables, operation, visit))
        except GraphQLError as error:
            # Magento's controller answers 500 to what fails before the execution.
            return JSONResponse({"errors": [formatted(error)]}, status_code=500)

    async def identity(request: Request) -> Response:
        authorize(request, "Magento_Customer::customer")
        body = _decoded(await _limited(request))
        ident = body.get("customer_id") if isinstance(body, dict) else None
        if not isinstance(ident, int) or isinstance(ident, bool):
            raise MagentoError(400, '"%fieldName" is required. Enter and try again.', {"fieldName": "customer_id"})
        customer = data.customer(ident)
        if customer is None:
            raise no_such_entity("customerId", ident)
        return JSONResponse({"token": sign_identity(customer, signing_key, clock())})

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok", "products": len(data.items), "loaded_at": data.loaded_at.isoformat()})

    async def magento_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, MagentoError)  # noqa: S101  (Starlette calls it for this class alone)
        return JSONResponse(error.body(), status_code=error.status)

    methods = ["GET", "POST", "PUT", "DELETE"]
    return Starlette(
        routes=[
            Route("/rest/{path:path}", rest, methods=methods),
            Route("/graphql", graphql, methods=["GET", "POST"]),
            Route("/sandbox/identity", identity, methods=["POST"]),
            Route("/sandbox/health", health, methods=["GET"]),
        ],
        exception_handlers={MagentoError: magento_error},
    )


async def _asked(request: Request) -> tuple[str, dict[str, Any] | None, str | None]:
    """Query, variables and operation of a GraphQL request. Raises InputError."""
    asked: Any
    if request.method == "GET":
        asked = dict(request.query_params)
        if "variables" in asked:
            asked["variables"] = _json(asked["variables"])
    else:
        try:
            asked = _decoded(await _limited(request))
        except MagentoError as error:
            raise InputError(error.message) from error
    query = asked.get("query") if isinstance(asked, dict) else None
    if not isinstance(query, str) or not query.strip():
        raise GraphQLError("Syntax Error: Unexpected <EOF>", extensions={"category": "graphql"})
    variables, operation = asked.get("variables"), asked.get("operationName")
    if variables is not None and not isinstance(variables, dict):
        raise InputError("Variables must be an object.")
    return query, variables, operation if isinstance(operation, str) else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("Unable to unserialize value.") from error


async def _limited(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise MagentoError(400, "Request body is larger than %1 bytes.", [MAX_BODY])
    return body


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MagentoError(400, "Decoding error.") from error
