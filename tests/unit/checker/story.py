"""`Story`: what a line would have written, event by event, to be told right or told wrong."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.real.checker import Log, Record, Report, Said, Sent, check
from tests.real.checker.envelopes import STATEFUL

Json = dict[str, Any]
ROUTER = "baton/escalation-router"


class Story:
    """`events` are (topic, envelope), in the order in which they were written; `letters` dead letters."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Json]] = []
        self.letters: list[Record] = []
        self.sent = Sent()
        self._numbers: Counter[Any] = Counter()

    # --- told right ---------------------------------------------------------------------------------

    def write(self, topic: str, source: str, kind: str, key: str, cause: str | None, /, **data: Any) -> Json:
        gateway, _, conversation = key.partition(":")
        self._numbers[kind] += 1
        event: Json = {
            "specversion": "1.0",
            "id": f"{kind}-{self._numbers[kind]}",
            "source": source,
            "type": kind,
            "subject": key,
            "time": "2026-03-12T09:15:20Z",
            "data": {"gateway": gateway, "conversation": conversation, **data},
        }
        if cause is not None:
            event["causationid"] = cause
        if topic in STATEFUL:
            self._numbers[topic, key] += 1
            event["sequence"] = self._numbers[topic, key]
        self.events.append((topic, event))
        return event

    def inbound(self, key: str, kind: str, /, **data: Any) -> Json:
        event = self.write("chat.inbound", "web", kind, key, None, **data)
        said = Said(kind, data.get("message_id"), "web", event["id"])
        self.sent.conversations.setdefault(key, []).append(said)
        return event

    def message(self, key: str, kind: str = "CustomerMessage", *, contained: str | None = None, **data: Any) -> Json:
        """Sent, accepted and, where it has words, scored."""
        self._numbers["message"] += 1
        came = self.inbound(key, kind, message_id=f"m{self._numbers['message']}", text="what?", **data)
        self._numbers["position", key] += 1
        position = self._numbers["position", key]
        screening = {"complete": True, "version": "1"} | ({"reason": contained} if contained else {})
        accepted = self.write(
            "chat.messages",
            "baton/ingest",
            f"{kind}Accepted",
            key,
            identity(came),
            position=position,
            text="what?",
            screening=screening,
        )
        if kind != "HumanRequested":
            about = {"position": position, "message": identity(accepted)}
            self.write("chat.sentiment", "baton/sentiment", "SentimentScored", key, identity(accepted), **about)
        return accepted

    def evidence(self, accepted: Json, kind: str = "AnswerProposed", /, **data: Any) -> Json:
        about = {"position": accepted["data"]["position"], "message": identity(accepted)}
        key, cause = accepted["subject"], identity(accepted)
        return self.write("chat.answers", "baton/retrieval-answer", kind, key, cause, **about, **data)

    def router(self, topic: str, kind: str, key: str, cause: str, /, **data: Any) -> Json:
        return self.write(topic, ROUTER, kind, key, cause, **data)

    def decide(
        self, turn: Json, cause: str, decision: str, *effects: Json, owner: str, epoch: int, **data: Any
    ) -> Json:
        about = {"position": turn["data"]["position"], "decision": decision, "owner": owner, "epoch": epoch}
        ids = [effect["id"] for effect in effects]
        return self.router("support.decisions", "DecisionMade", turn["subject"], cause, effects=ids, **about, **data)

    def answered(self, key: str, *, epoch: int, decision: str = "answer") -> Json:
        turn = self.message(key)
        kind = "clarification" if decision == "clarify" else "answer"
        proposed = self.evidence(turn, text="it is", kind=kind)
        about = {"position": turn["data"]["position"], "text": "Hello. it is", "kind": kind}
        offers = decision == "answer_and_offer_human"
        reply = self.router("chat.replies", "AnswerSent", key, identity(proposed), **about, offers_human=offers)
        self.decide(turn, identity(proposed), decision, reply, owner="ai", epoch=epoch)
        return turn

    def escalated(self, turn: Json, cause: str, reason: str, *, epoch: int) -> Json:
        key, about = turn["subject"], {"position": turn["data"]["position"], "reason": reason}
        raised = self.router("support.escalations", "EscalationRaised", key, cause, **about, epoch=epoch + 1)
        raised["data"]["handoff"] = raised["id"]
        notice = self.router("chat.replies", "NoticeSent", key, cause, **about, notice=reason)
        self.decide(turn, cause, "escalate", raised, notice, owner="ai", epoch=epoch, reason=reason)
        self.write(
            "support.briefs", "baton/copilot-drafter", "BriefPrepared", key, identity(raised), handoff=raised["id"]
        )
        return raised

    def asked(self, key: str, kind: str, *, epoch: int, agent: str = "ada") -> str:
        return identity(self.write("support.agent-actions", "desk", kind, key, None, agent=agent, epoch=epoch))

    # --- told wrong ---------------------------------------------------------------------------------

    def find(self, kind: str, number: int = 1) -> Json:
        """The n-th event of its type; negative: from the end."""
        found = [event for _, event in self.events if event["type"] == kind]
        return found[number - 1 if number > 0 else number]

    def forget(self, *gone: Json) -> None:
        """As if these had never been written: what comes after them in their topic counts on."""
        self.events = [(topic, event) for topic, event in self.events if event not in gone]
        self._count_anew()

    def add(self, topic: str, event: Json, **data: Any) -> Json:
        """One more, like `event` but for its id, at the end."""
        other: Json = json.loads(json.dumps(event))
        other["id"] = f"{event['id']}-other"
        other["data"] |= data
        self.events.append((topic, other))
        self._count_anew()
        return other

    def _count_anew(self) -> None:
        numbers: Counter[Any] = Counter()
        counted: set[str] = set()
        for topic, event in self.events:
            if "sequence" in event and event["id"] not in counted:
                counted.add(event["id"])
                numbers[topic, event["subject"]] += 1
                event["sequence"] = numbers[topic, event["subject"]]

    # --- and judged ---------------------------------------------------------------------------------

    def log(self) -> Log:
        offsets: Counter[str] = Counter()
        records = []
        for topic, event in self.events:
            value = json.dumps(event).encode()
            records.append(Record(f"baton.{topic}.v1", 0, offsets[topic], event["subject"], value))
            offsets[topic] += 1
        return Log((*records, *self.letters))

    def report(self, **options: Any) -> Report:
        return check(self.log(), sent=self.sent, **options)


