"""`Line`: one conversation played through the router's fold as the unit of work would, with what must hold after
every step. Nothing is mocked: effects are applied, records go through the wire's encoding, state through JSON."""

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas import chat, support
from schemas.codec import decode, encode
from schemas.event import Data, Event
from schemas.reasons import Arm, Decision, Intent, Owner, Reason
from schemas.topics import CHAT_REPLIES, TOPICS
from services.escalation_router.app import TOPICS as ROUTER_TOPICS
from services.escalation_router.context import Context
from services.escalation_router.decide import RouterFold
from services.escalation_router.inputs import TIMER
from services.escalation_router.notices import Notices
from services.escalation_router.policy import AnswerPolicy, Clarify, Policy, SentimentPolicy, Timing
from services.escalation_router.state import EARLY_KEPT, HEARD_KEPT, Conversation
from services.lib.kit.fold import Arrival, CancelTimers, Publish, Record, SetTimer, Step, Timer

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
POLICY = Policy.load().model_copy(
    update={
        "timing": Timing(moment_s=8, facts_s=900),
        "clarify": Clarify(at_most=2),
        "sentiment": SentimentPolicy(angry=0.90, upset=0.75),
        "answer": {intent: AnswerPolicy(threshold=0.5, sure=0.65) for intent in Intent},
    }
)
"""The packaged one with its numbers held fast: tuning it is no reason for a test to fail."""
CONTEXT = Context(POLICY, Notices.load())
NAMES = {"gateway": "web", "conversation": "c1"}
SECRET = "hidden-original-4711"
"""Stands for what ingest masked; it may appear in chat.replies alone."""

CASES = {
    "contained: ": "contained",
    "forced: ": "forced",
    "judged: ": "judged",
    "deadline: ": "deadline",
    "broken: ": "broken",
    "proven": "proven",
    "doubtful": "doubtful",
    "question": "question",
    "superseded by ": "superseded",
    "owner queued, contained: ": "waiting_contained",
    "owner queued": "waiting",
    "the shopper cancelled": "waiting_cancelled",
    "owner human": "with_human",
    "a human spoke": "taken_over",
    "the conversation was closed": "closed",
}
"""Start of `because`, by which a reader of decisions tells the cases apart, longer ones first."""


def case_of(made: support.DecisionMade) -> str:
    return next(case for start, case in CASES.items() if made.because.startswith(start))


def under_arm(arm: Arm) -> Context:
    """Everybody is in this arm."""
    rollout = {one: 100 if one is arm else 0 for one in Arm}
    return replace(CONTEXT, policy=CONTEXT.policy.model_copy(update={"rollout": rollout}))


# --- what may come ---------------------------------------------------------------------------------


def event(data: Data, *, source: str = "baton/ingest", cause: str | None = None, at: datetime = START) -> Event[Any]:
    """An event that came over the wire."""
    made = Event.new(data, source=source, subject="web:c1", time=at, cause=cause or f"cause-{next(_numbers)}")
    topic = next(t for t in TOPICS if t.type_named(made.type) is type(data))
    return decode(topic, made.subject.encode(), encode(topic, made))


_numbers = itertools.count(1)


def accepted(type_: type[chat.Accepted], at: datetime = START, **fields: Any) -> Event[Any]:
    whereabouts = {
        "store": "default",
        "language": "en",
        "bucket": 5,
        "identity": chat.Identity(),
        "owner": Owner.AI,
        "accepted_at": at,
    }
    return event(type_(**NAMES, **(whereabouts | fields)), at=at)


def turn(
    position: int,
    at: datetime = START,
    type_: type[chat.AcceptedTurn] = chat.CustomerMessageAccepted,
    reason: Reason | None = None,
    *,
    complete: bool = True,
    **fields: Any,
) -> Event[Any]:
    evidence = (chat.Evidence(source="rule:some", reason=reason),) if reason else ()
    screening = chat.Screening(complete=complete, reason=reason, evidence=evidence, version="rules-1")
    given = {"position": position, "text": "Do you have rain jackets?", "answer_by": at + timedelta(seconds=30)}
    return accepted(type_, at, **(given | {"screening": screening} | fields))


def scored(of: Event[Any], negative: float | None = 0.05, model: str = "sentiment-1") -> Event[Any]:
    rest = 1 - (negative or 0)
    scores = None if negative is None else chat.Sentiment(negative=negative, neutral=rest, positive=0)
    data = chat.SentimentScored(**NAMES, position=of.data.position, message=of.identity, scores=scores, model=model)
    return event(data, source="baton/sentiment")


