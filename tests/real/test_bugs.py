"""The checker finds bugs: each planted in the router, in a scene that the sound router comes through without a fault.

What it finds is named: a checker that complains about anything at all would pass no less.
"""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.real.router_alone import RouterAlone, until
from tests.real.router_inputs import MESSAGES, Ready, router_inputs
from tests.real.stage import Stage

pytestmark = pytest.mark.timeout(240)

CONVERSATIONS = 60
MEMBERS = 5
"""Does not divide the 12 partitions of a topic: dealt out in turn, none of a number come to the same member."""

Scene = Callable[[str, str | None], list[str]]
"""From a fault and a bug to the checker's problems."""


@pytest.fixture(scope="module")
def killed(bare_stage: Stage) -> Scene:
    """A router that dies by the fault and is started again, over two turns and one word of feedback a
    conversation.

    With a bug it may not come to the fault; then it goes on. The sound run of each fault is shared.
    """
    sound: dict[str, list[str]] = {}

    def run(fault: str, bug: str | None) -> list[str]:
        if bug is None and fault in sound:
            return sound[fault]
        line = RouterAlone(bare_stage, f"{bug or 'sound'}-{fault.partition(':')[0]}")
        turns = router_inputs(
            CONVERSATIONS, 2, spread=timedelta(seconds=5), now=datetime.now(UTC), gateway=line.gateway
        )
        line.publish([*turns, *feedback(turns)])  # before it starts: its first batch is a full one
        first = line.start(fault=fault, bug=bug)
        # The relay takes up what is 5 s old; without one nothing dies in it.
        if until(lambda: not first.running, within_s=30 if bug is None else 9):
            assert first.was_killed
            first = line.start(bug=bug)
        else:
            assert bug is not None, f"the sound router did not come to {fault}"
        problems = line.report(within_s=20 if bug is None else 4).problems
        first.stop()
        if bug is None:
            sound[fault] = problems
        return problems

    return run


@pytest.mark.parametrize(
    ("bug", "fault", "signs"),
    [
        ("commit_before_publish", "after_commit:1", ("0 decisions on", "has gaps at", "led to nothing")),
        ("no_relay", "relay:1", ("0 decisions on",)),
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
    assert killed("after_commit:1", None) == []
    found(killed("after_commit:1", "no_inbox"), ("differ, with one id", "FeedbackRecorded"))


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
            router.child.terminate()
        for router in routers:
            router.stop()
        return problems

    assert run("round_robin") == []
    found(run("round_robin_without_locks"), ("ai_unavailable, and Answer",))


def found(problems: list[str], signs: tuple[str, ...]) -> None:
    """Each sign is in a problem, and without them the test shows what there was."""
    print(f"{len(problems)} problems:", *problems[:5], sep="\n")
    for sign in signs:
        assert any(sign in problem for problem in problems), (sign, problems[:20])


def feedback(turns: list[Ready]) -> list[Ready]:
    """One word of feedback in each conversation, after its last turn."""
    last = {one.key: json.loads(one.value) for one in turns if one.topic == MESSAGES}
    return [Ready(MESSAGES, key, json.dumps(_helpful(event)).encode()) for key, event in last.items()]


def _helpful(turn: dict[str, object]) -> dict[str, object]:
    data = turn["data"]
    assert isinstance(data, dict)
    assert isinstance(turn["sequence"], int)
    of_all = ("gateway", "conversation", "store", "language", "bucket", "identity", "owner", "accepted_at")
    return {
        **turn,
        "id": str(uuid.uuid5(uuid.UUID(str(turn["id"])), "feedback")),
        "type": "FeedbackGivenAccepted",
        "dataschema": "urn:baton:schema:chat.messages.v1:FeedbackGivenAccepted",
        "sequence": turn["sequence"] + 1,
        "data": {**{name: data[name] for name in of_all}, "helpful": True},
    }
