"""Identity: a shopper whom the shop itself vouches for, by a short-lived signed token.

A JWT (RFC 7519) with HS256 and the claims `sub` (customer id), `website`, `group`, `iss`,
`aud` ("baton"), `iat` and `exp`. Whatever is not exactly that is a guest.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

AUDIENCE = "baton"
MIN_KEY_BYTES = 32
"""RFC 7518, 3.2: a key of HS256 is at least as long as its hash."""
MAX_TOKEN_CHARACTERS = 2_048
LONGEST_LIFE = timedelta(hours=1)
"""A token that lives longer is a password that leaks: it is refused even where the signature is right."""
LEEWAY = timedelta(seconds=30)
"""How far the shop's clock and ours may differ."""


@dataclass(frozen=True)
class Identity:
    """Who the shopper is, proven until `expires_at` (UTC)."""

    customer_id: int
    website: int
    group: int
    expires_at: datetime


_Id = Annotated[int, Field(strict=True, ge=0, le=2**53)]


class _Claims(BaseModel):
    model_config = ConfigDict(frozen=True)

    sub: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,15}$")]
    website: _Id
    group: _Id
    iss: Annotated[str, Field(strict=True, min_length=1, max_length=255)]
    iat: _Id
    exp: _Id
    nbf: _Id | None = None


def verify_identity(token: str, key: str, now: datetime, *, issuer: str | None = None) -> Identity | None:
    """The identity that a token proves at `now` (aware), or None. With `issuer`, only that one's tokens.

    Raises ValueError for a key too short to prove anything, which is an error of the settings.
    """
    if len(key.encode()) < MIN_KEY_BYTES:
        raise ValueError(f"the identity key must have at least {MIN_KEY_BYTES} bytes")
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
        return None
    try:
        claims = _Claims.model_validate(
            jwt.decode(
                token,
                key,
                algorithms=["HS256"],
                audience=AUDIENCE,
                # The times are held against the caller's clock, below.
                options={
                    "require": ["sub", "iss", "aud", "iat", "exp"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        )
        issued, expires = (datetime.fromtimestamp(at, UTC) for at in (claims.iat, claims.exp))
        starts = issued if claims.nbf is None else max(issued, datetime.fromtimestamp(claims.nbf, UTC))
    except (jwt.PyJWTError, ValidationError, ValueError, OverflowError, OSError, RecursionError):
        return None
    in_time = starts - LEEWAY <= now < expires + LEEWAY and timedelta(0) < expires - issued <= LONGEST_LIFE
    if not in_time or (issuer is not None and claims.iss != issuer):
        return None
    return Identity(int(claims.sub), claims.website, claims.group, expires)
