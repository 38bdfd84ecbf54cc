"""`baton up` and, in another terminal, the commands that talk to it: one line for all, since it takes seconds."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BATON = [sys.executable, "-m", "services.cli.main"]


def start(folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    return subprocess.Popen(  # noqa: S603
        [*BATON, *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Terminal:
    """A program and what it has printed so far."""

    def __init__(self, process):
        self.process, self.shown = process, ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.shown += line

    def type(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def wait_for(self, text, within_s=60.0):
        end = time.monotonic() + within_s
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            assert self.process.poll() is None, self.shown
            time.sleep(0.05)

    def ended(self, within_s=60.0):
        """The exit status."""
        status = self.process.wait(within_s)
        self._reader.join(5)
        self.process.stdin.close()
        self.process.stdout.close()
        return status


def reuse_index(folder):
    """The index that an earlier start left in the repository, where there is one: making it takes long."""
    made = ROOT / "var" / "sandbox-index.db"
    (folder / "var").mkdir()
    if made.is_file():
        with (
            contextlib.closing(sqlite3.connect(made)) as source,
            contextlib.closing(sqlite3.connect(folder / "var" / made.name)) as copy,
        ):
            source.backup(copy)


@pytest.fixture
def line(tmp_path):
    reuse_index(tmp_path)
    terminal = Terminal(start(tmp_path, "up"))
    yield terminal
    if terminal.process.poll() is None:
        terminal.process.kill()
        terminal.ended()


def test_a_line_is_talked_to_and_ends_without_a_trace(line, tmp_path):
    line.wait_for("Talk to it with baton chat", within_s=100)
    running = tmp_path / "var" / "line.json"
    assert running.stat().st_mode & 0o777 == 0o600

    shopper = Terminal(start(tmp_path, "chat"))
    shopper.wait_for("/human asks for a person")
    shopper.type("let me talk to a person")
    shopper.wait_for("baton  ", within_s=20)
    shopper.type("/quit")
    assert shopper.ended() == 0
    assert "Traceback" not in shopper.shown

    letters = Terminal(start(tmp_path, "dlq", "list"))
    assert (letters.ended(), letters.shown) == (0, "0 dead letters\n")

    line.process.send_signal(signal.SIGTERM)
    assert line.ended() == 0
    assert not running.exists()
    assert "Traceback" not in line.shown

    nobody = Terminal(start(tmp_path, "chat"))
    assert nobody.ended() == 1
    assert nobody.shown.startswith("baton: no line is running here")
