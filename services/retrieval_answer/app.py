"""Composition root of retrieval-answer."""

import httpx

from schemas.topics import CHAT_MESSAGES
from services.lib.answering.pipeline import Answering
from services.lib.index.sqlite import SqliteIndex
from services.lib.kit.assembly import window_service
from services.lib.kit.deployable import deployable
from services.lib.kit.service import Service, utc_now
from services.lib.language.encoder import Encoder
from services.lib.shop.magento import Magento
from services.retrieval_answer.handlers import HANDLED, answer_with
from services.retrieval_answer.settings import Settings

NAME = "retrieval-answer"


def create(settings: Settings) -> Service:
    """Raises `IndexUnavailable` where there is no index: build one with `baton index`."""
    http = httpx.AsyncClient()
    encoder = Encoder.load()
    index = SqliteIndex.open(settings.index_path, encoder)
    answering = Answering(index, Magento(settings.shop, http), encoder, utc_now, settings.answering)

    return window_service(
        NAME,
        settings,
        (CHAT_MESSAGES,),
        HANDLED,
        lambda publisher: answer_with(answering, publisher, utc_now),
        needs=(lambda: http, lambda: index),
        width=settings.answers_at_once,
    )


app = deployable(NAME, Settings, create)