def identity(event: Json) -> str:
    return f"{event['source']}#{event['id']}"


Mistake = Callable[[Story], object]


def whole_story() -> Story:
    """Every case of docs/decisions.md that the checker knows, told right."""
    story = Story()
    _first_shopper(story, "web:a")
    _second_shopper(story, "web:b")
    _third_shopper(story, "web:c")
    return story


def _first_shopper(story: Story, key: str) -> None:
    story.answered(key, epoch=0)
    story.answered(key, epoch=0, decision="clarify")
    older, newer = story.message(key), story.message(key)
    story.evidence(older, text="late", kind="answer")
    story.decide(older, identity(newer), "suppress", owner="ai", epoch=0)
    withheld = story.evidence(newer, "AnswerWithheld", reason="low_confidence")
    raised = story.escalated(newer, identity(withheld), "low_confidence", epoch=0)
    waiting = story.message(key)
    story.evidence(waiting, "AnswerWithheld", reason="low_confidence")
    story.decide(waiting, identity(waiting), "suppress", owner="queued", epoch=1)
    graver = story.message(key, contained="legal_threat")
    about = {"position": graver["data"]["position"], "reason": "legal_threat"}
    cause, handoff = identity(graver), raised["id"]
    higher = story.router("support.escalations", "PriorityRaised", key, cause, **about, handoff=handoff, epoch=1)
    notice = story.router("chat.replies", "NoticeSent", key, cause, **about, notice="legal_threat")
    story.decide(graver, cause, "suppress", higher, notice, owner="queued", epoch=1)
    claim = story.asked(key, "ClaimRequested", epoch=1)
    of = {"handoff": handoff, "agent": "ada"}
    story.router("support.escalations", "EscalationClaimed", key, claim, **of, epoch=2, took_over=False)
    story.router("chat.replies", "NoticeSent", key, claim, notice="human_joined")
    late = story.asked(key, "ClaimRequested", epoch=1, agent="ben")
    story.router("support.escalations", "ActionRefused", key, late, handoff=handoff, epoch=2, agent="ben")
    heard = story.message(key)
    story.evidence(heard, text="x", kind="answer")
    story.decide(heard, identity(heard), "suppress", owner="human", epoch=2)
    said = story.asked(key, "ReplyRequested", epoch=2)
    story.router("chat.replies", "HumanReplySent", key, said, text="Hello", agent="ada")
    back = story.asked(key, "GiveBackRequested", epoch=2)
    story.router("support.escalations", "EscalationReturned", key, back, **of, epoch=3)
    story.router("chat.replies", "NoticeSent", key, back, notice="given_back")
    story.answered(key, epoch=3, decision="answer_and_offer_human")


