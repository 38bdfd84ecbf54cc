"""confidence: a probability that a draft answers the question, right and complete. Pure.

A logistic model, p = 1 / (1 + exp(-(w . x + b))). Its weights were reasoned, not fitted: set so that an answer
by exact fields comes out near 0.97, a quotation that covers the question near 0.8, one that barely passed its
threshold near 0.5, and one that could not meet all that was asked for below it. Whether that is enough for an
answer to leave is the router's policy to say.
"""

from math import exp

from schemas.reasons import Intent
from services.lib.answering.result import Signals

VERSION = "reasoned-1"

BIAS = -2.2
MATCH = 2.0
"""Meaning of the best evidence."""
COVERAGE = 2.0
"""Share of the question's words it has."""
MARGIN = 0.7
EXACT = 1.0
UNSURE = -0.3
"""The intent was settled by what was found, not by what was said."""
COMPROMISED = -1.0
HOSTILE = -1.0
"""Part of the message tried to instruct the machine."""
BY_INTENT = {Intent.SMALL_TALK: 1.0, Intent.ORDER_STATE: 0.5}


def confidence(signals: Signals, intent: Intent, *, sure: bool, hostile: bool) -> float:
    z = (
        BIAS
        + MATCH * signals.match
        + COVERAGE * signals.coverage
        + MARGIN * signals.margin
        + EXACT * signals.exact
        + UNSURE * (not sure)
        + COMPROMISED * signals.compromised
        + HOSTILE * hostile
        + BY_INTENT.get(intent, 0.0)
    )
    return round(1 / (1 + exp(-z)), 4)
