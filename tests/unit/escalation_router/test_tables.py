"""Every row of docs/decisions.md has a history that falls under it, and does what the row says."""

import re
from collections.abc import Callable

import pytest

from schemas import chat, support
from schemas.reasons import Arm, Owner, Reason
from services.escalation_router import replies
from services.escalation_router.app import TOPICS
from services.escalation_router.policy import Policy
from services.lib.kit.fold import Timer
from tests.unit.escalation_router.play import (
    CASES,
    NAMES,
    POLICY,
    START,
    Done,
    Line,
    accepted,
    event,
    proposed,
    request,
    scored,
    turn,
    unavailable,
    under_arm,
    withheld,
)
from tests.unit.escalation_router.tables import DOC, Tables, hold, name, read, spans

TABLES = read(DOC.read_text("utf-8"))

# --- histories --------------------------------------------------------------------------------------------


def contained(line: Line) -> None:
    line.open_turn(Reason.DELIVERY_PROBLEM)


def button(line: Line) -> None:
    line.open_turn(Reason.HUMAN_REQUEST, type_=chat.HumanRequestedAccepted, text="")


def quick_human(line: Line) -> None:
    line.open_turn(type_=chat.QuickReplyChosenAccepted, text="Talk to a person", quick_reply=replies.HUMAN)


def unscreened(line: Line) -> None:
    line.open_turn(complete=False)


def offer_accepted(line: Line) -> None:
    line.answered(confidence=0.6)
    line.open_turn(text="Yes, please!")


def forced(line: Line) -> None:
    line.context = under_arm(Arm.ASSIST)
    line.open_turn()


def judged(line: Line) -> None:
    made = line.open_turn()
    line.come(scored(made))
    line.come(withheld(made))


def angry_with_an_answer(line: Line) -> None:
    made = line.open_turn()
    line.come(proposed(made))
    line.come(scored(made, 0.95))


def deadline(line: Line) -> None:
    made = line.open_turn()
    line.come(scored(made))
    line.wait(40)


def shop_away(line: Line) -> None:
    made = line.open_turn()
    line.come(scored(made))
    line.come(unavailable(made))


def broken(line: Line) -> None:
    line.come_broken(turn(1))


def proven(line: Line) -> None:
    line.answered()


def doubtful(line: Line) -> None:
    line.answered(confidence=0.6)


def question(line: Line) -> None:
    line.answered(kind="clarification")


def superseded(line: Line) -> None:
    line.open_turn()
    line.open_turn(text="in red")


def waiting(line: Line) -> None:
    line.under(Owner.QUEUED).open_turn()


def waiting_contained(line: Line) -> None:
    line.under(Owner.QUEUED, Reason.DELIVERY_PROBLEM).open_turn(Reason.LEGAL_THREAT)
    line.open_turn(Reason.B2B_DEAL)


def waiting_cancelled(line: Line) -> None:
    line.under(Owner.QUEUED).open_turn(text="Never mind.")


def not_to_be_cancelled(line: Line) -> None:
    line.under(Owner.QUEUED, Reason.PRIVACY_REQUEST).open_turn(text="never mind")


def with_human(line: Line) -> None:
    line.under(Owner.HUMAN).open_turn(Reason.LEGAL_THREAT)


def taken_over(line: Line) -> None:
    line.open_turn()
    line.come(accepted(chat.AgentMessageSeenAccepted, text="Hi, Ann here", agent="Ann K."))


def closed(line: Line) -> None:
    line.open_turn()
    line.come(accepted(chat.ConversationClosedAccepted, by="gateway"))


def reopened(line: Line) -> None:
    line.under(Owner.CLOSED)
    line.answered()


