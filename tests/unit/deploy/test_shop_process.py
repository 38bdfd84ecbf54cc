"""The sandbox shop as a process of its own."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from services.lib.kit.service import utc_now
from services.lib.kit.settings import WrongSettings
from services.lib.shop.identity import verify_identity
from services.lib.shop.sandbox import serve
from tests.unit.deploy.files import ROOT

TOKEN, KEY = secrets.token_hex(16), secrets.token_hex(32)
COMMAND = [sys.executable, "-m", "services.lib.shop.sandbox.serve"]


def clean(**given: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BATON_")} | given


@pytest.fixture(scope="module")
def shop() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603
        [*COMMAND, "--host", "127.0.0.1", "--port", str(port)],
        cwd=ROOT,
        env=clean(BATON_SANDBOX_TOKEN=TOKEN, BATON_SANDBOX_IDENTITY_KEY=KEY),
        stderr=subprocess.PIPE,
    )
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"{url}/sandbox/health").raise_for_status()
            break
        except httpx.TransportError:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, "the shop did not come up"
            time.sleep(0.05)
    try:
        yield process, url
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_it_answers_whom_it_knows_and_ends_when_it_is_asked_to(shop: tuple[subprocess.Popen[bytes], str]) -> None:
    process, url = shop
    views = f"{url}/rest/V1/store/storeViews"
    assert httpx.get(views).status_code == 401
    found = httpx.get(views, headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert {"default", "de"} <= {view["code"] for view in found}

    body = {"customer_id": 1}
    signed = httpx.post(f"{url}/sandbox/identity", json=body, headers={"Authorization": f"Bearer {TOKEN}"}).json()
    proven = verify_identity(signed["token"], KEY, utc_now())
    assert proven is not None
    assert proven.customer_id == 1

    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "BATON_SANDBOX_TOKEN"),
        ({"BATON_SANDBOX_TOKEN": "", "BATON_SANDBOX_IDENTITY_KEY": KEY}, "BATON_SANDBOX_TOKEN"),
        ({"BATON_SANDBOX_TOKEN": TOKEN}, "BATON_SANDBOX_IDENTITY_KEY"),
        ({"BATON_SANDBOX_TOKEN": TOKEN, "BATON_SANDBOX_IDENTITY_KEY": "short"}, "BATON_SANDBOX_IDENTITY_KEY"),
    ],
)
def test_it_does_not_start_without_its_secrets(
    given: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BATON_SANDBOX_TOKEN", "BATON_SANDBOX_IDENTITY_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettings, match=named) as caught:
        serve.main([])
    # A SystemExit with a sentence: Python prints it and ends with status 1.
    assert "\n" not in str(caught.value.code)
    assert TOKEN not in str(caught.value.code)


def test_a_port_that_is_taken_ends_it_with_status_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(  # noqa: S603
            [*COMMAND, "--port", str(taken.getsockname()[1])],
            cwd=ROOT,
            env=clean(BATON_SANDBOX_TOKEN=TOKEN, BATON_SANDBOX_IDENTITY_KEY=KEY),
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 1
    assert "address already in use" in done.stderr