def about(of: Event[Any], intent: Intent = Intent.PRODUCT_SEARCH) -> dict[str, Any]:
    return {**NAMES, "position": of.data.position, "message": of.identity, "intent": intent, "seconds": 0.2}


def proposed(of: Event[Any], confidence: float = 0.95, kind: str = "answer", **fields: Any) -> Event[Any]:
    given = {"text": "The Stormglass jacket fits.", "plain": "The Stormglass jacket fits. $89", "language": "en"}
    data = chat.AnswerProposed(**about(of), kind=kind, confidence=confidence, **(given | fields))
    return event(data, source="baton/retrieval-answer")


def withheld(of: Event[Any], reason: Reason = Reason.UNVERIFIED_CLAIM) -> Event[Any]:
    return event(chat.AnswerWithheld(**about(of), reason=reason, detail="why"), source="baton/retrieval-answer")


def unavailable(of: Event[Any], cause: str = "shop") -> Event[Any]:
    return event(chat.AnswerUnavailable(**about(of), cause=cause), source="baton/retrieval-answer")


def request(type_: type[support.AgentRequest], epoch: int, agent: str = "ann", **fields: Any) -> Event[Any]:
    return event(type_(**NAMES, agent=agent, epoch=epoch, **fields), source="desk")


# --- the conversation ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """One step: what came, the state before and after, what followed, and in which turns' cases."""

    arrival: Arrival | Timer
    before: Conversation
    after: Conversation
    published: tuple[Event[Any], ...]
    broken: bool = False

    def of(self, type_: type[Data]) -> list[Any]:
        return [e.data for e in self.published if isinstance(e.data, type_)]

    @property
    def decisions(self) -> list[support.DecisionMade]:
        return self.of(support.DecisionMade)

    @property
    def kinds(self) -> Counter[str]:
        """Of what was published, notices by their name; decisions left out."""
        return Counter(
            f"notice {e.data.notice}" if isinstance(e.data, chat.NoticeSent) else e.type
            for e in self.published
            if not isinstance(e.data, support.DecisionMade)
        )


