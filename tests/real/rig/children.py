"""Child processes that never outlive the process that started them, however it ends.

Every child leads its own session, so that Ctrl-C in a terminal reaches the owner alone, which then stops its children
in order. A keeper process (keeper.py) ends them where the owner could not.
"""

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

Child = subprocess.Popen[bytes]

_lock = threading.Lock()
_keeper: subprocess.Popen[bytes] | None = None


def _tell(order: str) -> None:
    global _keeper
    with _lock:
        if _keeper is None:
            script = Path(__file__).with_name("keeper.py")
            _keeper = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", str(script)], stdin=subprocess.PIPE, cwd="/", start_new_session=True
            )
            atexit.register(_dismiss, _keeper)
        assert _keeper.stdin is not None
        _keeper.stdin.write(f"{order}\n".encode())
        _keeper.stdin.flush()


def _dismiss(keeper: subprocess.Popen[bytes]) -> None:
    assert keeper.stdin is not None
    keeper.stdin.close()
    keeper.wait()


def spawn(
    command: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    last_signal: signal.Signals = signal.SIGKILL,
) -> Child:
    """Start a child; both its outputs are appended to `log`, its input is empty.

    `env` is added to this process's environment. `user`: run as this user and its own group, which only root can ask
    for. `last_signal`: what ends the child when
    this process dies without having stopped it.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
            start_new_session=True,
            **_run_as(user),
        )
    _tell(f"hold {child.pid} {int(last_signal)}")
    return child


def ask(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever its status, and return that with what it printed."""
    return subprocess.run(  # noqa: S603
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=None if env is None else {**os.environ, **env},
        **_run_as(user),
    )


def _run_as(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def end(child: Child, sent: signal.Signals = signal.SIGTERM, timeout_s: float = 60.0) -> int:
    """Send `sent` to the child, wait until it ended, and return its exit status; SIGKILL after `timeout_s`.

    A paused child is resumed, since it would not hear the signal. SIGKILL goes to its whole process group.
    """
    if child.poll() is None:
        if sent is signal.SIGKILL:
            kill_group(child)
        else:
            child.send_signal(sent)
            child.send_signal(signal.SIGCONT)
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            kill_group(child)
    status = child.wait()
    _tell(f"release {child.pid}")
    return status


def kill_group(child: Child) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


@contextlib.contextmanager
def scratch(prefix: str, user: str | None = None) -> Iterator[Path]:
    """A new folder in /tmp that `user` owns, removed at the end, by the keeper if need be."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))  # a pytest folder is closed to `user`
    _tell(f"folder {folder}")
    try:
        if user is not None:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _tell(f"forget {folder}")


def tail(log: Path, lines: int = 30) -> str:
    """The last lines of a log, for an error message."""
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:]) if log.exists() else f"no log at {log}"


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def exits_on_signals() -> None:
    """SIGTERM and SIGINT end the program as Ctrl-C does, so that every `with` and `finally` runs."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # a shell starts a program behind `&` with SIGINT ignored


def until_signalled() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            signal.pause()
