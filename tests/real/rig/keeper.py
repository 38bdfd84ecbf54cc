"""Ends what its owner left running: a process of its own that outlives the owner by as long as that takes.

Run with its standard input a pipe from the owner. Each line there is `hold PID SIGNAL`, `release PID`, `folder PATH`
or `forget PATH`; the end of the input, which no way of dying can prevent, is the order to clean up. PR_SET_PDEATHSIG
would be shorter and wrong: it fires when the thread that started the child ends, and pytest has such threads.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

PATIENCE_S = 15.0


def _alive(pid: int) -> bool:
    """Whether it runs; one that ended and that nobody has waited for yet (a zombie) does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _send(pid: int, sent: int) -> None:
    """Children lead their own process groups, so that this reaches what they started too."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, sent)


def clean_up(held: dict[int, int], folders: set[str]) -> None:
    for pid, sent in held.items():
        _send(pid, sent)
        _send(pid, signal.SIGCONT)  # a paused process hears no other signal than SIGKILL
    deadline = time.monotonic() + PATIENCE_S
    while any(map(_alive, held)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in filter(_alive, held):
        _send(pid, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    held: dict[int, int] = {}
    folders: set[str] = set()
    for line in sys.stdin:
        match line.rstrip("\n").split(" ", 1):
            case ["hold", rest]:
                pid, sent = map(int, rest.split())
                held[pid] = sent
            case ["release", pid]:
                held.pop(int(pid), None)
            case ["folder", path]:
                folders.add(path)
            case ["forget", path]:
                folders.discard(path)
    clean_up(held, folders)


if __name__ == "__main__":
    main()
