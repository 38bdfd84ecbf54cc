"""ShopSettings: which shop, as whom, and how patiently. Nested in each reading service's settings."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

Seconds = Annotated[float, Field(gt=0, le=60)]


class StoreView(BaseModel):
    """One store view, e.g. `{"code": "default", "currency": "USD"}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,31}$")]
    """Magento's code of the store view, as in the `Store` header."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217 code in which prices of this view are asked for and stated."""


class OAuthKeys(BaseModel):
    """The four values of a Magento integration (System > Integrations), for OAuth 1.0a."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    consumer_key: str
    consumer_secret: SecretStr
    access_token: str
    access_token_secret: SecretStr


class ShopSettings(BaseModel):
    """A Magento 2 shop and the patience with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    """Address of the shop without a trailing slash, e.g. `https://shop.example`."""
    token: SecretStr | None = None
    """Integration access token sent as Bearer. Magento takes it only where the shop allows
    "OAuth access tokens to be used as standalone Bearer tokens" (off by default since 2.4.4)."""
    oauth: OAuthKeys | None = None
    """Keys for signed requests, instead of `token`."""
    stores: Annotated[tuple[StoreView, ...], Field(min_length=1)] = (StoreView(code="default", currency="USD"),)
    """The store views served. A store that is not listed is refused before any request."""
    admin_path: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")] = "admin"
    """Path of the admin panel, for links in briefs."""
    attempt_s: Seconds = 4.0
    """Longest wait for one HTTP exchange, in seconds."""
    limit_s: Seconds = 10.0
    """Longest wait for one read with its retries, in seconds."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How often one request is sent at most."""
    backoff_s: Annotated[float, Field(gt=0, le=10)] = 0.2
    """Upper bound of the first pause between attempts, in seconds; doubles each time, with full jitter."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    """Requests in flight at once. A small Magento has as many PHP workers as this."""
    breaker_failures: Annotated[int, Field(ge=1, le=100)] = 5
    """Failures in a row that open the circuit."""
    breaker_rest_s: Annotated[float, Field(gt=0, le=600)] = 15.0
    """How long an open circuit asks nothing, in seconds."""
    facts_s: Annotated[float, Field(ge=0, le=900)] = 60.0
    """How long a price or stock that was read is used again, in seconds; at most the 15 minutes
    after which it proves nothing."""
    orders_s: Annotated[float, Field(ge=0, le=30)] = 5.0
    """How long an order or customer that was read is used again, in seconds."""
    max_body: Annotated[int, Field(ge=1_000, le=100_000_000)] = 10_000_000
    """Largest answer that is read, in bytes after decompression."""

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("base_url must be an http or https address without query, e.g. https://shop.example")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.token is None) == (self.oauth is None):
            raise ValueError("give either token or oauth")
        codes = [view.code for view in self.stores]
        if len(set(codes)) != len(codes):
            raise ValueError("a store view is listed twice")
        return self

    def currency(self, store: str) -> str:
        """The currency of a store view; `ValueError` where it is not served."""
        for view in self.stores:
            if view.code == store:
                return view.currency
        raise ValueError(f"store view {store!r} is not among those in the settings")
