"""Prometheus on loopback: `with prometheus(folder, config) -> Prometheus`, and `promtool()`.

Debian's package, installed, or else fetched and unpacked in the cache, which needs no root.
"""

import argparse
import json
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.real.rig import Missing
from tests.real.rig.cache import cached
from tests.real.rig.children import Child, ask, end, exits_on_signals, scratch, spawn, tail, until_signalled
from tests.real.rig.ports import free_ports


def binary(name: str) -> Path:
    """A program of Debian's package `prometheus`. Raises `Missing`."""
    installed = shutil.which(name)
    return Path(installed) if installed else cached("prometheus", _fetch) / "usr" / "bin" / name


def promtool() -> Path:
    """The program that checks rules and configurations. Raises `Missing`."""
    return binary("promtool")


def _fetch(folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Missing("Prometheus is not installed and this is no Debian: the real Prometheus is skipped.")
    done = ask(["apt-get", "-q", "download", "prometheus"], cwd=folder)
    packages = list(folder.glob("prometheus_*.deb"))
    if done.returncode != 0 or not packages:
        said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise Missing(f"apt-get could not fetch Prometheus: the real Prometheus is skipped ({said}).")
    unpacked = ask(["dpkg", "-x", packages[0], folder])
    if unpacked.returncode != 0:
        raise RuntimeError(f"dpkg: {unpacked.stderr.strip()}")
    packages[0].unlink()


@dataclass(frozen=True)
class Prometheus:
    """A server that scrapes. Questions raise RuntimeError where it refuses them, with its words."""

    url: str
    log: Path
    _child: Child

    def query(self, expr: str) -> list[dict[str, Any]]:
        """What an instant query returns now: samples `{"metric": {label: value}, "value": [seconds, "text"]}`.

        An expression that is a scalar or a string is one sample with no labels.
        """
        data = self._get("query", query=expr)
        if data["resultType"] in ("scalar", "string"):
            return [{"metric": {}, "value": data["result"]}]
        samples: list[dict[str, Any]] = data["result"]
        return samples

    def targets(self) -> list[dict[str, Any]]:
        """What it scrapes: `labels`, `scrapeUrl`, `health` ("up", "down", "unknown"), `lastError` and more."""
        active: list[dict[str, Any]] = self._get("targets", state="active")["activeTargets"]
        return active

    def rules(self) -> list[dict[str, Any]]:
        """The rule groups that it loaded, each with its `rules`, their `health` and `lastError`."""
        groups: list[dict[str, Any]] = self._get("rules")["groups"]
        return groups

    def _get(self, what: str, **asked: str) -> dict[str, Any]:
        try:
            with urlopen(f"{self.url}/api/v1/{what}?{urlencode(asked)}", timeout=30) as answer:  # noqa: S310
                data: dict[str, Any] = json.load(answer)["data"]
        except HTTPError as refused:
            with refused:
                raise RuntimeError(json.load(refused).get("error", str(refused))) from refused
        return data

    def _wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            with suppress(URLError, OSError), urlopen(f"{self.url}/-/ready", timeout=5):  # noqa: S310
                return
            if self._child.poll() is not None:
                raise RuntimeError(f"Prometheus ended by itself:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"Prometheus is not ready after {timeout_s:g} s:\n{tail(self.log)}")
            time.sleep(0.05)


@contextmanager
def prometheus(folder: Path, config: str | dict[str, Any]) -> Iterator[Prometheus]:
    """A server, ready, that keeps its configuration and data in `folder`. Raises `Missing`.

    `config` is YAML text or what it decodes to. Paths in it (`rule_files`) count from `folder`.
    """
    program = binary("prometheus")
    folder = folder.absolute()
    settings = folder / "prometheus.yml"
    # JSON is YAML too.
    settings.write_text(config if isinstance(config, str) else json.dumps(config), "utf-8")
    port = free_ports(1)[0]
    log = folder / "prometheus.log"
    options = [f"--config.file={settings}", f"--storage.tsdb.path={folder / 'data'}", "--log.level=warn"]
    child = spawn([program, *options, f"--web.listen-address=127.0.0.1:{port}"], log, cwd=folder)
    try:
        server = Prometheus(f"http://127.0.0.1:{port}", log, child)
        server._wait(60.0)
        yield server
    finally:
        end(child, signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.real.rig.prometheus", description="Prometheus until Ctrl-C."
    )
    parser.add_argument("config", type=Path, help="its configuration, whose paths must be absolute")
    asked = parser.parse_args()
    exits_on_signals()
    with (
        suppress(KeyboardInterrupt),
        scratch("baton-prometheus-") as folder,
        prometheus(folder, asked.config.read_text("utf-8")) as server,
    ):
        print(json.dumps({"url": server.url, "folder": str(folder)}), flush=True)
        until_signalled()


if __name__ == "__main__":
    main()
