"""`RouterAlone`: the escalation router without the rest of the line, fed what the others would have published."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.real.checker import Report, check, outstanding
from tests.real.checker.log import Log
from tests.real.router_inputs import Ready, publish
from tests.real.stage import DATABASES, Process, Stage

ROUTER = "escalation-router"


@dataclass(frozen=True)
class RouterAlone:
    """One gateway's conversations, which no other test has."""

    stage: Stage
    gateway: str

    def start(self, *, fault: str | None = None, bug: str | None = None, wait: bool = True) -> Process:
        return self.stage.start(ROUTER, fault=fault, bug=bug, wait=wait)

    def publish(self, records: Iterable[Ready]) -> None:
        publish(self.stage.kafka.bootstrap, records)

    def settled(self, within_s: float) -> Log:
        """The log once every turn is decided with all its effects, or as it is after `within_s`."""
        return self.stage.settle(None, self.gateway, briefs=False, within_s=within_s)

    def report(self, within_s: float) -> Report:
        """What the checker says once the router has settled, and a second later: nothing may follow that."""
        self.settled(within_s)
        time.sleep(1.0)
        return check(self.stage.log_of(self.gateway), sent=None, briefs=False, no_unavailable_with_answer=True)

    def rows(self, table: str, where: str = "true") -> int:
        """How many rows of these conversations the router has in a table."""
        counted = f"SELECT count(*) FROM {table} WHERE key LIKE '{self.gateway}:%' AND {where}"  # noqa: S608
        ((found,),) = self.stage.postgres.query(f"{self.stage.prefix}_{DATABASES[ROUTER]}", counted)
        return int(found or 0)

    def outstanding(self) -> int:
        return outstanding(self.stage.log_of(self.gateway), None, briefs=False)


def until(true: Callable[[], bool], within_s: float) -> bool:
    """Whether it came to pass in time."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
