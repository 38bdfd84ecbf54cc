"""An agents' desk in one file: somebody else's program, which knows Baton's topics and nothing of its code.

    python docs/examples/desk.py localhost:9092 --agent ann
    BATON_TRANSCRIPT_TOKEN=... python docs/examples/desk.py localhost:9092 --agent ann --ingest http://localhost:8080/ingest

Commands: `list`, `claim N`, `show N`, `reply N text`, `back N` (give back to the machine), `resolve N`, `quit`.
Needs confluent-kafka alone.

What it does that every desk must do:
  - each request carries the epoch that the desk showed, so that two agents cannot both have a conversation;
  - a request is a wish: the conversation is yours when `EscalationClaimed` names you, and a wish that came too
    late comes back as `ActionRefused` with the id of the request;
  - events that were seen are dropped by (source, id): delivery is at least once.

A desk holds the open handoffs. This one keeps them in memory, so it reads the topics from their beginning, without
a consumer group; one with a database keeps them, and the offsets, there.
"""

import argparse
import json
import os
import queue
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

ESCALATIONS = "baton.support.escalations.v1"
BRIEFS = "baton.support.briefs.v1"
ACTIONS = "baton.support.agent-actions.v1"

Json = dict[str, Any]


# --- what is published: pure ----------------------------------------------------------------------------------


def claim(desk: str, agent: str, handoff: "Handoff") -> Json:
    return _request("ClaimRequested", desk, agent, handoff, {})


def reply(desk: str, agent: str, handoff: "Handoff", text: str, draft_use: str = "none") -> Json:
    """`draft_use`: none, as_is or edited."""
    return _request("ReplyRequested", desk, agent, handoff, {"text": text, "draft_use": draft_use})


def give_back(desk: str, agent: str, handoff: "Handoff") -> Json:
    return _request("GiveBackRequested", desk, agent, handoff, {})


def resolve(desk: str, agent: str, handoff: "Handoff") -> Json:
    return _request("ResolveRequested", desk, agent, handoff, {})


def record(event: Json) -> tuple[bytes, bytes]:
    """Key and value of the Kafka record."""
    return event["subject"].encode(), json.dumps(event, ensure_ascii=False).encode()


def _request(type_: str, desk: str, agent: str, handoff: "Handoff", data: Json) -> Json:
    gateway, conversation = handoff.subject.split(":", 1)
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": f"desk/{desk}",
        "type": type_,
        "subject": handoff.subject,
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {
            "gateway": gateway,
            "conversation": conversation,
            "agent": agent,
            "epoch": handoff.epoch,
            **data,
        },
    }


# --- what is read: pure ---------------------------------------------------------------------------------------


@dataclass
class Handoff:
    subject: str
    epoch: int
    reason: str = ""
    priority: str = ""
    agent: str | None = None
    transcript: list[Json] = field(default_factory=list)
    brief: Json | None = None


class Board:
    """The open handoffs, by `gateway:conversation`, from the events of both topics in any order."""

    def __init__(self, desk: str) -> None:
        self._source = f"desk/{desk}"
        self._seen: set[tuple[str, str]] = set()
        self._briefs: dict[str, Json] = {}
        """Briefs by handoff: the topics are read side by side, so a brief may come before its handoff."""
        self.open: dict[str, Handoff] = {}

    def take(self, value: bytes) -> str | None:
        """Take an event in. Returns what to tell the agent, None where there is nothing to tell."""
        try:
            event = json.loads(value)
            identity = (event["source"], event["id"])
            type_, subject, data = event["type"], event["subject"], event["data"]
        except (ValueError, KeyError, TypeError):
            return None
        if identity in self._seen:
            return None
        self._seen.add(identity)
        handoff = self.open.get(subject)
        if handoff is not None and "epoch" in data:
            handoff.epoch = max(handoff.epoch, data["epoch"])
        if type_ == "EscalationRaised":
            return self._raised(subject, data)
        if type_ == "BriefPrepared":
            self._briefs[data["handoff"]] = data
            if handoff is not None:
                handoff.brief = data
            return f"brief for {subject}: {data['summary']}"
        if handoff is None:
            return None
        if type_ == "PriorityRaised":
            handoff.reason, handoff.priority = data["reason"], data["priority"]
            return f"{subject} is {data['priority']} now: {data['reason']}"
        if type_ == "EscalationClaimed":
            handoff.agent = data["agent"]
            return f"{subject} is with {data['agent']}"
        if type_ == "ActionRefused":
            mine = data["request"].startswith(f"{self._source}#")
            now = f"; it is with {data['claimed_by']}" if data.get("claimed_by") else ""
            return f"REFUSED: {data['action']} of {subject} ({data['cause']}){now}" if mine else None
        if type_ in ("EscalationReturned", "EscalationResolved", "EscalationCancelled"):
            del self.open[subject]
            return f"{subject} is closed here ({type_})"
        return None

    def _raised(self, subject: str, data: Json) -> str:
        self.open[subject] = Handoff(
            subject,
            data["epoch"],
            data["reason"],
            data["priority"],
            transcript=data["transcript"],
            brief=self._briefs.get(data["handoff"]),
        )
        return f"new: {subject} ({data['reason']}, {data['priority']})"

    def lines(self) -> list[str]:
        """Numbered as `at` counts, the most urgent first."""
        return [
            f"[{n}] {one.priority:<7} {one.reason:<22} {one.subject}  "
            + (f"with {one.agent}" if one.agent else "waiting")
            for n, one in enumerate(self._sorted(), start=1)
        ]

    def at(self, number: str) -> Handoff | None:
        handoffs = self._sorted()
        return handoffs[int(number) - 1] if number.isdigit() and 1 <= int(number) <= len(handoffs) else None

    def _sorted(self) -> list[Handoff]:
        ranks = ["urgent", "high", "normal", "low"]
        return sorted(self.open.values(), key=lambda one: (ranks.index(one.priority), one.subject))


