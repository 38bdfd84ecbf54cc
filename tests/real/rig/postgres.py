"""PostgreSQL on loopback.

`with postgres() -> Postgres` in tests, `python -m tests.real.rig.postgres` for people. Debian's own server, its data
in a folder in /tmp that is removed at the end. It refuses to run as root, so root runs it as `postgres` or `nobody`.
"""

import csv
import io
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.real.rig import Missing
from tests.real.rig.children import Child, ask, end, exits_on_signals, scratch, spawn, tail, until_signalled
from tests.real.rig.ports import free_ports

USER = "baton"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # A crash of the operating system may lose the data, and the data is a test's. A killed server loses none:
    # what it wrote is in the kernel's hands.
    "fsync": "off",
    "full_page_writes": "off",
    # What a failing test wants to see, and no statement of those that go well.
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
    "log_lock_waits": "on",
    "log_line_prefix": "%m [%p] %a %d ",
}
_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def binaries() -> Path:
    """The folder of the newest server installed. Raises `Missing`."""
    found = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "initdb").exists()]
    if found:
        return max(found, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0))
    on_path = shutil.which("initdb")
    if on_path is None:
        raise Missing("PostgreSQL is not installed: the real PostgreSQL is skipped.")
    return Path(on_path).resolve().parent


def _runs_as() -> str | None:
    """The user to run the server as; None for this one."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)


@dataclass
class Postgres:
    """A server. Databases are named by plain identifiers: lower-case letters, digits and `_`."""

    port: int
    folder: Path
    user: str = USER
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    _child: Child | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://{self.user}:{self.password}@127.0.0.1:{self.port}/{_plain(database)}"

    def create(self, name: str) -> None:
        """Make an empty database."""
        self.query("postgres", f"CREATE DATABASE {_plain(name)}")

    def drop(self, name: str) -> None:
        """Drop the database where it exists, ending the connections that use it."""
        self.query("postgres", f"DROP DATABASE IF EXISTS {_plain(name)} WITH (FORCE)")

    def query(self, database: str, sql: str) -> list[tuple[str | None, ...]]:
        """The rows that `sql` returns, as text; None is NULL. Raises RuntimeError with what psql said."""
        null = secrets.token_hex(16)  # a text no row holds
        command: list[str | Path] = [
            binaries() / "psql",
            "-X",
            "-q",
            "-t",
            "--csv",
            "-v",
            "ON_ERROR_STOP=1",
            "-P",
            f"null={null}",
        ]
        address: list[str | Path] = [
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            self.user,
            "-d",
            database,
            "-c",
            sql,
        ]
        done = ask([*command, *address], env={"PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "5"})
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        rows = csv.reader(io.StringIO(done.stdout, newline=""))
        return [tuple(None if value == null else value for value in row) for row in rows]

    def start(self) -> None:
        """Start the server and wait until it answers; nothing where it runs."""
        if self.running:
            return
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self._child = spawn(
            [binaries() / "postgres", "-D", self.folder / "data", "-p", str(self.port), *settings],
            self.log,
            cwd=self.folder,
            user=_runs_as(),
            last_signal=signal.SIGQUIT,  # its backends are in sessions of their own: it ends them itself
        )
        self._wait(60.0)

    def _wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.query("postgres", "SELECT 1")
            except RuntimeError as away:
                if not self.running:
                    raise RuntimeError(f"PostgreSQL ended by itself:\n{tail(self.log)}") from away
                if time.monotonic() > deadline:
                    raise TimeoutError(f"PostgreSQL: {away} after {timeout_s:g} s:\n{tail(self.log)}") from away
                time.sleep(0.05)
            else:
                return

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """`fast` rolls back what is open and ends in order; `immediate` is a crash: the next start recovers."""
        if self._child is not None:
            end(self._child, _SIGNALS[mode])
            self._child = None

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop and start; the port and the data stay."""
        self.stop(mode)
        self.start()


def _plain(name: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise ValueError(f"not a plain database name: {name!r}")
    return name


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server, ready, with no database but its own. Raises `Missing`."""
    programs, runs_as = binaries(), _runs_as()
    with scratch("baton-postgres-", runs_as) as folder:
        server = Postgres(free_ports(1)[0], folder)
        secret = folder / "password"
        secret.write_text(server.password)
        if runs_as is not None:
            shutil.chown(secret, runs_as)
        place: list[str | Path] = ["-D", folder / "data", "-U", server.user, "--pwfile", secret]
        form = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        done = ask([programs / "initdb", *place, *form], cwd=folder, user=runs_as)
        if done.returncode != 0:
            raise RuntimeError(f"initdb: {done.stderr.strip()}")
        try:
            server.start()
            yield server
        finally:
            server.stop("immediate")


def main() -> None:
    exits_on_signals()
    with suppress(KeyboardInterrupt), postgres() as server:
        psql = f"PGPASSWORD={server.password} psql -h 127.0.0.1 -p {server.port} -U {server.user} postgres"
        print(json.dumps({"url": server.url("postgres"), "psql": psql, "folder": str(server.folder)}), flush=True)
        until_signalled()


if __name__ == "__main__":
    main()
