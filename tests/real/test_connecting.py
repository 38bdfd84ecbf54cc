"""A gateway and a desk of other people, who know the AsyncAPI document alone, on the running line."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.real.checker import Said, Sent, check
from tests.real.conftest import entered
from tests.real.rig import asyncapi
from tests.real.stage import ROOT, Stage

pytestmark = pytest.mark.timeout(240)

PATIENCE_S = 30.0
DOCUMENT = (ROOT / "schemas" / "asyncapi.json").read_text("utf-8")


class Program:
    """An example as a process: typed to, and listened to. Its input ends with this process, and so does it."""

    def __init__(self, name: str, *arguments: str) -> None:
        script = str(ROOT / "docs" / "examples" / f"{name}.py")
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self.said: list[str] = []
        self._read = 0
        self._ear = threading.Thread(target=self._listen, daemon=True)
        self._ear.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(line.rstrip("\n"))

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def says(self, what: str, within_s: float = PATIENCE_S) -> str:
        """The next line in which the pattern `what` is found."""
        until = time.monotonic() + within_s
        while True:
            while self._read < len(self.said):
                line = self.said[self._read]
                self._read += 1
                if re.search(what, line):
                    return line
            if time.monotonic() > until:
                raise AssertionError(f"did not say {what!r}, but: {self.said}")
            time.sleep(0.05)

    def leave(self) -> int:
        """End its input; the exit status."""
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            self._process.stdin.close()
        return self._process.wait(PATIENCE_S)

    def end(self) -> None:
        """However it stands."""
        self._process.kill()
        self._ear.join()
        with self._process:  # closes both pipes
            pass


Run = Callable[..., Program]


@pytest.fixture
def run(stage: Stage) -> Iterator[Run]:
    """`run("gateway", "--conversation", "1")` against the stage's Kafka."""
    with ExitStack() as stack:

        def started(name: str, *arguments: str) -> Program:
            program = Program(name, stage.kafka.bootstrap, *arguments)
            stack.callback(program.end)
            return program

        yield started


@pytest.fixture
def whole(stage: Stage) -> Stage:
    stage.whole()
    return stage


@contextmanager
def away(stage: Stage) -> Iterator[None]:
    """Kafka's broker stands still meanwhile."""
    (broker,) = stage.kafka.nodes
    broker.pause()
    try:
        yield
    finally:
        broker.resume()


def sent_by(gateway: str, stage: Stage) -> Sent:
    """What the gateway published, as Kafka has it."""
    sent = Sent()
    for record in stage.log_of(gateway).records:
        if record.short == "chat.inbound":
            event = json.loads(record.value or b"")
            said = Said(event["type"], event["data"].get("message_id"), event["source"], event["id"])
            sent.conversations.setdefault(event["subject"], []).append(said)
    return sent


def number_of(desk: Program, subject: str) -> str:
    """Under which number the desk lists a conversation; other tests left some open."""
    desk.type("list")
    found = re.match(r"\[(\d+)\]", desk.says(rf"^\[\d+\] .* {subject}  "))
    assert found is not None
    return found[1]


def test_shoppers_of_two_gateways_and_the_agents_of_two_desks(whole: Stage, run: Run) -> None:
    """Both gateways number their conversations from 1."""
    shopfront = run("gateway", "--gateway", "shopfront", "--conversation", "1")
    chatapp = run("gateway", "--gateway", "chatapp", "--conversation", "1", "--store", "de", "--locale", "de_DE")
    ann = run("desk", "--desk", "first", "--agent", "ann")
    ben = run("desk", "--desk", "second", "--agent", "ben")

    shopfront.type("How much is the Stormglass Rain Jacket?")
    chatapp.type("Was kostet Stormglass Rain Jacket?")
    assert re.search(r"\d+\.\d\d USD|\$\d+\.\d\d", shopfront.says("Stormglass"))
    assert re.search(r"\d+[.,]\d\d\s?(EUR|€)", chatapp.says("Stormglass"))

    shopfront.type("I want to talk to a human")
    shopfront.says(r"^shop> ")
    for desk in (ann, ben):
        desk.says(r"^new: shopfront:1 \(human_request, ")
    ann.says("^brief for shopfront:1: ")
    ann.type(f"claim {number_of(ann, 'shopfront:1')}")
    ann.says("^shopfront:1 is with ann$")
    ben.says("^shopfront:1 is with ann$")
    ben.type(f"claim {number_of(ben, 'shopfront:1')}")
    ben.says(r"^REFUSED: claim of shopfront:1 \(not_queued\); it is with ann$")

    ann.type(f"show {number_of(ann, 'shopfront:1')}")
    ann.says("^customer> I want to talk to a human$")
    ann.type(f"reply {number_of(ann, 'shopfront:1')} Grüße, this is Ann. 🎁")
    shopfront.says("^ann> Grüße, this is Ann. 🎁$")
    ann.type(f"resolve {number_of(ann, 'shopfront:1')}")
    ann.says(r"^shopfront:1 is closed here \(EscalationResolved\)$")

    assert shopfront.leave() == 0
    assert chatapp.leave() == 0
    assert not [said for said in chatapp.said if "Ann" in said]
    for desk in (ann, ben):
        desk.type("quit")
        assert desk.leave() == 0
    for gateway, turns in (("shopfront", 2), ("chatapp", 1)):
        sent = sent_by(gateway, whole)
        report = check(whole.settle(sent, gateway), sent=sent)
        assert report.problems == []
        assert report.counts["turns"] == turns


def test_a_gateway_whose_broker_was_away(whole: Stage, run: Run) -> None:
    gateway = run("gateway", "--gateway", "patient", "--conversation", "1")
    gateway.type("How many days do I have to return something I don't like?")
    gateway.says("within 30 days of delivery")
    with away(whole):
        gateway.type("How much is the Larch Two-Person Tent?")
        time.sleep(4)  # less than the ten seconds after which the gateway would say that it is not sent
    gateway.says("Larch.*[0-9]+[.][0-9][0-9]")
    assert gateway.leave() == 0
    said = [line for line in gateway.said if line.startswith("shop> ")]
    assert len(said) == len(set(said)) >= 2


# --- the document that they are written from ---------------------------------------------------------------------


@contextmanager
def node() -> Iterator[None]:
    asyncapi.parser()
    yield


def test_the_document_is_asyncapi_and_one_that_is_none_would_be_noticed() -> None:
    astray, unversioned = json.loads(DOCUMENT), json.loads(DOCUMENT)
    operation = next(iter(astray["operations"].values()))
    operation["channel"]["$ref"] = "#/channels/nowhere"
    del unversioned["info"]["version"]
    with ExitStack() as stack:
        entered(stack, node())
        ours, *broken = asyncapi.errors(DOCUMENT, json.dumps(astray), json.dumps(unversioned))
    assert ours == []
    assert any("nowhere" in error for error in broken[0])
    assert any("version" in error for error in broken[1])
