"""Answers one accepted message, and publishes what there is to say or why there is nothing."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from schemas.chat import (
    AcceptedTurn,
    AnswerProposed,
    AnswerUnavailable,
    AnswerWithheld,
    CustomerMessageAccepted,
    QuickReplyChosenAccepted,
)
from schemas.event import Event
from schemas.reasons import Intent
from schemas.topics import CHAT_ANSWERS, Topic
from services.lib.kit import metrics
from services.retrieval_answer.decide import covering

SOURCE = "baton/retrieval-answer"
HANDLED = (CustomerMessageAccepted, QuickReplyChosenAccepted)

Answer = AnswerProposed | AnswerWithheld | AnswerUnavailable

for _intent in Intent:  # one that is born with its first answer, at 1, shows no increase
    for _result in ("proposed", "clarification", "withheld", "unavailable"):
        metrics.ANSWERS.labels(_intent, _result)


class Answers(Protocol):
    async def answer(self, message: AcceptedTurn, *, identity: str) -> Answer: ...


class Publishes(Protocol):
    async def publish(self, topic: Topic, event: Event[Any]) -> None: ...


def answer_with(
    answering: Answers, publisher: Publishes, clock: Callable[[], datetime]
) -> Callable[[Event[Any]], Awaitable[None]]:
    """The window's handler. A contained message is a human's to answer, and so is one that could not be screened:
    nothing reads it here."""

    async def handle(event: Event[Any]) -> None:
        message: AcceptedTurn = event.data
        if message.screening.reason is not None or not message.screening.complete:
            return
        answer = await answering.answer(covering(message), identity=event.identity)
        _count(answer)
        await publisher.publish(CHAT_ANSWERS, event.followed_by(answer, source=SOURCE, time=clock()))

    return handle


def _count(answer: Answer) -> None:
    match answer:
        case AnswerProposed(kind="clarification"):
            result = "clarification"
        case AnswerProposed():
            result = "proposed"
        case AnswerWithheld():
            result = "withheld"
        case AnswerUnavailable():
            result = "unavailable"
    metrics.ANSWERS.labels(answer.intent, result).inc()
    metrics.ANSWER_SECONDS.labels(answer.intent).observe(answer.seconds)
