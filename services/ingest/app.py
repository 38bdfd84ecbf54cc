"""Composition root of ingest."""

import asyncio
from datetime import datetime, timedelta

from schemas import chat
from schemas.topics import CHAT_INBOUND, CHAT_REPLIES, DEAD_LETTER_LIMIT, SUPPORT_ESCALATIONS
from services.ingest.counting import count
from services.ingest.decide import IngestFold
from services.ingest.examine import Readers
from services.ingest.handlers import preparer
from services.ingest.http import transcript_route
from services.ingest.ledger import WAIT
from services.ingest.settings import Settings
from services.ingest.store import MIGRATIONS, ConversationLog
from services.lib.kit.assembly import fold_service
from services.lib.kit.deployable import deployable
from services.lib.kit.errors import Unavailable
from services.lib.kit.service import Service, utc_now
from services.lib.kit.sql import Database
from services.lib.language.language_id import identify
from services.lib.language.masking import Masked, mask
from services.lib.language.screening import Screen
from services.lib.shop.identity import verify_identity

NAME = "ingest"
SWEEP_EVERY_S = 3600.0
"""Seconds between deletions of old lines: their time is counted in days."""
EVIDENCE_MOST = 20
"""Hits that travel with a message: the gravest first, and an agent reads three."""


def create(settings: Settings) -> Service:
    """Raises `ValueError` where a rule file is wrong: nothing is let in unscreened for a typing error."""
    database = Database(settings.database_url, NAME)
    log = ConversationLog(database)
    service = fold_service(
        NAME,
        settings,
        IngestFold(),
        (CHAT_INBOUND, CHAT_REPLIES, SUPPORT_ESCALATIONS),
        database=database,
        migrations=(MIGRATIONS,),
        context=lambda: None,
        recorder=log,
        watch=count,
        prepare=preparer(readers_of(settings), utc_now),
        # An oversized message is answered, not dead-lettered: the shopper should know why nothing comes.
        size_limit=DEAD_LETTER_LIMIT,
        strict_types=True,
        timers_by_the_clock=(WAIT,),
    )
    service.run_beside(lambda: _sweep(log, timedelta(days=settings.log_kept_days)))
    service.routes.append(transcript_route(log, settings.transcript_token))
    return service


def readers_of(settings: Settings) -> Readers:
    """The real ones."""
    screen = Screen.load()
    # Both build their tables at first use, which takes seconds: better now than before the first shopper.
    warm_up = "Where is my order? Wo ist meine Bestellung?"
    identify(warm_up)
    screen.screen(warm_up)
    key = settings.identity_key.get_secret_value()

    def masked(text: str) -> Masked:
        return mask(text, region=settings.region)

    def screened(text: str, language: str) -> chat.Screening:
        found = screen.screen(text, language)
        evidence = tuple(
            chat.Evidence(source=hit.source, reason=hit.reason, span=hit.span, score=hit.probability)
            for hit in found.hits[:EVIDENCE_MOST]
        )
        return chat.Screening(complete=True, reason=found.reason, evidence=evidence, version=found.version)

    def identified(token: str, now: datetime) -> chat.Identity | None:
        proven = verify_identity(token, key, now, issuer=settings.identity_issuer)
        if proven is None:
            return None
        return chat.Identity(
            customer_id=proven.customer_id,
            website=str(proven.website),
            group=str(proven.group),
            expires_at=proven.expires_at,
        )

    def told(text: str) -> str | None:
        return identify(text).code

    return Readers(masked, screened, told, identified, screen.version)


async def _sweep(log: ConversationLog, kept: timedelta) -> None:
    while True:
        try:
            await log.delete_before(utc_now() - kept)
        except Unavailable:
            await asyncio.sleep(1.0)
        else:
            await asyncio.sleep(SWEEP_EVERY_S)


app = deployable(NAME, Settings, create)
