"""Settings shared by all services: frozen, bounded, read from the environment, wrong ones stop the start."""

import base64
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from services.lib.kit import logs


class WrongSettings(SystemExit):
    """Ends the process with one sentence, as a configuration error should."""


def aes_key(text: str) -> bytes:
    """The 32 bytes in base64. Raises `ValueError` that does not repeat them."""
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("must be base64") from None
    if len(key) != 32:
        raise ValueError(f"must be base64 of 32 bytes, not of {len(key)}")
    return key


class KafkaSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap: Annotated[str, Field(pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$")] = "localhost:9092"
    """`host:port`, several separated by commas."""
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the brokers' listener is secured."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """Used where `security` is one of the SASL ones."""
    username: str | None = None
    """Of SASL."""
    password: SecretStr | None = None
    """Of SASL."""
    ca_file: Path | None = None
    """PEM file of the certificate authority; the system's where absent."""
    cert_file: Path | None = None
    """PEM file of the client certificate (mutual TLS)."""
    key_file: Path | None = None
    """PEM file of the client certificate's key; absent where it is in `cert_file`."""
    request_timeout_ms: Annotated[int, Field(ge=1000, le=120_000)] = 15_000
    """Milliseconds a request to a broker may take."""
    session_timeout_ms: Annotated[int, Field(ge=6_000, le=300_000)] = 30_000
    """Milliseconds without a heartbeat after which a member loses its partitions."""

    @field_validator("ca_file", "cert_file", "key_file")
    @classmethod
    def _is_there(cls, value: Path | None) -> Path | None:
        """What OpenSSL says of a file that is missing does not name it."""
        if value is not None and not value.is_file():
            raise ValueError(f"{value} is no file")
        return value

    @model_validator(mode="after")
    def _sasl_needs_credentials(self) -> "KafkaSettings":
        if self.security.startswith("SASL") and (self.username is None or self.password is None):
            raise ValueError("SASL needs a username and a password")
        return self


class Connection(BaseSettings):
    """Which Kafka. `BATON_KAFKA__BOOTSTRAP` sets `kafka.bootstrap`, and so on."""

    model_config = SettingsConfigDict(env_prefix="BATON_", env_nested_delimiter="__", frozen=True, extra="ignore")

    kafka: KafkaSettings = KafkaSettings()


class ServiceSettings(Connection):
    """Base of every service's settings."""

    dead_letter_key: SecretStr
    """Base64 of 32 bytes: dead letters are encrypted with it (AES-256-GCM). Shared by all services."""
    log_level: logs.Level = "INFO"
    """Least grave of what is logged."""
    drain_s: Annotated[float, Field(ge=0, le=120)] = 20.0
    """Seconds a service may take to finish what it holds when it is asked to stop."""

    @field_validator("dead_letter_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        aes_key(value.get_secret_value())
        return value


class StatefulSettings(ServiceSettings):
    database_url: Annotated[str, Field(pattern=r"^(sqlite\+aiosqlite|postgresql\+asyncpg)://")]
    """SQLAlchemy URL of the service's own database, e.g. `sqlite+aiosqlite:///var/ingest.db`."""


T = TypeVar("T", bound=BaseSettings)


def load(settings: type[T], **given: Any) -> T:
    """The settings from the environment and `given`. Raises `WrongSettings` naming what is wrong."""
    try:
        return settings(**given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{settings.model_config.get('env_prefix', '')}{'__'.join(map(str, e['loc'])).upper()}: {e['msg']}"
            for e in error.errors(include_input=False, include_url=False)
        )
        raise WrongSettings(f"baton: wrong settings: {wrong}") from None
    except SettingsError as error:  # a value that should be JSON and is not
        raise WrongSettings(f"baton: wrong settings: {error}") from None
