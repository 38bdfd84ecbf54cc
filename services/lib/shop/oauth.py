"""OAuth 1.0a request signing (RFC 5849) with HMAC-SHA256, as Magento's integrations ask for."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Generator, Iterable
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from services.lib.shop.settings import OAuthKeys


class OAuth(httpx.Auth):
    """Signs each request anew: a retry carries its own nonce and time."""

    def __init__(self, keys: OAuthKeys, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._now = now

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        fields = {
            "oauth_consumer_key": self._keys.consumer_key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(self._now().timestamp())),
            "oauth_token": self._keys.access_token,
            "oauth_version": "1.0",
        }
        base = base_string(request.method, str(request.url), fields.items())
        key = "&".join(
            _escape(secret.get_secret_value())
            for secret in (self._keys.consumer_secret, self._keys.access_token_secret)
        )
        digest = hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()
        fields["oauth_signature"] = base64.b64encode(digest).decode()
        request.headers["Authorization"] = "OAuth " + ", ".join(
            f'{name}="{_escape(value)}"' for name, value in fields.items()
        )
        yield request


def base_string(method: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """The text that is signed (RFC 5849, 3.4.1); `fields` are the protocol's and a form's parameters."""
    parts = urlsplit(url)
    scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    authority = host if port in (None, {"http": 80, "https": 443}.get(scheme)) else f"{host}:{port}"
    query = parse_qsl(parts.query, keep_blank_values=True)
    pairs = sorted((_escape(name), _escape(value)) for name, value in (*query, *fields))
    normalised = "&".join(f"{name}={value}" for name, value in pairs)
    return "&".join(_escape(piece) for piece in (method.upper(), f"{scheme}://{authority}{parts.path}", normalised))


def _escape(value: str) -> str:
    return quote(value, safe="-._~")