class Line:
    def __init__(self, context: Context = CONTEXT, now: datetime = START) -> None:
        self.fold, self.context, self.now = RouterFold(), context, now
        self.state = self.fold.initial("web:c1")
        self.timers: dict[tuple[str, int, int], Timer] = {}
        self.steps: list[tuple[Arrival | Timer, Context, datetime, bool]] = []
        self.done: list[Done] = []
        self.published: list[Event[Any]] = []
        self.known: set[str] = set()
        self.ids: set[str] = set()
        self.decided: dict[int, str] = {}
        self.sequences: Counter[str] = Counter()

    # --- moving on ---

    def come(self, *events: Event[Any]) -> Done:
        """Fold events, as often as they come: the inbox drops what is known. Returns the last one's step."""
        done = Done(Arrival(events[-1]), self.state, self.state, ())
        for one in events:
            if one.identity not in self.known:
                self.known.add(one.identity)
                done = self._step(Arrival(one))
        return done

    def come_broken(self, one: Event[Any] | Timer) -> Done:
        """An event for which `step` raised; it does not become known."""
        return self._step(one if isinstance(one, Timer) else Arrival(one), broken=True)

    def open_turn(self, reason: Reason | None = None, **fields: Any) -> Event[Any]:
        """A turn at the next position, folded."""
        fields.setdefault("at", self.now)
        made = turn(self.state.seen + 1, reason=reason, **fields)
        self.come(made)
        return made

    def answered(self, *, confidence: float = 0.95, kind: str = "answer", **fields: Any) -> Done:
        made = self.open_turn(**fields)
        self.come(scored(made))
        return self.come(proposed(made, confidence, kind))

    def ask(self, type_: type[support.AgentRequest], agent: str = "ann", **fields: Any) -> Done:
        """A request with the present epoch."""
        fields.setdefault("epoch", self.state.epoch)
        return self.come(request(type_, agent=agent, **fields))

    def under(self, owner: Owner, reason: Reason = Reason.HUMAN_REQUEST) -> "Line":
        """The conversation brought under this owner, by ann where it is a human; the AI has it at first."""
        if owner is Owner.CLOSED:
            self.come(accepted(chat.ConversationClosedAccepted, self.now, by="customer"))
        elif owner is not Owner.AI:
            self.open_turn(reason)
        if owner is Owner.HUMAN:
            self.ask(support.ClaimRequested)
        assert self.state.owner is owner
        return self

    def wait(self, seconds: float) -> list[Done]:
        """Move the clock; fire what falls due, in order."""
        end, fired = self.now + timedelta(seconds=seconds), []
        while due := sorted((t for t in self.timers.values() if t.due <= end), key=lambda t: t.due):
            self.now = max(self.now, due[0].due)
            fired.append(self.fire(due[0]))
        self.now = end
        return fired

    def fire(self, timer: Timer) -> Done:
        self.timers.pop((timer.kind, timer.turn, timer.epoch), None)
        return self._step(timer)

    def _step(self, arrival: Arrival | Timer, *, broken: bool = False) -> Done:
        before = self.state
        decide = self.fold.broken if broken else self.fold.step
        step = decide(before, arrival, self.context, self.now)
        self.steps.append((arrival, self.context, self.now, broken))
        done = Done(arrival, before, step.state, self._apply(arrival, step), broken)
        self.done.append(done)
        check(self, done)
        return done

    def _apply(self, arrival: Arrival | Timer, step: Step[Conversation]) -> tuple[Event[Any], ...]:
        published: list[Event[Any]] = []
        for effect in step.effects:
            if isinstance(effect, Publish):
                self.sequences[effect.topic.name] += 1
                made = Event.new(
                    effect.data,
                    source="baton/escalation-router",
                    subject="web:c1",
                    time=self.now,
                    cause=arrival.identity,
                    ordinal=effect.ordinal,
                    sequence=self.sequences[effect.topic.name],
                )
                value = encode(effect.topic, made)
                assert effect.topic is CHAT_REPLIES or SECRET.encode() not in value
                read = decode(effect.topic, b"web:c1", value)
                assert read.data == effect.data
                published.append(read)
            elif isinstance(effect, SetTimer):
                timer = Timer("web:c1", effect.kind, effect.turn, effect.epoch, effect.due)
                self.timers.setdefault((effect.kind, effect.turn, effect.epoch), timer)
            elif isinstance(effect, CancelTimers):
                for kind, number, epoch in list(self.timers):
                    if kind in effect.kinds and effect.turn in (None, number):
                        del self.timers[kind, number, epoch]
            else:
                assert isinstance(effect, Record)
                assert isinstance(effect.row, support.DecisionMade)
                # The table's primary key: a second decision could not be stored.
                assert effect.row.position not in self.decided
                self.decided[effect.row.position] = case_of(effect.row)
        body = step.state.model_dump_json()
        assert SECRET not in body
        self.state = Conversation.model_validate_json(body)
        assert self.state == step.state
        self.published += published
        return tuple(published)


# --- what must hold after every step -----------------------------------------------------------------

_TO = {
    support.EscalationRaised: Owner.QUEUED,
    support.EscalationClaimed: Owner.HUMAN,
    support.EscalationReturned: Owner.AI,
    support.EscalationResolved: Owner.CLOSED,
}


def check(line: Line, done: Done) -> None:
    """The list "What never happens" of docs/decisions.md, and what the state must always be."""
    before, after = done.before, done.after
    ids = [e.id for e in done.published]
    assert len(ids) == len({*ids} - line.ids), "two events share an id"
    line.ids.update(ids)
    _owners(done)
    _words(done)
    # One turn at most is open, it is the newest, and whatever came before it is decided, once.
    assert after.seen >= before.seen
    undecided = {d.position for d in _opened(line)} - set(line.decided)
    assert undecided == ({after.open.position} if after.open else set())
    assert after.open is None or (after.open.position == after.seen and after.owner is Owner.AI)
    waits = {t.turn for t in line.timers.values()}
    assert waits <= undecided
    assert after.open is None or ("deadline", after.seen, after.epoch) in line.timers, "it waits without an end"
    # What decisions say of themselves.
    for made in done.decisions:
        assert set(made.effects) <= {e.id for e in done.published}
        assert made.inputs
        assert made.decided_at == line.now
        assert (made.reason is not None) == (made.decision is Decision.ESCALATE)
    said = [e.id for e in done.published if isinstance(e.data, chat.AnswerSent | support.EscalationRaised)]
    assert all(id_ in [i for made in done.decisions for i in made.effects] for id_ in said)
    # Bounded.
    assert len(after.inputs) <= 100
    assert len(after.early) <= EARLY_KEPT
    assert all(found.position > after.seen for found in after.early.values())
    assert len(after.heard) <= HEARD_KEPT
    assert len(after.negatives) <= 5
    assert after.handoff is None or len(after.handoff.notified) <= len(Reason)
    assert (after.handoff is not None) == (after.owner in (Owner.QUEUED, Owner.HUMAN))


