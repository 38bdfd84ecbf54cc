"""`play`: sample conversations through a running line, printed as they happen, and held against what is expected."""

import tomllib
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, model_validator
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.chat import Reply
from schemas.event import Data
from schemas.reasons import Decision, Reason
from schemas.support import BriefPrepared, DecisionMade
from schemas.topics import CHAT_REPLIES, SUPPORT_BRIEFS, SUPPORT_DECISIONS
from services.cli.gateway import Gateway, Heard, gateway
from services.cli.line import Line
from services.lib.kit.service import utc_now
from services.lib.shop.sandbox.identity import sign_identity
from services.lib.shop.sandbox.orders import expand_orders

PACKAGED = Path(__file__).with_name("samples.toml")
PATIENCE_S = 45.0
"""Seconds within which an expected decision or brief must have come."""

TOPICS = (CHAT_REPLIES, SUPPORT_DECISIONS, SUPPORT_BRIEFS)

D = TypeVar("D", bound=Data)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SampleStep(_Part):
    say: str | None = None
    button: Literal["human"] | None = None
    expect: Annotated[list[Decision], Field(min_length=1)]
    reason: Reason | None = None
    brief: bool = False

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if (self.say is None) == (self.button is None):
            raise ValueError("a step says something or presses a button")
        return self


class Sample(_Part):
    title: str
    step: list[SampleStep]
    customer: int | None = None
    """Id of the sandbox customer who is logged in."""
    order_of: int | None = None
    """Whose last order {order} is, where nobody is logged in."""
    store: str = "default"
    locale: str = "en_US"
    page_sku: str | None = None


def load(path: Path = PACKAGED) -> list[Sample]:
    raw = tomllib.loads(path.read_text("utf-8"))
    return [Sample.model_validate(sample) for sample in raw["sample"]]


async def play(
    line: Line, console: Console, samples: list[Sample] | None = None
) -> tuple[list[DecisionMade], list[str]]:
    """Play the samples one after the other. Returns all decisions, and what was not as expected, a sentence each."""
    made: list[DecisionMade] = []
    wrong: list[str] = []
    numbers = _last_orders(line)
    played = uuid4().hex[:8]  # the log may hold conversations of an earlier play
    async with gateway(line.kafka, "sample", *TOPICS) as channel:
        for count, sample in enumerate(samples or load(), start=1):
            console.print(f"\n[bold]{count}. {escape(sample.title)}[/bold]")
            wrong.extend(await _play_one(line, channel, console, sample, f"{played}-{count}", numbers, made))
    return made, wrong


async def _play_one(
    line: Line,
    channel: Gateway,
    console: Console,
    sample: Sample,
    name: str,
    numbers: dict[int, str],
    decided: list[DecisionMade],
) -> list[str]:
    """Play one, adding its decisions to `decided`. What follows a step that went wrong is not played."""
    heard = Heard()
    channel.listen(name, heard)
    whereabouts = _whereabouts(line, sample)
    order = numbers.get(sample.customer or sample.order_of or 0, "")
    shown = 0
    for number, step in enumerate(sample.step, start=1):
        if step.button is not None:
            _say(console, "cyan", "shopper", "(presses “Talk to a person”)")
            await channel.send(name, channel.human_button(name, **whereabouts))
        else:
            said = (step.say or "").replace("{order}", order)
            _say(console, "cyan", "shopper", said)
            await channel.send(name, said, **whereabouts)
        try:
            made = await heard.until(partial(_nth, heard, DecisionMade, number), PATIENCE_S)
            replies = await heard.until(partial(_replies_after, heard, shown), PATIENCE_S)
        except TimeoutError:
            return [f"{sample.title!r}, step {number}: no decision came within {PATIENCE_S:.0f} s"]
        decided.append(made)
        shown += len(replies)
        for reply in replies:
            _say(console, "green", "baton", reply.plain)
        _print_decision(console, made)
        if step.brief:
            try:
                brief = await heard.until(partial(_brief_of, heard, made), PATIENCE_S)
            except TimeoutError:
                return [f"{sample.title!r}, step {number}: no brief came within {PATIENCE_S:.0f} s"]
            _say(console, "yellow", "brief", _told(brief))
        if problem := _held_against(step, made):
            return [f"{sample.title!r}, step {number}: {problem}"]
    return []


def _nth(heard: Heard, type_: type[D], n: int) -> D | None:
    found = heard.of(type_)
    return found[n - 1] if len(found) >= n else None


def _brief_of(heard: Heard, made: DecisionMade) -> BriefPrepared | None:
    return next((brief for brief in heard.of(BriefPrepared) if brief.handoff in made.effects), None)


def _replies_after(heard: Heard, n: int) -> list[Reply] | None:
    return heard.of(Reply)[n:] or None


def _held_against(step: SampleStep, made: DecisionMade) -> str | None:
    if made.decision not in step.expect:
        return f"expected {' or '.join(step.expect)}, got {made.decision} ({made.reason or made.because})"
    if step.reason is not None and made.reason is not step.reason:
        return f"expected the reason {step.reason}, got {made.reason}"
    return None


def _whereabouts(line: Line, sample: Sample) -> dict[str, Any]:
    known: dict[str, Any] = {"store": sample.store, "locale": sample.locale}
    if sample.page_sku is not None:
        known["page_sku"] = sample.page_sku
    if sample.customer is not None:
        customer = line.shop.customer(sample.customer)
        if customer is None:
            raise ValueError(f"the sandbox has no customer {sample.customer}")
        known["identity_token"] = sign_identity(customer, line.identity_key, utc_now())
    return known


def _last_orders(line: Line) -> dict[int, str]:
    """Customer id to the number of their last order."""
    last: dict[int, tuple[str, str]] = {}
    for order in expand_orders(line.shop).orders:
        customer = order.get("customer_id")
        if customer is not None:
            last[customer] = max(last.get(customer, ("", "")), (order["created_at"], order["increment_id"]))
    return {customer: number for customer, (_, number) in last.items()}


def _say(console: Console, colour: str, who: str, what: str) -> None:
    """Two columns, so that what is said keeps its own edge."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=12, justify="right", style=colour)
    grid.add_column()
    grid.add_row(who, escape(what))
    console.print(grid)


def _print_decision(console: Console, made: DecisionMade) -> None:
    seconds = (made.decided_at - made.accepted_at).total_seconds()
    evidence = ", ".join(e.source + (f" {e.score:.2f}" if e.score is not None else "") for e in made.evidence[:3])
    parts = [made.decision.value, made.reason.value if made.reason else made.because, evidence, f"{seconds:.2f} s"]
    _say(console, "magenta", "decision", " · ".join(part for part in parts if part))


def _told(brief: BriefPrepared) -> str:
    told = [brief.summary, f"Why: {brief.why}"]
    if brief.customer is not None:
        told.append(f"Customer: {brief.customer.name} <{brief.customer.email}> {brief.customer.url}")
    told.extend(
        f"Order {order.number}: {order.status}, {order.total.amount} {order.total.currency}, placed "
        f"{order.placed_at.date()}" + "".join(f", {track.carrier} {track.number}" for track in order.tracking)
        for order in brief.orders[:3]
    )
    if brief.draft is not None:
        told.append(f"Draft: {brief.draft.text}")
    told.extend(f"Missing · {missing}" for missing in brief.missing)
    return "\n".join(told)
