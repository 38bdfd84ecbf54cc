"""Scores one accepted message and publishes what came of it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from schemas.chat import CustomerMessageAccepted, QuickReplyChosenAccepted, Sentiment, SentimentScored
from schemas.event import Event
from schemas.topics import CHAT_SENTIMENT, Topic
from services.lib.language.sentiment import SentimentScores

SOURCE = "baton/sentiment"
HANDLED = (CustomerMessageAccepted, QuickReplyChosenAccepted)
"""The human button says nothing to score and is decided without evidence."""


class Publishes(Protocol):
    async def publish(self, topic: Topic, event: Event[Any]) -> None: ...


def score_with(
    score: Callable[[str], Awaitable[SentimentScores]],
    model: str,
    publisher: Publishes,
    clock: Callable[[], datetime],
) -> Callable[[Event[Any]], Awaitable[None]]:
    """The window's handler. `model` names the weights."""

    async def handle(event: Event[Any]) -> None:
        message: CustomerMessageAccepted | QuickReplyChosenAccepted = event.data
        scores = await score(message.text) if message.text.strip() else None
        scored = SentimentScored(
            gateway=message.gateway,
            conversation=message.conversation,
            position=message.position,
            message=event.identity,
            scores=as_data(scores) if scores is not None else None,
            model=model,
        )
        await publisher.publish(CHAT_SENTIMENT, event.followed_by(scored, source=SOURCE, time=clock()))

    return handle


def as_data(scores: SentimentScores) -> Sentiment:
    """Within [0, 1] also where single precision says 1.0000001."""
    negative, neutral, positive = (
        min(1.0, max(0.0, value)) for value in (scores.negative, scores.neutral, scores.positive)
    )
    return Sentiment(negative=negative, neutral=neutral, positive=positive)
