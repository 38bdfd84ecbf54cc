"""`sign_identity`: the short-lived token by which the sandbox shop proves who its shopper is.

A JWT (RFC 7519) signed with HS256. Claims: `sub` the customer's id as text, `website` and `group` their
ids, `iss` "sandbox-shop", `aud` "baton", `iat` and `exp` in whole seconds since the epoch.
"""

from datetime import datetime
from typing import Protocol

import jwt

ISSUER = "sandbox-shop"
AUDIENCE = "baton"
MIN_KEY_BYTES = 32
"""RFC 7518, section 3.2: a key of HS256 has at least the size of the hash."""


class Identified(Protocol):
    """What of a customer goes into the token."""

    @property
    def id(self) -> int: ...
    @property
    def group_id(self) -> int: ...
    @property
    def website_id(self) -> int: ...


def sign_identity(customer: Identified, key: str, now: datetime, ttl_s: int = 900) -> str:
    """The signed token, valid from `now` (aware) for `ttl_s` seconds.

    Raises ValueError where the key is shorter than 32 bytes, `now` is naive or `ttl_s` is not positive.
    """
    if len(key.encode()) < MIN_KEY_BYTES:
        raise ValueError(f"the signing key is shorter than {MIN_KEY_BYTES} bytes")
    if now.tzinfo is None:
        raise ValueError("the time of signing has no time zone")
    if ttl_s <= 0:
        raise ValueError("the token would have expired before it was signed")
    issued = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(customer.id),
        "website": customer.website_id,
        "group": customer.group_id,
        "iat": issued,
        "exp": issued + ttl_s,
    }
    return jwt.encode(claims, key, algorithm="HS256")