def _opened(line: Line) -> list[chat.AcceptedTurn]:
    """Turns that opened, by the record of steps: a position that had come before opens nothing."""
    seen, opened = 0, []
    for arrival, *_ in line.steps:
        data = arrival.event.data if isinstance(arrival, Arrival) else None
        if isinstance(data, chat.AcceptedTurn) and data.position > seen:
            seen = data.position
            opened.append(data)
    return opened


def _owners(done: Done) -> None:
    """Every change of owner is told, in epochs without gaps, and nobody else speaks."""
    owner, epoch = done.before.owner, done.before.epoch
    data = done.arrival.event.data if isinstance(done.arrival, Arrival) else None
    if owner is Owner.CLOSED and isinstance(data, chat.AcceptedTurn) and data.position > done.before.seen:
        owner, epoch = Owner.AI, epoch + 1  # reopened: the event itself says so
    for one in done.published:
        said = one.data
        to = _TO.get(type(said))
        if isinstance(said, support.EscalationCancelled):
            to = Owner.AI if said.by == "customer" else Owner.CLOSED
        elif isinstance(said, support.ConversationEnded):
            to = Owner.CLOSED if owner is Owner.AI else None
            assert owner in (Owner.AI, Owner.CLOSED)
            if to is not None:
                epoch += 1
        if to is not None:
            assert to is not owner
            owner = to
            if isinstance(said, support.Handoff):
                epoch += 1
        if isinstance(said, support.Handoff):
            assert said.epoch == epoch
        if isinstance(said, support.DecisionMade):
            assert said.epoch in (epoch, epoch - 1)
    assert (owner, epoch) == (done.after.owner, done.after.epoch)


def _words(done: Done) -> None:
    """Who may speak: answers under `ai` alone; an escalation with its notice and the other way round."""
    reopened = done.before.owner is Owner.CLOSED
    if done.of(chat.AnswerSent):
        assert done.before.owner is Owner.AI or reopened
        assert done.after.owner is Owner.AI
    raised = done.of(support.EscalationRaised)
    notices = [n for n in done.of(chat.NoticeSent) if n.reason is not None]
    if raised:
        assert [(n.position, n.reason) for n in notices] == [(r.position, r.reason) for r in raised]
        assert len(raised) == 1
    elif notices:
        assert done.before.owner is Owner.QUEUED
    assert len(done.of(chat.HumanReplySent)) <= 1
    if done.of(chat.HumanReplySent):
        assert done.before.owner is Owner.HUMAN
    for said in done.of(chat.Reply):
        for button in said.quick_replies:
            assert button.title in said.plain
    for made in done.decisions:
        if made.decision in (Decision.ANSWER, Decision.ANSWER_AND_OFFER_HUMAN, Decision.CLARIFY):
            contained = [i for i in made.inputs if i.data.get("screening", {}).get("reason")]
            assert contained == []


# --- from the record -----------------------------------------------------------------------------------


def decisions(line: Line) -> list[support.DecisionMade]:
    return [e.data for e in line.published if isinstance(e.data, support.DecisionMade)]


def replayed(made: list[support.DecisionMade], context: Context = CONTEXT) -> list[support.DecisionMade]:
    """The decisions that follow from what these recorded, and from nothing else."""
    fold, found = RouterFold(), []
    state = fold.initial("web:c1")
    for given in (one for decision in made for one in decision.inputs):
        step = fold.step(state, _arrival(given), context, given.at)
        state = step.state
        found += [e.row for e in step.effects if isinstance(e, Record)]
    return [one for one in found if isinstance(one, support.DecisionMade)]


def _arrival(given: support.RecordedInput) -> Arrival | Timer:
    if given.type == TIMER:
        return Timer("web:c1", **given.data, due=given.at)
    topic = next(t for t in ROUTER_TOPICS if t.type_named(given.type))
    source, _, id_ = given.id.partition("#")
    data = topic.type_named(given.type).model_validate(given.data)
    made = Event[Any](id=id_, source=source, type=given.type, subject="web:c1", time=given.at, data=data)
    return Arrival(made)