def every_event(line: Line) -> None:
    """All that opens no turn, under each owner."""
    for owner in Owner:
        for data in (
            accepted(chat.ConversationStartedAccepted),
            accepted(chat.IdentityChangedAccepted, identity=chat.Identity(customer_id=7)),
            accepted(chat.FeedbackGivenAccepted, helpful=True, reply_id="r"),
            accepted(chat.ContactLeftAccepted, private={"[contact email]": "hidden-original-4711"}),
            accepted(chat.AgentMessageSeenAccepted, text="Hello", reply_id="r"),
        ):
            here = Line().under(owner)
            here.come(data)
            line.done += here.done
        for announce in (True, False):
            here = Line().under(owner)
            here.come(rejected(announce))
            line.done += here.done
        here = Line().under(owner)
        here.come(accepted(chat.AgentMessageSeenAccepted, text="Hello", agent="Bob"))
        line.done += here.done
        for reason in (Reason.DELIVERY_PROBLEM, Reason.LEGAL_THREAT):
            here = Line().under(owner, reason)
            here.come(accepted(chat.ConversationClosedAccepted, by="customer"))
            line.done += here.done


def rejected(announce: bool):
    return event(chat.MessageRejected(**NAMES, cause="too_many", language="de", announce=announce))


def early_and_late(line: Line) -> None:
    first, second = turn(1), turn(2, text="in red")
    line.come(scored(second))
    line.come(first, scored(first))
    line.come(proposed(first))
    line.come(proposed(first, 0.7))
    line.come(second, proposed(second))
    line.come(scored(second, 0.9))
    line.under(Owner.HUMAN)
    line.come(scored(first), proposed(second))
    line.come(scored(turn(99)))


def moment(line: Line) -> None:
    line.open_turn()
    line.wait(9)
    line.open_turn(text="hello?")
    assert line.wait(10) == []
    line.wait(20)


def stale_timers(line: Line) -> None:
    line.answered()
    for kind in ("moment", "deadline"):
        line.fire(Timer("web:c1", kind, 1, 0, START))
        line.fire(Timer("web:c1", kind, 9, 0, START))
    line.open_turn(text="gloves")
    for kind in ("moment", "deadline"):
        line.fire(Timer("web:c1", kind, 2, 1, START))
        line.fire(Timer("web:c1", kind, 1, 0, START))


def every_request(line: Line) -> None:
    """Each request under each owner, by the one who has it and by another, with the right and a stale epoch."""
    for owner in Owner:
        for agent in ("ann", "bob"):
            for stale in (0, 1):
                for type_, fields in (
                    (support.ClaimRequested, {}),
                    (support.ReplyRequested, {"text": "Hello"}),
                    (support.ReplyRequested, {"text": "Hello", "draft_use": "edited"}),
                    (support.ReplyRequested, {"text": " \n"}),
                    (support.GiveBackRequested, {}),
                    (support.ResolveRequested, {}),
                    (support.DraftFeedbackGiven, {"verdict": "rejected"}),
                ):
                    here = Line().under(owner)
                    here.come(request(type_, here.state.epoch + stale, agent, **fields))
                    line.done += here.done


HISTORIES: tuple[Callable[[Line], None], ...] = (
    contained,
    button,
    quick_human,
    unscreened,
    offer_accepted,
    forced,
    judged,
    angry_with_an_answer,
    deadline,
    shop_away,
    broken,
    proven,
    doubtful,
    question,
    superseded,
    waiting,
    waiting_contained,
    waiting_cancelled,
    not_to_be_cancelled,
    with_human,
    taken_over,
    closed,
    reopened,
    every_event,
    early_and_late,
    moment,
    stale_timers,
    every_request,
)


@pytest.fixture(scope="module")
def steps() -> list[Done]:
    found: list[Done] = []
    for history in HISTORIES:
        line = Line()
        history(line)
        found += line.done
    return found


def rows_hit(tables: Tables, steps: list[Done]) -> set[str]:
    hit: set[str] = set()
    for done in steps:
        hit |= hold(tables, done)
    return hit


# --- the tests ----------------------------------------------------------------------------------------------


