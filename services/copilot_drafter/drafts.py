"""`draft_of`: whether what the machine could have said is of use to the agent as a draft. Pure."""

from schemas.chat import AnswerProposed, AnswerUnavailable, AnswerWithheld
from schemas.reasons import FORCED, NO_LLM_EVER, Intent, Reason
from schemas.support import Draft
from services.copilot_drafter.gathered import Gathered, Missing
from services.lib.answering.understand import ORDER_REPLY
from services.lib.shop.models import Order

_WORTH_READING = 0.5
"""Probability of being right from which a draft is shown: below it, it costs the agent more often than it helps."""

_OWN_WORDS = NO_LLM_EVER | {Reason.HUMAN_REQUEST, Reason.FRAUD_OR_ACCOUNT}

_RULES = frozenset({Intent.POLICY})
_PRODUCTS = frozenset({Intent.PRODUCT_SEARCH, Intent.PRODUCT_DETAIL})
_QUESTIONS = _RULES | _PRODUCTS | {Intent.ORDER_STATE}

_FITTING = {
    Reason.BILLING_DISPUTE: _RULES,
    Reason.DAMAGED_OR_WRONG_ITEM: _RULES,
    Reason.DELIVERY_PROBLEM: _RULES | {Intent.ORDER_STATE},
    Reason.WARRANTY_CLAIM: _RULES,
    Reason.ORDER_CHANGE: _RULES,
    Reason.B2B_DEAL: _RULES | _PRODUCTS,
}
"""What may stand in a draft about a complaint. Who got a broken mug is offered no other mugs."""

_UNAVAILABLE = {
    "shop": "the shop could not be read",
    "index": "the search index could not be read",
    "llm": "the language model did not answer",
    "deadline": "there was no answer in the time there was",
    "internal": "the machine failed at it",
}

_WITHHELD = {
    Reason.ACTION_REQUIRED: "it asks for something to be done",
    Reason.IDENTITY_UNVERIFIED: "an order is only told to the customer it belongs to",
    Reason.UNSUPPORTED_LANGUAGE: "the machine does not write this language",
    Reason.UNVERIFIED_CLAIM: "what the machine would say could not be proven",
    Reason.NOT_A_SHOPPER: "the message only tries to instruct the machine",
}


def allows_draft(reason: Reason) -> bool:
    """Safety, law, privacy and fraud are answered in a human's own words. A wish for a person asks nothing."""
    return reason not in _OWN_WORDS


def fitting(reason: Reason) -> frozenset[Intent]:
    """Kinds of answer that may be a draft for this reason. Where the machine was merely kept from speaking, a
    greeting may be greeted."""
    if not allows_draft(reason):
        return frozenset()
    return _FITTING.get(reason, _QUESTIONS | {Intent.SMALL_TALK} if reason in FORCED else _QUESTIONS)


def order_meant(reason: Reason, question: AnswerProposed, orders: tuple[Order, ...]) -> str | None:
    """Where the machine would ask which order is meant: the number of the one that it most likely is.

    `orders` are the customer's, latest first. The latest under way is what people ask about; a parcel that does not
    come has left. None where the question is another, or no order would fit a draft.
    """
    offered = {one.id.removeprefix(ORDER_REPLY) for one in question.quick_replies if one.id.startswith(ORDER_REPLY)}
    if Intent.ORDER_STATE not in fitting(reason):
        return None
    among = [order for order in orders if order.number in offered]
    if reason is Reason.DELIVERY_PROBLEM:
        among = [order for order in among if order.shipments] or among
    return among[0].number if among else None


def draft_of(reason: Reason, gathered: Gathered) -> tuple[Draft | None, str | None]:
    """The draft, or in a sentence why there is none."""
    answer = gathered.answer
    if not allows_draft(reason):
        return None, f"Draft: {str(reason).replace('_', ' ')} is answered in your own words."
    match answer:
        case None:
            return None, "Draft: there was no text to answer."
        case Missing(why=why):
            return None, why
        case AnswerUnavailable(cause=cause):
            return None, f"Draft: {_UNAVAILABLE[cause]}."
        case AnswerWithheld(reason=withheld):
            return None, f"Draft: {_WITHHELD.get(withheld, 'nothing in the data of the shop answers this')}."
        case AnswerProposed(kind="clarification"):
            return None, "Draft: the message leaves open what exactly it asks."
    if answer.intent not in fitting(reason):
        return None, f"Draft: nothing the machine could say helps with {str(reason).replace('_', ' ')}."
    if answer.confidence < _WORTH_READING:
        return None, "Draft: the best the machine found is more likely wrong than right."
    return Draft(text=answer.text, language=answer.language, cards=answer.cards, proofs=answer.proofs), None
