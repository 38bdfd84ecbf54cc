"""`Forked`: one service as a process that need not import everything anew.

A start of `baton up --service` takes four seconds of a processor, nearly all of it imports, and a test that kills
processes starts dozens. These are forked from a process that has the modules and nothing else (multiprocessing's
forkserver): no client, no thread, no loop. From there on they are as any other: a session, a pid, a log of their own.
"""

import ctypes
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from services.cli.deployables import ServiceName

_PR_SET_PDEATHSIG = 1
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["tests.real.faults", *(f"{name.package}.app" for name in ServiceName)])


class Forked:
    """What the tests need of a `subprocess.Popen`."""

    def __init__(self, arguments: list[str], log: Path, environment: Mapping[str, str]) -> None:
        """`arguments` are those of `tests.real.faults`."""
        self._process = _server.Process(target=_serve, args=(arguments, str(log), dict(environment)), daemon=True)
        self._process.start()
        self._asking = threading.Lock()
        """The status comes through a pipe once, and a test and its `Reviver` both ask for it."""
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        with self._asking:
            return self._process.exitcode

    def wait(self, timeout: float = math.inf) -> int:
        until = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout)
            time.sleep(0.02)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _serve(arguments: list[str], log: str, environment: dict[str, str]) -> None:
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # its parent, of one thread, ends with the tests
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(environment)
    from tests.real.faults import main

    sys.exit(main(arguments))