def _second_shopper(story: Story, key: str) -> None:
    """Closed, reopened, the button, a change of mind, feedback, an empty message, a copy, a reply awaited."""
    story.answered(key, epoch=0)
    _closed(story, key)
    turn = story.message(key, "HumanRequested")
    raised = story.escalated(turn, identity(turn), "human_request", epoch=2)
    other = story.message(key)
    story.evidence(other, "AnswerWithheld", reason="low_confidence")
    of = {"handoff": raised["id"], "epoch": 4, "by": "customer"}
    cancelled = story.router("support.escalations", "EscalationCancelled", key, identity(other), **of)
    notice = story.router("chat.replies", "NoticeSent", key, identity(other), notice="cancelled")
    story.decide(other, identity(other), "suppress", cancelled, notice, owner="queued", epoch=3)
    kept = story.inbound(key, "FeedbackGiven", message_id="f1", helpful=True)
    feedback = story.write(
        "chat.messages", "baton/ingest", "FeedbackGivenAccepted", key, identity(kept), helpful=True
    )
    story.router("support.outcomes", "FeedbackRecorded", key, identity(feedback), helpful=True)
    empty = story.inbound(key, "CustomerMessage", message_id="e1", text="")
    of_it = {"message_id": "e1", "cause": "empty", "announce": True}
    rejected = story.write("chat.messages", "baton/ingest", "MessageRejected", key, identity(empty), **of_it)
    story.router("chat.replies", "RejectionSent", key, identity(rejected), message_id="e1", text="?")
    story.inbound(key, "CustomerMessage", message_id="m1-of-b", text="again")
    first = story.write(
        "chat.messages",
        "baton/ingest",
        "CustomerMessageAccepted",
        key,
        f"timer:{key}:wait:0:1",
        position=4,
        text="again",
        screening={"complete": False, "version": "1"},
    )
    about = {"position": 4, "message": identity(first)}
    story.write("chat.sentiment", "baton/sentiment", "SentimentScored", key, identity(first), **about)
    story.escalated(first, identity(first), "ai_unavailable", epoch=4)
    story.inbound(key, "CustomerMessage", message_id="m1-of-b", text="under another event id")
    copy = next(entry for entry in story.events if entry[1]["type"] == "AnswerSent")
    story.events.append(copy)


def _closed(story: Story, key: str) -> None:
    closing = story.inbound(key, "ConversationClosed", by="customer")
    closed = story.write("chat.messages", "baton/ingest", "ConversationClosedAccepted", key, identity(closing))
    story.router("support.outcomes", "ConversationEnded", key, identity(closed), outcome="closed")


def _third_shopper(story: Story, key: str) -> None:
    """One moment, the deadline, a human who answers and resolves."""
    turn = story.message(key)
    moment = f"timer:{key}:moment:1:0"
    story.router("chat.replies", "NoticeSent", key, moment, notice="one_moment", position=1)
    story.evidence(turn, "AnswerUnavailable", cause="shop")
    raised = story.escalated(turn, f"timer:{key}:deadline:1:0", "ai_unavailable", epoch=0)
    claim = story.asked(key, "ClaimRequested", epoch=1)
    of = {"handoff": raised["id"], "agent": "ada"}
    story.router("support.escalations", "EscalationClaimed", key, claim, **of, epoch=2, took_over=False)
    story.router("chat.replies", "NoticeSent", key, claim, notice="human_joined")
    resolve = story.asked(key, "ResolveRequested", epoch=2)
    story.router("support.escalations", "EscalationResolved", key, resolve, **of, epoch=3)
    story.router("support.outcomes", "ConversationEnded", key, resolve, outcome="resolved_by_human")
    last = story.answered(key, epoch=4)
    assert last["data"]["position"] == 2
