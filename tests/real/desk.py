"""`Desk`: a small agent desk: claims some of what is escalated, replies, gives back or resolves.

Written from the topics' documents alone, in a thread of its own, so that handoffs go on while processes are killed.
"""

import json
import threading
import uuid
from datetime import UTC, datetime
from random import Random
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

ESCALATIONS = "baton.support.escalations.v1"
ACTIONS = "baton.support.agent-actions.v1"
SOURCE = "desk/small"
_AGENTS = ("ada", "ben")


class Desk:
    """`share` of the escalations is claimed. What an agent does follows from the id of the handoff alone."""

    def __init__(self, bootstrap: str, *, share: float = 0.4) -> None:
        self._bootstrap, self._share = bootstrap, share
        self._seen: set[str] = set()
        self._stop = threading.Event()
        self._failed: list[Exception] = []
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all"})
        self.requested = 0
        """Requests that were handed to Kafka."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)
        if self._producer.flush(60) or self._failed:
            raise RuntimeError("the desk lost its requests") from (self._failed[0] if self._failed else None)

    def _work(self) -> None:
        try:
            self._serve()
        except Exception as failure:  # told to whoever closes the desk
            self._failed.append(failure)

    def _serve(self) -> None:
        topic = AdminClient({"bootstrap.servers": self._bootstrap}).list_topics(ESCALATIONS, timeout=10)
        consumer = Consumer(
            {"bootstrap.servers": self._bootstrap, "group.id": "small-desk", "enable.auto.commit": False}
        )
        consumer.assign([TopicPartition(ESCALATIONS, n, 0) for n in topic.topics[ESCALATIONS].partitions])
        while not self._stop.is_set():
            for message in consumer.consume(50, timeout=0.2):
                if message.error() is None:
                    self._take(json.loads(message.value() or b"{}"))
            self._producer.poll(0)
        consumer.close()

    def _take(self, event: dict[str, Any]) -> None:
        identity = f"{event['source']}#{event['id']}"
        if identity in self._seen:
            return
        self._seen.add(identity)
        for kind, more in reaction(event, self._share):
            self._ask(kind, event, more)

    def _ask(self, kind: str, event: dict[str, Any], more: dict[str, Any]) -> None:
        heard = event["data"]
        data = {name: heard[name] for name in ("gateway", "conversation", "epoch")} | more
        request = {
            "specversion": "1.0",
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event['id']}:{kind}:{more['agent']}")),
            "source": SOURCE,
            "type": kind,
            "subject": event["subject"],
            "time": datetime.now(UTC).isoformat(),
            "datacontenttype": "application/json",
            "data": data,
        }
        self._producer.produce(
            ACTIONS, key=event["subject"], value=json.dumps(request).encode(), on_delivery=self._delivered
        )
        self.requested += 1

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed.append(KafkaException(error))


def reaction(event: dict[str, Any], share: float) -> list[tuple[str, dict[str, Any]]]:
    """What agents ask for when they read an event: kind and data of each request. Pure."""
    random = Random(event["id"])  # noqa: S311  # agents keep no secrets
    first, second = random.sample(_AGENTS, 2)
    if event["type"] == "EscalationRaised" and random.random() < share:
        late = [("ClaimRequested", {"agent": second})] if random.random() < 0.2 else []
        return [("ClaimRequested", {"agent": first}), *late]
    if event["type"] == "EscalationClaimed":
        agent = event["data"]["agent"]
        said = ("ReplyRequested", {"agent": agent, "text": f"Hello, this is {agent}.", "draft_use": "none"})
        ending = random.choice(("GiveBackRequested", "GiveBackRequested", "ResolveRequested", None))
        return [said] if ending is None else [said, (ending, {"agent": agent})]
    return []
