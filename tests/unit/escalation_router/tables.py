"""The tables of docs/decisions.md as an oracle: which row a step falls under, and whether it did what that says."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import chat, support
from schemas.event import Data
from schemas.reasons import NO_LLM_EVER, Owner
from services.lib.kit.fold import Arrival, Timer
from tests.unit.escalation_router.play import Done, case_of

DOC = Path(__file__).parents[3] / "docs/decisions.md"

Row = dict[str, str]

EVIDENCE = (chat.SentimentScored, chat.AboutMessage)


@dataclass(frozen=True)
class Tables:
    turns: list[Row]
    events: list[Row]
    timers: list[Row]
    requests: list[Row]

    @property
    def rows(self) -> set[str]:
        return {name(row) for table in (self.turns, self.events, self.timers, self.requests) for row in table}


def read(text: str) -> Tables:
    """The four tables, found by their sections."""
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    order = ("Turns", "Events that open no turn", "Timers", "Requests of agents")
    return Tables(*(_rows(sections[title]) for title in order))


def _rows(section: str) -> list[Row]:
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"
    ]
    head, _, *body = lines
    assert all(len(line) == len(head) for line in body)
    return [dict(zip(head, line, strict=True)) for line in body]


def name(row: Row) -> str:
    """What tells a row from the others: the cells before its effects."""
    return " | ".join(
        row[key] for key in ("case", "event", "timer", "request", "owner", "owner before", "epoch") if key in row
    )


def spans(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


# --- effects in words ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Effects:
    always: Counter[str]
    sometimes: Counter[str]
    ends_turn: str | None
    """Case in which an open turn ends."""
    outcome: str | None


def effects(cell: str) -> Effects:
    """What an effects cell demands: "one `X`", "one notice `n`", "... where ..." (sometimes), "refused", "none"."""
    always: Counter[str] = Counter()
    sometimes: Counter[str] = Counter()
    for notice, kind, where in re.findall(r"one (notice )?`(\w+)`( where)?", cell):
        (sometimes if where else always)[f"notice {kind}" if notice else kind] += 1
    if cell == "refused":
        always["ActionRefused"] += 1
    ends = re.search(r"turn ends (?:as|\()\s?`(\w+)`", cell)
    outcome = re.search(r"`ConversationEnded` \(`(\w+)`\)", cell)
    assert always or sometimes or ends or cell.startswith("none"), f"cannot be read: {cell}"
    return Effects(always, sometimes, ends[1] if ends else None, outcome[1] if outcome else None)


# --- a step against the tables ---------------------------------------------------------------------------


def hold(tables: Tables, done: Done) -> set[str]:
    """Names of the rows the step falls under. Raises `AssertionError` where it did not do what they say."""
    hit = {name(_decision_row(tables, done, index)) for index in range(len(done.decisions))}
    said = {e.id for e in done.published if isinstance(e.data, _COUNTED)}
    if done.decisions:
        assert said <= {id_ for made in done.decisions for id_ in made.effects}
    data = done.arrival.event.data if isinstance(done.arrival, Arrival) else None
    if isinstance(data, (chat.AcceptedTurn, *EVIDENCE)) and not done.decisions:
        assert done.published == ()
    row: Row | None
    if done.broken:
        row = None  # a turn's end, or nothing at all
        assert done.decisions or done.published == ()
    elif isinstance(done.arrival, Timer):
        row = _timer_row(tables, done, done.arrival)
    elif isinstance(data, chat.AcceptedTurn):
        row = None
    elif isinstance(data, EVIDENCE):
        row = _evidence_row(tables, done, data)
    elif isinstance(data, support.AgentRequest):
        row = _first(tables.requests, "request", done, data)
    else:
        assert data is not None
        row = _first(tables.events, "event", done, data)
    if row is not None:
        hit.add(name(row))
        _row_holds(row, done)
    return hit


_COUNTED = chat.AnswerSent | chat.NoticeSent | support.EscalationRaised | support.PriorityRaised
_COLUMNS: dict[str, type[Data]] = {
    "answer": chat.AnswerSent,
    "notice": chat.NoticeSent,
    "escalation": support.EscalationRaised,
    "priority": support.PriorityRaised,
}
_ALLOWED = {"+": (1,), "?": (0, 1), "-": (0,)}


def _decision_row(tables: Tables, done: Done, index: int) -> Row:
    """The row of a step's decision, whose columns all hold."""
    made = done.decisions[index]
    row = next(row for row in tables.turns if spans(row["case"]) == [case_of(made)])
    after = [*(later.owner for later in done.decisions[index + 1 :]), done.after.owner][0]
    assert spans(row["decision"]) == [made.decision], row
    assert spans(row["owner before"]) == [made.owner], row
    assert spans(row["owner after"]) == [after], row
    for column, type_ in _COLUMNS.items():
        led_to = [e for e in done.published if e.id in made.effects and isinstance(e.data, type_)]
        assert len(led_to) in _ALLOWED[row[column]], (row, column)
    return row


