"""`check`: whether a line kept its promises, judged from its topics alone.

Written from docs/decisions.md, docs/topics.md and schemas/json, without a word of the services' code: what the
services and the checker had in common, the checker could not find.
"""

from collections import Counter
from dataclasses import dataclass, field

from tests.real.checker.doorway import doorway, waiting_at_the_door
from tests.real.checker.envelopes import envelopes
from tests.real.checker.evidence import evidence, missing_evidence
from tests.real.checker.log import Log, Record, Said, Sent, View
from tests.real.checker.others import others, unheard
from tests.real.checker.ownership import ownership
from tests.real.checker.turns import turns, undecided

__all__ = ["Log", "Record", "Report", "Said", "Sent", "check", "outstanding"]


@dataclass(frozen=True, slots=True)
class Report:
    problems: list[str]
    """A sentence each, with conversation, turn and ids; empty: all promises were kept."""
    counts: dict[str, int] = field(default_factory=dict)
    """What there was to judge: `accepted`, `turns`, `decision TYPE REASON`, `copies TOPIC`, ..."""

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {number}" for name, number in sorted(self.counts.items()))
        return "\n".join([*self.problems[:50], f"{len(self.problems)} problems; {counts}"])


def check(
    log: Log,
    *,
    sent: Sent | None,
    briefs: bool = True,
    work_repeats: bool = True,
    no_unavailable_with_answer: bool = False,
    expected_dead_letters: int = 0,
) -> Report:
    """`sent` None: chat.messages is given, and what was inbound is not asked for (the router alone). `briefs`: a
    drafter ran. `work_repeats`: a process may have been killed, so that answering may have come to two outcomes.
    `no_unavailable_with_answer`: nothing may escalate as ai_unavailable whose answer and sentiment are in the log.
    """
    view = View(log)
    problems = [
        *envelopes(view, router_alone=sent is None),
        *doorway(view, sent),
        *evidence(
            view,
            briefs=briefs,
            work_repeats=work_repeats,
            no_unavailable_with_answer=no_unavailable_with_answer,
        ),
        *turns(view),
        *ownership(view),
        *others(view),
    ]
    if len(view.letters) != expected_dead_letters:
        origins = [f"{r.headers.get('x-origin')} ({r.headers.get('x-cause')})" for r in view.letters[:10]]
        problems.append(f"{len(view.letters)} dead letters where {expected_dead_letters} are expected: {origins}")
    return Report(list(dict.fromkeys(problems)), _counts(view, sent))


def outstanding(log: Log, sent: Sent | None, *, briefs: bool = True) -> int:
    """How much is still under way: inbound events, evidence, decisions, their effects, verdicts, briefs."""
    view = View(log)
    return (
        (waiting_at_the_door(view, sent) if sent is not None else 0)
        + missing_evidence(view, briefs=briefs)
        + undecided(view)
        + unheard(view)
    )


def _counts(view: View, sent: Sent | None) -> dict[str, int]:
    counts: Counter[str] = Counter()
    counts["sent"] = len(sent) if sent is not None else 0
    messages = view.of("chat.messages")
    counts["rejected"] = sum(event.type == "MessageRejected" for event in messages)
    counts["accepted"] = len(messages) - counts["rejected"]
    counts["turns"] = len(view.turns)
    counts["dead letters"] = len(view.letters)
    for made in view.of("support.decisions", "DecisionMade"):
        counts[f"decision {made.data.get('decision')} {made.data.get('reason') or ''}".rstrip()] += 1
    for topic in ("chat.replies", "support.escalations", "support.briefs", "support.outcomes"):
        for event in view.of(topic):
            counts[event.type] += 1
    for first, record in view.copies:
        same = record.value == first.record.value
        counts[f"{'copies' if same else 'redone'} {first.topic}"] += 1
    return dict(counts)
