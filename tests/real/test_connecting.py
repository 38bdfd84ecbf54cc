"""A gateway and a desk of other people, who know the AsyncAPI document alone, on the running line."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.real.checker import check
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
        threading.Thread(target=self._listen, daemon=True).start()

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

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


Run = Callable[..., Program]


@pytest.fixture
def run(stage: Stage) -> Iterator[Run]:
    """`run("gateway", "--conversation", "1")` against the stage's Kafka."""
    with ExitStack() as stack:

        def started(name: str, *arguments: str) -> Program:
            program = Program(name, stage.kafka.bootstrap, *arguments)
            stack.callback(program.kill)
            return program

        yield started


@pytest.fixture(scope="module")
def line(stage: Stage) -> Stage:
    stage.start_all()
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


def number_of(desk: Program, subject: str) -> str:
    """Under which number the desk lists a conversation; other tests left some open."""
    desk.type("list")
    found = re.match(r"\[(\d+)\]", desk.says(rf"^\[\d+\] .* {subject}  "))
    assert found is not None
    return found[1]


def test_shoppers_of_two_gateways_and_the_agents_of_two_desks(line: Stage, run: Run) -> None:
    """Both gateways number their conversations from 1."""
    shopfront = run("gateway", "--gateway", "shopfront", "--conversation", "1")
    chatapp = run("gateway", "--gateway", "chatapp", "--conversation", "1", "--store", "de", "--locale", "de_DE")
    ann = run("desk", "--desk", "first", "--agent", "ann")
    ben = run("desk", "--desk", "second", "--agent", "ben")

    shopfront.type("How much is the Stormglass Rain Jacket?")
    chatapp.type("Was kostet Stormglass Rain Jacket?")
    assert re.search(r"\d+\.\d\d USD|\$\d+\.\d\d", shopfront.says("Stormglass"))
    assert re.search(r"\d+[.,]\d\d (EUR|€)", chatapp.says("Stormglass"))

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
    shopfront.type("thank you, that was all")
    ann.type(f"resolve {number_of(ann, 'shopfront:1')}")
    ann.says(r"^shopfront:1 is closed here \(EscalationResolved\)$")

    assert shopfront.leave() == 0
    assert chatapp.leave() == 0
    assert not [said for said in chatapp.said if "Ann" in said]
    for desk in (ann, ben):
        desk.type("quit")
        assert desk.leave() == 0
    for gateway in ("shopfront", "chatapp"):
        report = check(line.settle(None, gateway), sent=None)
        assert report.problems == []
        assert report.counts["turns"] >= 1


def test_a_gateway_whose_broker_was_away(line: Stage, run: Run) -> None:
    gateway = run("gateway", "--gateway", "patient", "--conversation", "1")
    gateway.type("How many days do I have to return something I don't like?")
    gateway.says(r"^shop> .*\d+ days")
    with away(line):
        gateway.type("How much is the Larch Two-Person Tent?")
        time.sleep(4)  # less than the ten seconds after which the gateway would say that it is not sent
    gateway.says("Larch.*[0-9]+[.][0-9][0-9]")
    assert gateway.leave() == 0
    assert len([said for said in gateway.said if said.startswith("shop> ")]) == 2


# --- the document that they are written from ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def errors_of() -> Callable[[Any], list[str]]:
    """The errors that AsyncAPI's own parser finds."""

    @contextmanager
    def there() -> Iterator[None]:
        asyncapi.parser()
        yield

    with ExitStack() as stack:
        entered(stack, there())
    return lambda document: asyncapi.errors(json.dumps(document))


def test_the_document_is_asyncapi(errors_of: Callable[[Any], list[str]]) -> None:
    assert errors_of(json.loads(DOCUMENT)) == []


def test_a_document_that_is_none_is_noticed(errors_of: Callable[[Any], list[str]]) -> None:
    astray, unversioned = json.loads(DOCUMENT), json.loads(DOCUMENT)
    name = next(iter(astray["operations"]))
    astray["operations"][name]["channel"]["$ref"] = "#/channels/nowhere"
    del unversioned["info"]["version"]
    assert any("nowhere" in error or name in error for error in errors_of(astray))
    assert any("version" in error for error in errors_of(unversioned))
