"""The folder of what the rig downloads, and how something gets there once and whole."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def cache() -> Path:
    """$BATON_RIG_CACHE, or var/rig in the repository; made where it is missing."""
    folder = Path(os.environ.get("BATON_RIG_CACHE") or REPOSITORY / "var" / "rig").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cached(name: str, fetch: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, filled by `fetch(folder)` where it is not there yet.

    Two processes do not fetch at once (a lock file), and a fetch that fails or is killed leaves no folder `name`
    behind: it is filled under another name and moved into place.
    """
    wanted = cache() / name
    if wanted.is_dir():
        return wanted
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.is_dir():
            filling = Path(tempfile.mkdtemp(prefix=f"{name}.", suffix=".part", dir=cache()))
            try:
                fetch(filling)
                filling.chmod(0o755)
                filling.rename(wanted)
            finally:
                shutil.rmtree(filling, ignore_errors=True)
    return wanted
