"""The sandbox shop as a process of its own, for a line on real parts.

    BATON_SANDBOX_TOKEN=... BATON_SANDBOX_IDENTITY_KEY=... \\
        python -m services.lib.shop.sandbox.serve --host 127.0.0.1 --port 8081

It ends with status 0 where it was asked to, and with 1 where a setting is missing or the port cannot be had.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import uvicorn
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.lib.kit import logs
from services.lib.kit.service import utc_now
from services.lib.kit.settings import load as load_settings
from services.lib.shop.sandbox.app import create_app
from services.lib.shop.sandbox.data import load
from services.lib.shop.sandbox.identity import MIN_KEY_BYTES

_log = logging.getLogger(__name__)


class SandboxSettings(BaseSettings):
    """Neither has a default: a shop whose token is known in advance is open to anyone who reaches it."""

    model_config = SettingsConfigDict(env_prefix="BATON_SANDBOX_", frozen=True, extra="ignore")

    token: Annotated[SecretStr, Field(min_length=1)]
    """Bearer token that opens REST; the services send it as `BATON_SHOP__TOKEN`."""
    identity_key: Annotated[SecretStr, Field(min_length=MIN_KEY_BYTES)]
    """With which shoppers' identities are signed; ingest checks them with the same `BATON_IDENTITY_KEY`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status. Raises `WrongSettings` (a SystemExit) naming what is missing."""
    parser = argparse.ArgumentParser(
        "python -m services.lib.shop.sandbox.serve", description="Serve the sandbox shop."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8081, help="port to listen on")
    options = parser.parse_args(arguments)
    settings = load_settings(SandboxSettings)
    logs.configure()
    app = create_app(
        load(utc_now()),
        token=settings.token.get_secret_value(),
        signing_key=settings.identity_key.get_secret_value(),
    )
    _log.info("the sandbox shop", extra={"fields": {"host": options.host, "port": options.port}})
    server = uvicorn.Server(
        uvicorn.Config(app, host=options.host, port=options.port, log_config=None, access_log=False, lifespan="off")
    )
    # After its shutdown uvicorn raises the signal again, which would end us with the signal's status.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    try:
        server.run()
    except SystemExit:  # uvicorn's own way out where the port cannot be had
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
