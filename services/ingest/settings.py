"""`Settings`: whom ingest believes, who may read transcripts, how long the log is kept."""

from typing import Annotated

from pydantic import Field, SecretStr

from services.lib.kit.settings import StatefulSettings

Secret = Annotated[SecretStr, Field(min_length=32)]


class Settings(StatefulSettings):
    identity_key: Secret
    """With which the shop signs identity tokens (HS256), at least 32 bytes. Shared with the shop alone."""
    identity_issuer: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """`iss` that a token must name, e.g. the shop's address; None: any that the key proves."""
    transcript_token: Secret
    """Bearer token that opens transcripts, at least 32 characters. Shared with the drafter and the desks."""
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "US"
    """ISO 3166 country whose way of writing phone numbers is expected where a number has no country code."""
    log_kept_days: Annotated[int, Field(ge=3, le=3650)] = 90
    """Days that the conversation log keeps a line; a weekend's outage must fit in."""
