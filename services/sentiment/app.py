"""Composition root of the sentiment service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.topics import CHAT_MESSAGES
from services.lib.kit.assembly import window_service
from services.lib.kit.deployable import deployable
from services.lib.kit.service import Service, utc_now
from services.lib.language.sentiment import SentimentClassifier, SentimentModel
from services.sentiment.batches import Batches
from services.sentiment.handlers import HANDLED, score_with
from services.sentiment.settings import Settings

NAME = "sentiment"


def create(settings: Settings) -> Service:
    """Raises FileNotFoundError where the weights are missing: a model that is not there is not guessed."""
    model = _model(settings)
    batches = Batches(model.score)

    @asynccontextmanager
    async def thread() -> AsyncIterator[None]:
        try:
            yield
        finally:
            batches.close()

    return window_service(
        NAME,
        settings,
        (CHAT_MESSAGES,),
        HANDLED,
        lambda publisher: score_with(batches.score, model.version, publisher, utc_now),
        needs=(thread,),
    )


def _model(settings: Settings) -> SentimentClassifier:
    if settings.sentiment_model is None:
        return SentimentModel.load(threads=settings.sentiment_threads)
    from services.lib.language.huggingface import HuggingFaceSentiment  # brings torch, so only where asked for

    return HuggingFaceSentiment.load(settings.sentiment_model)


app = deployable(NAME, Settings, create)
