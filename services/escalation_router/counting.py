"""`count`: metrics and log lines of what the router decided, once it is committed."""

import logging
from datetime import datetime

from schemas.reasons import Arm, Decision, Reason
from schemas.support import DecisionMade, EscalationClaimed
from services.escalation_router.state import Conversation
from services.lib.kit import metrics
from services.lib.kit.fold import Publish, Step

_log = logging.getLogger(__name__)

for _decision in Decision:  # one that is born with its first decision, at 1, shows no increase
    metrics.DECISION_SECONDS.labels(_decision)
    for _arm in Arm:
        for _reason in Reason if _decision is Decision.ESCALATE else ("none",):
            metrics.DECISIONS.labels(_decision, _reason, _arm)


def count(key: str, before: Conversation, step: Step[Conversation], now: datetime) -> None:
    """Each decision, and how long a raised escalation waited for its human.

    A human who simply speaks ends the wait of the handoff that was raised; where none was, nobody waited.
    """
    for effect in step.effects:
        if not isinstance(effect, Publish):
            continue
        if isinstance(effect.data, DecisionMade):
            _decided(key, effect.data)
        elif isinstance(effect.data, EscalationClaimed) and before.handoff is not None:
            waited = (now - before.handoff.raised_at).total_seconds()
            metrics.HANDOFF_WAIT.observe(max(0.0, waited))


def _decided(key: str, made: DecisionMade) -> None:
    seconds = (made.decided_at - made.accepted_at).total_seconds()
    metrics.DECISIONS.labels(made.decision, made.reason or "none", made.arm).inc()
    metrics.DECISION_SECONDS.labels(made.decision).observe(max(0.0, seconds))
    fields = {
        "key": key,
        "position": made.position,
        "decision": made.decision,
        "reason": made.reason,
        "because": made.because,
        "intent": made.intent,
        "confidence": made.confidence,
        "seconds": round(seconds, 3),
        "policy": made.versions.policy[:12],
    }
    _log.info("decided", extra={"fields": fields})