def told(handoff: Handoff) -> list[str]:
    """The brief where it is there, the masked transcript of the handoff until then."""
    brief = handoff.brief
    if brief is None:
        return [f"{line['role']}> {line['text']}" for line in handoff.transcript]
    lines = [f"why: {brief['why']}", f"summary: {brief['summary']}"]
    lines += [f"{line['role']}> {line['text']}" for line in brief.get("transcript", [])]
    lines += [f"order {o['number']}: {o['status']}, {o['url']}" for o in brief.get("orders", [])]
    lines += [f"missing: {missing}" for missing in brief.get("missing", [])]
    if brief.get("draft"):
        lines.append(f"draft: {brief['draft']['text']}")
    return lines


def transcript_address(ingest: str, handoff: Handoff) -> str:
    """Where ingest serves the conversation as it is now: what the shopper wrote after the handoff is there."""
    gateway, conversation = handoff.subject.split(":", 1)
    return f"{ingest}/transcripts/{urllib.parse.quote(gateway, safe='')}/{urllib.parse.quote(conversation)}"


# --- the program ----------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description="Claim and answer handoffs over Kafka.")
    parser.add_argument("bootstrap", help="host:port of Kafka")
    parser.add_argument("-X", action="append", default=[], metavar="K=V", help="librdkafka setting, e.g. TLS")
    parser.add_argument("--desk", default="example")
    parser.add_argument("--agent", default="ann")
    parser.add_argument("--ingest", help="address of ingest, for live transcripts; token in BATON_TRANSCRIPT_TOKEN")
    options = parser.parse_args()
    common = {"bootstrap.servers": options.bootstrap, **dict(one.split("=", 1) for one in options.X)}
    try:
        _work(common, options.desk, options.agent, options.ingest)
    except KafkaException as error:
        sys.exit(f"Kafka at {options.bootstrap}: {error}")
    return 0


def _work(common: Json, desk: str, agent: str, ingest: str | None) -> None:
    producer = Producer({**common, "enable.idempotence": True, "acks": "all", "message.timeout.ms": 10_000})
    # A group id is asked for although no group is joined and nothing is committed.
    consumer = Consumer({**common, "group.id": f"desk-{desk}", "enable.auto.commit": False})
    partitions = [
        TopicPartition(topic, partition, OFFSET_BEGINNING)
        for topic in (ESCALATIONS, BRIEFS)
        for partition in consumer.list_topics(topic, timeout=5).topics[topic].partitions
    ]
    consumer.assign(partitions)
    board = Board(desk)
    typed: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read_input, args=(typed,), daemon=True).start()
    while True:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            news = board.take(message.value() or b"")
            if news is not None:
                _say(news)
        while not typed.empty():
            line = typed.get()
            if line is None or line == "quit":
                consumer.close()
                return
            _command(line, board, desk, agent, producer, ingest)


def _command(line: str, board: Board, desk: str, agent: str, producer: Producer, ingest: str | None) -> None:
    verb, _, rest = line.partition(" ")
    number, _, text = rest.strip().partition(" ")
    handoff = board.at(number)
    requests = {"claim": claim, "back": give_back, "resolve": resolve}
    if verb == "list":
        _say("\n".join(board.lines()) or "nobody is waiting")
    elif handoff is None:
        _say("list | claim N | show N | reply N text | back N | resolve N | quit")
    elif verb == "show":
        _say("\n".join(_live(ingest, handoff) or told(handoff)))
    elif verb == "reply" and text:
        _publish(producer, reply(desk, agent, handoff, text))
    elif verb in requests:
        _publish(producer, requests[verb](desk, agent, handoff))


def _live(ingest: str | None, handoff: Handoff) -> list[str]:
    if ingest is None:
        return []
    token = os.environ.get("BATON_TRANSCRIPT_TOKEN", "")
    request = urllib.request.Request(  # noqa: S310  # the address is the operator's
        transcript_address(ingest, handoff), headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return [f"{line['role']}> {line['text']}" for line in json.load(answer)["lines"]]
    except (urllib.error.URLError, TimeoutError) as error:
        return [f"(no live transcript: {error})", *told(handoff)]


def _publish(producer: Producer, event: Json) -> None:
    failed: list[Any] = []
    key, value = record(event)
    producer.produce(
        ACTIONS, key=key, value=value, on_delivery=lambda error, _: failed.append(error) if error else None
    )
    if producer.flush(15) or failed:
        _say(f"Kafka did not take the request: {failed[0] if failed else 'no answer within 15 s'}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _read_input(typed: "queue.Queue[str | None]") -> None:
    for line in sys.stdin:
        typed.put(line.strip())
    typed.put(None)


if __name__ == "__main__":
    sys.exit(main())