def _row_holds(row: Row, done: Done) -> None:
    wanted = effects(row["effects"])
    got = Counter(done.kinds)
    if wanted.ends_turn is not None and done.decisions:
        assert [case_of(made) for made in done.decisions] == [wanted.ends_turn], row
        got -= Counter(_kind(e) for e in done.published if e.id in done.decisions[0].effects)
    else:
        assert done.decisions == [], row
    assert wanted.ends_turn is None or bool(done.decisions) is (done.before.open is not None), row
    assert wanted.always <= got <= wanted.always + wanted.sometimes, (row, got)
    if wanted.outcome is not None:
        assert [e.outcome for e in done.of(support.ConversationEnded)] == [wanted.outcome]
    if "timer" in row:
        return  # who has it then, the table of turns says
    after = row["owner after"]
    assert [done.after.owner] == (spans(after) or [done.before.owner]), row


def _kind(e: Any) -> str:
    return f"notice {e.data.notice}" if isinstance(e.data, chat.NoticeSent) else str(e.type)


def _timer_row(tables: Tables, done: Done, timer: Timer) -> Row | None:
    state = done.before
    live = state.open is not None and (state.open.position, state.epoch) == (timer.turn, timer.epoch)
    if not live or state.owner is not Owner.AI or (timer.kind == "moment" and state.moment_said):
        assert done.published == ()
        return None
    return next(row for row in tables.timers if spans(row["timer"]) == [timer.kind])


def _evidence_row(tables: Tables, done: Done, data: Any) -> Row | None:
    state = done.before
    if state.open is not None and state.open.message == data.message:
        return None  # then the table of turns says
    which = "evidence before its message" if data.position > state.seen else "evidence of a turn that is decided"
    return next(row for row in tables.events if row["event"].startswith(which))


def _first(table: list[Row], column: str, done: Done, data: Data) -> Row:
    """The first row that the event and the state before it match, as a reader goes through the table."""
    for row in table:
        cell = row[column]
        if spans(cell)[:1] != [type(data).__name__]:
            continue
        if "an echo" in cell and getattr(data, "reply_id", None) is None:
            continue
        if "without a word" in cell and getattr(data, "text", "").strip():
            continue
        current = getattr(data, "epoch", None) == done.before.epoch
        if _owner_is(row.get("owner", row.get("owner before", "any")), done, data) and (
            row.get("epoch") != "current" or current
        ):
            return row
    raise AssertionError(f"no row for {type(data).__name__} under {done.before.owner}")


def _owner_is(cell: str, done: Done, data: Data) -> bool:
    state = done.before
    if cell in ("any", "other"):
        return True
    if state.owner not in spans(cell):
        return False
    if "by the same agent" in cell or "theirs" in cell:
        return state.handoff is not None and state.handoff.agent == getattr(data, "agent", None)
    if "for safety, law or privacy" in cell:
        return state.handoff is not None and state.handoff.reason in NO_LLM_EVER
    return True
