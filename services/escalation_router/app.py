"""Composition root of the escalation router."""

from schemas.topics import CHAT_ANSWERS, CHAT_MESSAGES, CHAT_SENTIMENT, SUPPORT_AGENT_ACTIONS
from services.escalation_router.context import Context
from services.escalation_router.counting import count
from services.escalation_router.decide import RouterFold
from services.escalation_router.notices import Notices
from services.escalation_router.policy import Policy
from services.escalation_router.settings import Settings
from services.escalation_router.store import MIGRATIONS, Decisions
from services.lib.kit.assembly import fold_service
from services.lib.kit.deployable import deployable
from services.lib.kit.service import Service
from services.lib.kit.sql import Database

NAME = "escalation-router"
TOPICS = (CHAT_MESSAGES, CHAT_SENTIMENT, CHAT_ANSWERS, SUPPORT_AGENT_ACTIONS)


def create(settings: Settings) -> Service:
    """The router as a service. Raises `WrongPolicy` or `WrongNotices` where a file is not right."""
    context = Context(Policy.load(settings.policy_file), Notices.load(settings.notices_folder))
    return fold_service(
        NAME,
        settings,
        RouterFold(),
        TOPICS,
        database=Database(settings.database_url, NAME),
        migrations=(MIGRATIONS,),
        context=lambda: context,
        recorder=Decisions(),
        watch=count,
    )


app = deployable(NAME, Settings, create)
