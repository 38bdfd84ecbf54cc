"""`router_inputs`: what ingest, sentiment and retrieval-answer would have published, for the router alone.

A backlog of the past: each turn with its sentiment and its answer, proven by facts that are young enough, accepted at
moments spread over the time before `now`. Nothing in it gives a reason for `ai_unavailable`.
"""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from confluent_kafka import Producer

MESSAGES, SENTIMENT, ANSWERS = "baton.chat.messages.v1", "baton.chat.sentiment.v1", "baton.chat.answers.v1"
ANSWER_WITHIN = timedelta(seconds=30)
CONTAINED, BUTTONS, WITHHELD, CLARIFIED = 0.04, 0.02, 0.03, 0.05
"""Shares of turns that a human must decide, of the human button, of answers withheld, of questions back."""
_NAMES = uuid.UUID("0e2a9d0c-5c1f-4a39-8f6e-3f6a3e5b7b11")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """A record to publish."""

    topic: str
    key: str
    value: bytes


def router_inputs(
    conversations: int,
    turns: int,
    *,
    spread: timedelta,
    now: datetime,
    seed: int = 1,
    gateway: str = "backlog",
) -> list[Ready]:
    """`turns` for each conversation, in the order of time over all conversations. `spread` is at most 14 minutes:
    older facts prove nothing. Between two turns of a conversation lie `spread / turns` and nothing is left undecided.
    """
    if spread > timedelta(minutes=14):
        raise ValueError("facts older than 15 minutes are no proof")
    random = Random(seed)  # noqa: S311  # a load is no secret
    found: list[tuple[datetime, Ready]] = []
    step = spread / turns
    for n in range(conversations):
        line = _Conversation(gateway, seed, n)
        late = step * random.random() * 0.9
        for turn in range(turns):
            found += line.turn(now - spread + step * turn + late)
    found.sort(key=lambda one: one[0])
    return [ready for _, ready in found]


def publish(bootstrap: str, records: Iterable[Ready], *, within_s: float = 60.0) -> None:
    """Returns when Kafka has them all; raises `RuntimeError` where it does not take them."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": 5})
    failed: list[Any] = []
    for one in records:
        producer.produce(
            one.topic,
            key=one.key,
            value=one.value,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        producer.poll(0)
    if producer.flush(within_s) or failed:
        raise RuntimeError(f"Kafka did not take the backlog: {failed[:3]}")


class _Conversation:
    def __init__(self, gateway: str, seed: int, number: int) -> None:
        name = f"b{seed}-{number}"
        self._address = {"gateway": gateway, "conversation": name}
        self._key = f"{gateway}:{name}"
        self._random = random = Random(f"{seed}-{number}")  # noqa: S311
        self._bucket = random.randrange(10_000)
        self._position = 0

    def turn(self, at: datetime) -> list[tuple[datetime, Ready]]:
        """A message, and what was worked out of it a moment later."""
        self._position += 1
        drawn = self._random.random()
        button, contained = drawn < BUTTONS, BUTTONS <= drawn < BUTTONS + CONTAINED
        accepted = self._event(
            MESSAGES,
            "baton/ingest",
            "HumanRequestedAccepted" if button else "CustomerMessageAccepted",
            f"gateway/backlog#{self._key}:{self._position}",
            at,
            self._accepted(at, button=button, contained=contained),
            sequence=self._position,
        )
        if button:
            return [(at, self._ready(MESSAGES, accepted))]
        identity = f"{accepted['source']}#{accepted['id']}"
        about: Json = {**self._address, "position": self._position, "message": identity}
        scores = {"negative": 0.05, "neutral": 0.85, "positive": 0.1}
        scored: Json = {**about, "scores": scores, "model": "sentiment-1"}
        soon, then = at + timedelta(seconds=0.1), at + timedelta(seconds=0.8)
        ready = [
            (at, self._ready(MESSAGES, accepted)),
            (
                soon,
                self._ready(
                    SENTIMENT,
                    self._event(SENTIMENT, "baton/sentiment", "SentimentScored", identity, soon, scored),
                ),
            ),
        ]
        if not contained:
            kind, answer = self._answer(about, then)
            event = self._event(ANSWERS, "baton/retrieval-answer", kind, identity, then, answer)
            ready.append((then, self._ready(ANSWERS, event)))
        return ready

    def _accepted(self, at: datetime, *, button: bool, contained: bool) -> Json:
        screening: Json = {"complete": True, "version": "rules-1"}
        text = "" if button else f"What does the Keep Hot Travel Mug cost, question {self._position}?"
        if button:
            pressed = {"source": "button", "reason": "human_request"}
            screening |= {"reason": "human_request", "evidence": [pressed]}
        elif contained:
            text = "The mug arrived broken."
            found: Json = {"source": "rule:en.damaged", "reason": "damaged_or_wrong_item", "score": 1.0}
            screening |= {"reason": "damaged_or_wrong_item", "evidence": [found]}
        return {
            **self._address,
            "store": "default",
            "language": "en",
            "bucket": self._bucket,
            "identity": {},
            "owner": "ai",
            "accepted_at": at.isoformat(),
            "position": self._position,
            "text": text,
            "screening": screening,
            "answer_by": (at + ANSWER_WITHIN).isoformat(),
        }

    def _answer(self, about: Json, at: datetime) -> tuple[str, Json]:
        drawn = self._random.random()
        common = {**about, "intent": "product_detail", "seconds": 0.7}
        if drawn < WITHHELD:
            return "AnswerWithheld", {**common, "reason": "low_confidence", "detail": "nothing fits"}
        said = {"language": "en", "confidence": 0.97, "versions": {"composer": "extractive-1"}}
        if drawn < WITHHELD + CLARIFIED:
            text = "Which of the mugs do you mean?"
            return "AnswerProposed", {**common, **said, "kind": "clarification", "text": text, "plain": text}
        # Each answer says something else: a line that goes in circles is for a human.
        cents = 1000 + self._random.randrange(8000) + self._position
        price = f"{cents // 100}.{cents % 100:02d}"
        text = f"Keep Hot Travel Mug costs ${price}."
        proof = {"kind": "price", "subject": "KI-704", "value": f"{price} USD", "read_at": at.isoformat()}
        claim = {"text": text, "kind": "price", "proofs": [0]}
        return "AnswerProposed", {
            **common,
            **said,
            "kind": "answer",
            "text": text,
            "plain": text,
            "claims": [claim],
            "proofs": [proof],
        }

    def _event(
        self, topic: str, source: str, kind: str, cause: str, at: datetime, data: Json, sequence: int | None = None
    ) -> Json:
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid5(_NAMES, f"{cause}|{kind}")),
            "source": source,
            "type": kind,
            "subject": self._key,
            "time": at.isoformat(),
            "datacontenttype": "application/json",
            "dataschema": f"urn:baton:schema:{topic.removeprefix('baton.')}:{kind}",
            "data": data,
            "causationid": cause,
        }
        return event if sequence is None else {**event, "sequence": sequence}

    def _ready(self, topic: str, event: Json) -> Ready:
        return Ready(topic, self._key, json.dumps(event).encode())
