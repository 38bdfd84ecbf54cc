"""The closed lists everything else is counted by: decisions, reasons, owners, arms, outcomes."""

from enum import StrEnum


class Decision(StrEnum):
    """How one turn ended. Exactly one per turn; the effects of each are in docs/decisions.md."""

    ANSWER = "answer"
    ANSWER_AND_OFFER_HUMAN = "answer_and_offer_human"
    CLARIFY = "clarify"
    ESCALATE = "escalate"
    SUPPRESS = "suppress"


class Reason(StrEnum):
    """Why a conversation was handed to a human. The order is the precedence: of several, the first wins."""

    PERSON_AT_RISK = "person_at_risk"
    RECALL_OR_SAFETY = "recall_or_safety"
    SAFETY_ADVICE = "safety_advice"
    LEGAL_THREAT = "legal_threat"
    PRIVACY_REQUEST = "privacy_request"
    WITHDRAWAL_NOTICE = "withdrawal_notice"
    HUMAN_REQUEST = "human_request"
    FRAUD_OR_ACCOUNT = "fraud_or_account"
    BILLING_DISPUTE = "billing_dispute"
    DAMAGED_OR_WRONG_ITEM = "damaged_or_wrong_item"
    DELIVERY_PROBLEM = "delivery_problem"
    WARRANTY_CLAIM = "warranty_claim"
    ORDER_CHANGE = "order_change"
    B2B_DEAL = "b2b_deal"
    NEGATIVE_SENTIMENT = "negative_sentiment"
    REPEATED_FAILURE = "repeated_failure"
    UNVERIFIED_CLAIM = "unverified_claim"
    LOW_CONFIDENCE = "low_confidence"
    ACTION_REQUIRED = "action_required"
    IDENTITY_UNVERIFIED = "identity_unverified"
    UNSUPPORTED_LANGUAGE = "unsupported_language"
    NOT_A_SHOPPER = "not_a_shopper"
    AI_UNAVAILABLE = "ai_unavailable"
    ROLLOUT_ARM = "rollout_arm"

    @property
    def rank(self) -> int:
        """0 is the gravest."""
        return _RANK[self]


_RANK = {reason: rank for rank, reason in enumerate(Reason)}

NEVER_SWITCHED_OFF = frozenset(r for r in Reason if r.rank <= Reason.HUMAN_REQUEST.rank)
"""Contained whatever a policy, a flag, a prompt or a text says."""

CONTAINED = frozenset(r for r in Reason if r.rank <= Reason.B2B_DEAL.rank)
"""Found at the door; never answered by the machine."""

JUDGED = frozenset(r for r in Reason if Reason.NEGATIVE_SENTIMENT.rank <= r.rank <= Reason.NOT_A_SHOPPER.rank)
"""Found by weighing sentiment and answer."""

FORCED = frozenset({Reason.AI_UNAVAILABLE, Reason.ROLLOUT_ARM})
"""Decided by circumstance, not by what was said."""

NO_LLM_EVER = frozenset(
    {
        Reason.PERSON_AT_RISK,
        Reason.RECALL_OR_SAFETY,
        Reason.SAFETY_ADVICE,
        Reason.LEGAL_THREAT,
        Reason.PRIVACY_REQUEST,
        Reason.WITHDRAWAL_NOTICE,
    }
)
"""Privacy, legal and safety matters: they reach no LLM, not even in history or brief, and a shopper's
"never mind" does not take them out of the queue."""


def gravest(*reasons: Reason | None) -> Reason | None:
    """The first of the list, or None where there is none."""
    return min((r for r in reasons if r is not None), key=lambda r: r.rank, default=None)


class Owner(StrEnum):
    """Who may speak in a conversation now."""

    AI = "ai"
    QUEUED = "queued"
    HUMAN = "human"
    CLOSED = "closed"


class Arm(StrEnum):
    """Rollout group: the machine answers; it drafts and agents send; humans alone."""

    AI = "ai"
    ASSIST = "assist"
    HUMAN = "human"


class Outcome(StrEnum):
    """How a conversation ended. A customer who left is not a resolved customer."""

    CONTAINED = "contained"
    CONFIRMED = "confirmed"
    REOPENED = "reopened"
    ABANDONED_WAITING = "abandoned_waiting"
    RESOLVED_BY_HUMAN = "resolved_by_human"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class Intent(StrEnum):
    """What kind of ordinary question a message asks."""

    PRODUCT_SEARCH = "product_search"
    PRODUCT_DETAIL = "product_detail"
    POLICY = "policy"
    ORDER_STATE = "order_state"
    SMALL_TALK = "small_talk"
    OTHER = "other"


class Priority(StrEnum):
    """How soon a human should look, gravest first."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"
