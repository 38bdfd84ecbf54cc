"""compose_search: products that fit a wish, as cards. Pure but for the encoder's vectors already in the hits."""

import re
from datetime import datetime

from schemas.reasons import Intent, Reason
from services.lib.answering.catalogue_words import CatalogueWords
from services.lib.answering.draft import CATALOGUE, Draft
from services.lib.answering.facts import Selection
from services.lib.answering.result import Composed, Signals, Withhold
from services.lib.answering.retrieve import Retrieved, coverage
from services.lib.answering.texts import listed
from services.lib.answering.understand import Understanding
from services.lib.index.terms import fold

INTENT = Intent.PRODUCT_SEARCH

MEANING = 0.40
"""Cosine of the best hit above which a wish without a single word of the product's is still met ("something
for a gamer"); pairs of sentences that have nothing in common stay under 0.3 with this encoder."""

EVIDENCED = 0.6
"""Share of the wish's words below which it is not known that what is shown is like that: a laptop, but for games?"""

WORDS = 0.5
"""Share of the wish's words that a product must have where meaning alone does not carry it."""


def compose_search(
    u: Understanding,
    retrieved: Retrieved,
    selection: Selection,
    catalogue: CatalogueWords,
    language: str,
    *,
    same_language: bool,
    now: datetime,
) -> Composed | Withhold:
    """`same_language`: whether the catalogue is written in the shopper's language, so that a word that is
    missing from it means a thing that is missing."""
    draft = Draft(language)
    if selection.other_currency:
        draft.kind = "clarification"
        draft.add("what_budget", currency=selection.other_currency)
        return Composed(INTENT, draft, Signals(match=1.0, coverage=1.0))
    if u.must and not u.head and not u.groups:  # "a smaller one": of what?
        draft.kind = "clarification"
        draft.add("what_search")
        return Composed(INTENT, draft, Signals(match=1.0, coverage=1.0))
    if u.gift and u.price is None:
        draft.kind = "clarification"
        draft.add("what_gift")
        return Composed(INTENT, draft, Signals(match=1.0, coverage=1.0))
    constrained = bool(u.price or u.cheap or u.groups or u.cheaper_than_shown)
    if (
        not u.terms
        and not u.groups
        and not u.cheaper_than_shown
        and (constrained or not u.question_like)
        and not u.gift
    ):
        draft.kind = "clarification"
        draft.add("what_search")
        return Composed(INTENT, draft, Signals(match=1.0, coverage=1.0))
    best = retrieved.products[0] if retrieved.products else None
    unknown = [word for word in u.terms if not catalogue.is_known(word) and catalogue.correction(word) is None]
    covered = retrieved.product_coverage(u.terms)
    meant = max((hit.dense for hit in retrieved.products[:4]), default=0.0)
    needed = WORDS if u.intent is Intent.PRODUCT_SEARCH else 1.0  # a question that was no plain search
    if best is None or (covered < needed and meant < MEANING and not (u.groups and not u.terms)):
        if unknown and len(unknown) == len(u.terms) and same_language and best is not None and u.sells:
            written = _as_written(unknown, u.question)
            names = listed([f"“{word}”" for word in written])
            proof = draft.fact("product", CATALOGUE, ", ".join(written), now)
            draft.claim("product", draft.say("not_sold", words=names), proof)
            return Composed(INTENT, draft, Signals(match=1.0 - meant, coverage=1.0))
        return Withhold(INTENT, Reason.LOW_CONFIDENCE, "no product is near enough to what was asked for")
    offers = selection.offers
    if not offers:
        return Withhold(INTENT, Reason.LOW_CONFIDENCE, "the shop shows no price for what was found")
    if u.must and not all(coverage(u.must, one.document.said_text) == 1.0 for one in offers):
        return Withhold(INTENT, Reason.LOW_CONFIDENCE, "nothing found is known to be what was asked for")
    if selection.out_of_bounds:
        draft.add("over_budget")
    elif retrieved.relaxed:
        draft.add("closest")
    else:
        draft.add("found" if len(offers) > 1 else "found_one")
    for one in offers:
        draft.card(one)
    return Composed(
        INTENT,
        draft,
        Signals(
            match=min(1.0, meant * 1.5),
            coverage=selection.covered,
            margin=min(1.0, best.score - retrieved.products[-1].score),
            compromised=selection.out_of_bounds
            or retrieved.relaxed
            or not selection.of_kind
            or selection.covered < EVIDENCED,
        ),
    )


def _as_written(folded: list[str], question: str) -> list[str]:
    """These words with the accents and capitals the shopper gave them."""
    originals = {fold(word): word for word in re.findall(r"[^\W_]+", question)}
    return [originals.get(word, word) for word in folded]