def test_every_row_has_a_history_and_holds(steps):
    assert rows_hit(TABLES, steps) == TABLES.rows


@pytest.mark.parametrize(
    ("history", "case"),
    [
        (history, history.__name__)
        for history in HISTORIES
        if f"`{history.__name__}`" in {r["case"] for r in TABLES.turns}
    ],
)
def test_each_case_is_reached_by_the_history_of_its_name(history, case):
    line = Line()
    history(line)
    assert case in line.decided.values()


def test_the_table_of_turns_names_all_cases_and_nothing_else():
    assert {spans(row["case"])[0] for row in TABLES.turns} == set(CASES.values())
    assert all(
        row[column] in "+?-" for row in TABLES.turns for column in ("answer", "notice", "escalation", "priority")
    )


def test_every_type_that_the_router_reads_has_a_row():
    types = {t for topic in TOPICS for t in topic.types if not issubclass(t, chat.AcceptedTurn)}
    named = {
        span for row in (*TABLES.events, *TABLES.requests) for span in spans(row.get("event", row.get("request", "")))
    }
    evidence = {t for t in types if issubclass(t, chat.AboutMessage | chat.SentimentScored)}
    assert {t.__name__ for t in types - evidence} <= named


def test_the_times_in_the_table_are_those_of_policy_and_event():
    line = Line()
    made = line.open_turn()
    at = {timer.kind: (timer.due - START).total_seconds() for timer in line.timers.values()}
    said = re.search(r"(\d+) s after", next(row["set"] for row in TABLES.timers if row["timer"] == "`moment`"))
    assert said is not None
    assert at["moment"] == float(said[1]) == POLICY.timing.moment_s == Policy.load().timing.moment_s
    assert at["deadline"] == (made.data.answer_by - START).total_seconds()


def altered() -> list[tuple[str, Tables]]:
    """The tables with one cell changed, once for each cell that says what happens."""
    found = []
    wrong = {"+": "-", "-": "+", "?": "+"}
    owners = {"`ai`": "`queued`", "`queued`": "`human`", "`human`": "`closed`", "`closed`": "`ai`", "same": "`ai`"}
    for table in ("turns", "events", "timers", "requests"):
        for index, row in enumerate(getattr(TABLES, table)):
            for column, cell in row.items():
                if column in ("case", "owner", "epoch", "event", "request", "timer", "set", "fires"):
                    continue
                if column == "owner before" and table != "turns":
                    continue
                if cell in wrong:
                    new = wrong[cell]
                elif column == "decision":
                    new = "`clarify`" if cell != "`clarify`" else "`answer`"
                elif column.startswith("owner"):
                    new = owners[cell]
                else:
                    new = "one `EscalationReminded`" if cell.startswith("none") else "none"
                rows = [dict(r) for r in getattr(TABLES, table)]
                rows[index][column] = new
                fields = {t: getattr(TABLES, t) for t in ("turns", "events", "timers", "requests")} | {table: rows}
                found.append((f"{name(row)} / {column}", Tables(**fields)))
    return found


@pytest.mark.parametrize("tables", [pytest.param(tables, id=what) for what, tables in altered()])
def test_a_changed_cell_fails(tables, steps):
    """`?` is a range: turning it into `+` fails since both are seen."""
    with pytest.raises(AssertionError):
        rows_hit(tables, steps)


def test_a_row_that_nothing_reaches_fails(steps):
    text = DOC.read_text("utf-8").replace(
        "| `proven` | `answer` |", "| `imagined` | `answer` | `ai` | `ai` | + | - | - | - |\n| `proven` | `answer` |"
    )
    tables = read(text)
    assert rows_hit(tables, steps) != tables.rows


def test_a_row_that_is_missing_fails(steps):
    text = re.sub(r"^\| `waiting_contained`.*\n", "", DOC.read_text("utf-8"), flags=re.M)
    with pytest.raises(StopIteration):
        rows_hit(read(text), steps)
