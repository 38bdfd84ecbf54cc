"""The checker finds bugs: each planted in the router, in a scene that the sound router comes through without a fault.

What it finds is named: a checker that complains about anything at all would pass no less.
"""

import json
import re
import signal
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.real.router_alone import ROUTER, RouterAlone, until
from tests.real.router_inputs import MESSAGES, Ready, router_inputs
from tests.real.stage import Stage

pytestmark = pytest.mark.timeout(240)

CONVERSATIONS = 40
"""One batch takes them all, with their evidence."""
AFTER_COMMIT, RELAY = "after_commit:1", "relay:1"
MEMBERS = 5
"""Does not divide the 12 partitions of a topic: dealt out in turn, none of a number come to the same member."""

Scene = Callable[[str, str | None], list[str]]
"""From a fault and a bug to the checker's problems."""


@pytest.fixture(autouse=True)
def nobody_left(bare_stage: Stage) -> Iterator[None]:
    """A router that a failed test left would take part in the next."""
    yield
    for router in bare_stage.running(ROUTER):
        router.stop()


@pytest.fixture(scope="module")
def killed(bare_stage: Stage) -> Scene:
    """A router that dies by the fault and is started again. The sound run of each fault is shared."""
    sound: dict[str, list[str]] = {}

    def run(fault: str, bug: str | None) -> list[str]:
        if bug is None and fault in sound:
            return sound[fault]
        line = RouterAlone(bare_stage, f"{bug or 'sound'}-{fault.partition(':')[0]}")
        inputs = router_inputs(
            CONVERSATIONS, 1, spread=timedelta(seconds=1), now=datetime.now(UTC), gateway=line.gateway
        )
        # Before it starts: its first batch is a full one. What follows a decision would publish what was left behind,
        # and nothing would be left to relay.
        line.publish(inputs if fault == RELAY else with_feedback(inputs))
        first = line.start(fault=fault, bug=bug, wait=False)
        # The relay takes up what is 5 s old; without one nothing dies in it.
        died = until(lambda: not first.running, within_s=18 if bug == "no_relay" else 60)
        assert died == (bug != "no_relay")
        if died:
            assert first.was_killed
            first = line.start(bug=bug)
        problems = line.report(within_s=20 if bug is None else 4).problems
        first.stop()
        if bug is None:
            sound[fault] = problems
        return problems

    return run


@pytest.mark.parametrize(
    ("bug", "fault", "signs"),
    [
        ("commit_before_publish", AFTER_COMMIT, ("0 decisions on", "led to nothing")),
        ("no_relay", RELAY, ("0 decisions on",)),
    ],
)
def test_what_is_never_said(killed: Scene, bug: str, fault: str, signs: tuple[str, ...]) -> None:
    """Killed before it published, or refused by Kafka for a moment: the sound router says it later."""
    assert killed(fault, None) == []
    found(killed(fault, bug), signs)


def test_what_is_said_twice(killed: Scene) -> None:
    """Killed before it committed its offsets, the router reads a batch again.

    The turns of the batch are no harm, although nothing is known of them: the router's own state knows how far their
    positions reach. What has no position is counted twice, under one id and two sequences.
    """
    assert killed(AFTER_COMMIT, None) == []
    found(killed(AFTER_COMMIT, "no_inbox"), ("differ, with one id", "FeedbackRecorded"))


def test_two_members_write_one_conversation(bare_stage: Stage) -> None:
    """Five routers whose partitions are dealt out in turn are sound as long as rows are locked, and not without."""

    def run(bug: str) -> list[str]:
        line = RouterAlone(bare_stage, bug)
        routers = [line.start(bug=bug, wait=False) for _ in range(MEMBERS)]
        for router in routers:
            router.wait_ready()
        # Half of a turn's time is gone when it comes: what is lost in between shows soon.
        now = datetime.now(UTC) - timedelta(seconds=15)
        line.publish(router_inputs(200, 2, spread=timedelta(seconds=1), now=now, gateway=bug))
        problems = line.report(within_s=17).problems
        for router in routers:
            router.child.send_signal(signal.SIGTERM)
        for router in routers:
            router.stop()
        return problems

    assert run("round_robin") == []
    # Which of the two shows depends on who wrote last.
    found(run("round_robin_without_locks"), ("ai_unavailable, and Answer|has two events with",))


def found(problems: list[str], signs: tuple[str, ...]) -> None:
    """Each sign is in a problem, and without them the test shows what there was."""
    print(f"{len(problems)} problems:", *problems[:5], sep="\n")
    for sign in signs:
        assert any(re.search(sign, problem) for problem in problems), (sign, problems[:20])


def with_feedback(inputs: list[Ready]) -> list[Ready]:
    """After each turn a word of feedback."""
    return [one for first in inputs for one in ((first, feedback(first)) if first.topic == MESSAGES else (first,))]


def feedback(turn: Ready) -> Ready:
    """The accepted event in which the shopper says that the answer helped."""
    event = json.loads(turn.value)
    of_all = ("gateway", "conversation", "store", "language", "bucket", "identity", "owner", "accepted_at")
    helpful = {
        **event,
        "id": str(uuid.uuid5(uuid.UUID(event["id"]), "feedback")),
        "type": "FeedbackGivenAccepted",
        "dataschema": "urn:baton:schema:chat.messages.v1:FeedbackGivenAccepted",
        "sequence": event["sequence"] + 1,
        "data": {**{name: event["data"][name] for name in of_all}, "helpful": True},
    }
    return Ready(MESSAGES, turn.key, json.dumps(helpful).encode())
