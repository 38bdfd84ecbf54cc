"""`count`: metrics of what ingest did not accept, once it is committed."""

from datetime import datetime

from schemas.chat import MessageRejected, RejectionCause
from services.ingest.state import Conversation
from services.lib.kit import metrics
from services.lib.kit.fold import Publish, Step

for _cause in RejectionCause:  # one that is born with its first message, at 1, shows no increase
    metrics.REJECTIONS.labels(_cause)


def count(key: str, before: Conversation, step: Step[Conversation], now: datetime) -> None:
    """Each message that was refused, announced or not."""
    for effect in step.effects:
        if isinstance(effect, Publish) and isinstance(effect.data, MessageRejected):
            metrics.REJECTIONS.labels(effect.data.cause).inc()
