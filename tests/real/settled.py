"""`settled`: the topics once the line has done all that there was to do."""

import time
from collections.abc import Callable

from tests.real.checker import Log, Sent, outstanding
from tests.real.topics import read_all


def settled(
    bootstrap: str,
    sent: Sent | Callable[[], Sent] | None,
    *,
    within_s: float,
    quiet_s: float = 2.0,
    briefs: bool = True,
) -> Log:
    """The log, once nothing is outstanding and for `quiet_s` seconds nothing more was written. `sent` as a function
    is asked each time. Raises `TimeoutError`, with what is outstanding, after `within_s` seconds."""
    until = time.monotonic() + within_s
    records, since = -1, time.monotonic()
    while True:
        log = read_all(bootstrap)
        left = outstanding(log, sent() if callable(sent) else sent, briefs=briefs)
        now = time.monotonic()
        if len(log.records) != records:
            records, since = len(log.records), now
        if not left and now - since >= quiet_s:
            return log
        if now > until:
            raise TimeoutError(f"after {within_s:.0f} s {left} things are outstanding, in {records} records")
        time.sleep(0.5)
