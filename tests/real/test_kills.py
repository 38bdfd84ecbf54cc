"""Every service killed at every point where it could lose or repeat something, while shoppers write."""

import time
from collections.abc import Callable

import pytest

from tests.real.checker import check
from tests.real.desk import Desk
from tests.real.load import Load
from tests.real.stage import Reviver, Stage

pytestmark = pytest.mark.timeout(420)

FOLD = ("handler:5", "after_commit:5", "after_publish:9", "before_offsets:6", "relay:1", "timer:2")
WINDOW = ("handler:7", "after_publish:12", "before_offsets:4")
FAULTS = {
    "ingest": ("timer:1", *FOLD[:-1]),  # first, while nobody has replied yet: its timer waits for replies
    "escalation-router": FOLD,
    "sentiment": WINDOW,
    "retrieval-answer": WINDOW,
    "copilot-drafter": ("handler:3", "after_publish:4", "before_offsets:3"),
}


SLICE = 90
"""Messages between one death and the next: enough for every fault to come to pass."""


def test_killed_everywhere_while_500_messages_of_100_conversations_flow(stage: Stage) -> None:
    stage.empty()
    load = Load(stage.kafka.bootstrap, 100, 500, gateway="kills")
    revivers = {name: Reviver(stage, name, faults) for name, faults in FAULTS.items()}
    with Desk(stage.kafka.bootstrap):
        while load.remaining:
            until(lambda: all(one.ready for one in revivers.values()), within_s=60)
            waiting = [one for one in revivers.values() if not one.done]
            load.send(SLICE, rate=30)
            until(lambda these=waiting: not any(one.ready for one in these), within_s=5)
        until(lambda: all(one.done for one in revivers.values()), within_s=60)
        log = stage.settle(load.sent, "kills")
    for one in revivers.values():
        one.finish()
    report = check(log, sent=load.sent)
    print(report)
    for name, one in revivers.items():
        worked, again = one.begun_again
        print(f"{name}: {len(one.died)} kills, {worked} events worked on, {again} begun again")
    assert report.problems == []
    for name, one in revivers.items():
        assert one.failed is None
        assert tuple(one.died) == FAULTS[name], f"{name} did not come to all its faults"


def until(true: Callable[[], bool], within_s: float) -> None:
    """Wait for it, but no longer: what did not come to pass is seen afterwards."""
    end = time.monotonic() + within_s
    while not true() and time.monotonic() < end:
        time.sleep(0.2)
