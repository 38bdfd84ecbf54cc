"""compose_policy: a rule of the shop, quoted from the passage that states it, with its source."""

import re
from datetime import datetime

from schemas.reasons import Intent, Reason
from services.lib.answering.catalogue_words import CatalogueWords
from services.lib.answering.draft import Draft
from services.lib.answering.lexicon import lexicon
from services.lib.answering.places import without_places
from services.lib.answering.quotation import is_answered, quotation
from services.lib.answering.result import Composed, Signals, Withhold
from services.lib.answering.retrieve import coverage
from services.lib.answering.returns import surely_inside
from services.lib.answering.texts import date
from services.lib.answering.understand import Understanding
from services.lib.index.port import PassageHit
from services.lib.index.terms import fold, words
from services.lib.shop.models import Order

INTENT = Intent.POLICY

ANSWERS = 0.42
"""Evidence score from which a passage is taken to answer."""

STEPS = 0.12
"""Added for a heading that promises to say how, where that is asked."""

_HOW_ASKED = re.compile(r"\b(?:how (?:do|can|to|should|would)|wie (?:kann|gebe|schicke|bekomme)|comment|como)\b")
_HOW = re.compile(r"(?:^|/ )(?:how to|how you|so |wie |comment |como )")

PLAINLY = 0.1
"""Added for a quotation that is nothing but what was asked about, as an item of a list is."""

KIND = 0.12
"""Added where a time or a cost is asked for and the quotation says one."""

OPENING = 0.06
"""Added for the first passage of a page, which states its main rule: a question in general means that one."""


def compose_policy(
    u: Understanding,
    passages: tuple[PassageHit, ...],
    catalogue: CatalogueWords,
    language: str,
    *,
    order: Order | None,
    now: datetime,
) -> Composed | Withhold:
    asked = _asked(u)
    quotes = [(hit, quote) for hit in passages if (quote := quotation(u, asked, hit.document)) is not None]
    if passages and not quotes:
        return Withhold(INTENT, Reason.LOW_CONFIDENCE, "no passage speaks of the place asked about")
    scored = sorted(
        ((_score(u, asked, hit, quote), hit, quote) for hit, quote in quotes), key=lambda found: -found[0]
    )
    if not scored or scored[0][0] < ANSWERS:
        return Withhold(INTENT, Reason.LOW_CONFIDENCE, "no passage answers the question")
    (best, hit, quote), *others = scored
    document = hit.document
    if len(quote) > 2000:
        return Withhold(INTENT, Reason.LOW_CONFIDENCE, f"{document.id} is too long to be quoted")
    draft = Draft(language)
    proof = draft.passage(document, quote)
    draft.claim("policy", draft.say("policy", title=document.title_text, quote=quote), proof)
    draft.add("read_more", url=document.url)
    if order is not None and u.returns and surely_inside(quote, order.created_at, now):
        placed = draft.fact("order", order.number, f"created {order.created_at:%Y-%m-%d}", order.read_at)
        day = date(order.created_at, language)
        draft.claim("order", draft.say("return_inside", number=order.number, date=day), placed, proof)
    margin = best - others[0][0] if others else 1.0
    covered = coverage(asked, f"{document.title_text} {quote}")
    unknown = any(not catalogue.is_known(word) for word in asked)
    answered = is_answered(u, quote)
    signals = Signals(
        match=min(1.0, max(0.0, hit.dense * 1.5)),
        # A rule that has half of the words is far less than half as likely to be the one that is asked for.
        coverage=covered**1.5 * (1.0 if answered else 0.5),
        margin=min(1.0, 4 * margin),
        exact=covered == 1.0 and answered,
        compromised=unknown or not answered,
    )
    return Composed(INTENT, draft, signals)


def _score(u: Understanding, asked: tuple[str, ...], hit: PassageHit, quote: str) -> float:
    """0 to 1: meaning, words, whether the heading names the subject, and whether it says the kind of thing
    that is asked for. Without a word of the question in it a passage answers nothing."""
    covered = coverage(asked, hit.document.full_text)
    if not covered:
        return 0.0
    titled = coverage(asked, hit.document.title_text) > 0
    opening = OPENING * (hit.document.number == 0)
    kind = KIND * ((u.asks_cost or u.asks_time) and is_answered(u, quote))
    plainly = PLAINLY * coverage(tuple(words(quote)), " ".join(asked))
    steps = STEPS * bool(_HOW_ASKED.search(fold(u.question)) and _HOW.search(fold(hit.document.title_text)))
    return 0.5 * max(0.0, hit.dense) + 0.35 * covered + 0.15 * titled + opening + kind + plainly + steps


def _asked(u: Understanding) -> tuple[str, ...]:
    """Words of the question that a rule can be about; countries are looked at by themselves."""
    said = lexicon().content(without_places(u.rule_asked))
    about = [word for word in said if not word.isdigit() and word not in lexicon().neutral]
    return tuple(dict.fromkeys(about or [word for word in said if not word.isdigit()]))
