"""Composition root of the copilot drafter."""

import httpx

from schemas.topics import SUPPORT_ESCALATIONS
from services.copilot_drafter.handlers import HANDLED, draft_with
from services.copilot_drafter.settings import Settings
from services.copilot_drafter.transcripts import HttpTranscripts
from services.lib.answering.pipeline import Answering
from services.lib.index.sqlite import SqliteIndex
from services.lib.kit.assembly import window_service
from services.lib.kit.deployable import deployable
from services.lib.kit.service import Service, utc_now
from services.lib.language.encoder import Encoder
from services.lib.shop.magento import Magento

NAME = "copilot-drafter"


def create(settings: Settings) -> Service:
    """Raises `IndexUnavailable` where there is no index to draft from."""
    http = httpx.AsyncClient()
    shop = Magento(settings.shop, http)
    encoder = Encoder.load()
    index = SqliteIndex.open(settings.index_path, encoder)
    answering = Answering(index, shop, encoder, utc_now, settings.answering)

    return window_service(
        NAME,
        settings,
        (SUPPORT_ESCALATIONS,),
        HANDLED,
        lambda publisher: draft_with(
            shop=shop,
            answers=answering,
            transcripts=HttpTranscripts(http, settings.ingest_url, settings.transcript_token),
            publisher=publisher,
            clock=utc_now,
            read_s=settings.read_s,
            last_orders=settings.last_orders,
        ),
        needs=(lambda: http, lambda: index),
        width=16,
    )


app = deployable(NAME, Settings, create)
