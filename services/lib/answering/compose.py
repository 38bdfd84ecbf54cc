"""compose: from what was understood, found and read to a draft, or to a reason why there is none.

Where the words left the intent open, the evidence settles it here: the product's own attribute before a
general rule, a rule before a search.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas.reasons import Intent, Reason
from services.lib.answering.catalogue_words import CatalogueWords
from services.lib.answering.compose_detail import compose_detail
from services.lib.answering.compose_policy import compose_policy
from services.lib.answering.compose_search import compose_search
from services.lib.answering.draft import Draft
from services.lib.answering.facts import Selection, select
from services.lib.answering.lexicon import lexicon
from services.lib.answering.result import CERTAIN, Composed, Withhold
from services.lib.answering.retrieve import Retrieved
from services.lib.answering.understand import Understanding
from services.lib.index.documents import ProductDocument
from services.lib.index.terms import stem
from services.lib.language.encoder import TextEncoder
from services.lib.shop.models import Live, Order


@dataclass(frozen=True)
class Gathered:
    """Everything a draft may rest on."""

    retrieved: Retrieved
    live: Mapping[str, Live]
    order: Order | None = None
    """The customer's own order that a question about returns names."""


def compose(
    u: Understanding,
    gathered: Gathered,
    catalogue: CatalogueWords,
    encoder: TextEncoder,
    language: str,
    *,
    same_language: bool,
    now: datetime,
) -> Composed | Withhold:
    """Synchronous and slow (it encodes): run it in a thread."""
    retrieved = gathered.retrieved

    def detail() -> Composed | Withhold:
        return compose_detail(u, retrieved.focus, gathered.live, encoder, language, asked=retrieved.asked)

    def policy() -> Composed | Withhold:
        return compose_policy(u, retrieved.passages, catalogue, language, order=gathered.order, now=now)

    def search() -> Composed | Withhold:
        return compose_search(
            u, retrieved, _selection(u, gathered), catalogue, language, same_language=same_language, now=now
        )

    match u.intent:
        case Intent.PRODUCT_DETAIL if u.sure:
            return _first(detail, policy) if u.policy_cue else detail()
        case Intent.PRODUCT_DETAIL if retrieved.focus:
            return _first(detail, policy)
        case Intent.PRODUCT_DETAIL:
            return _first(policy, search)
        case Intent.POLICY if u.sure:
            return policy()
        case Intent.POLICY if _names_a_field(u, retrieved.focus):
            return _first(detail, policy)
        case Intent.POLICY:
            return _first(policy, detail) if retrieved.focus else _first(policy, search)
        case Intent.PRODUCT_SEARCH:
            return search() if u.sure else _first(search, policy)
        case _:
            return Withhold(Intent.OTHER, Reason.LOW_CONFIDENCE, "nothing the machine knows about")


def small_talk(u: Understanding, language: str) -> Composed:
    draft = Draft(language, kind="clarification" if u.talk == "help" else "answer")
    draft.add(u.talk or "help")
    return Composed(Intent.SMALL_TALK, draft, CERTAIN)


def _names_a_field(u: Understanding, focus: tuple[ProductDocument, ...]) -> bool:
    """Whether the question names an attribute that every product in sight has: "how long is the warranty" of a
    product with one is about it, and not about the shop's rules."""
    said = {other for word in lexicon().content(u.question) for other in lexicon().alike(stem(word))}
    labels = [{stem(word) for word in lexicon().content(label)} for one in focus[:1] for label in one.attributes]
    return any(own and own <= said for own in labels)


def _selection(u: Understanding, gathered: Gathered) -> Selection:
    ceiling = None
    hits = gathered.retrieved.products
    if u.cheaper_than_shown and gathered.retrieved.focus:
        shown = [
            price.final.amount
            for document in gathered.retrieved.focus
            if (one := gathered.live.get(document.sku)) and (price := one.price)
        ]
        ceiling = min(shown, default=None)
        kinds = {category for document in gathered.retrieved.focus for category in document.categories[-1:]}
        hits = tuple(hit for hit in hits if kinds & set(hit.document.categories)) or hits
    return select(hits, u, gathered.live, ceiling)


def _first(*attempts: Callable[[], Composed | Withhold]) -> Composed | Withhold:
    """The first that gives a draft; a question back counts only where nothing answers."""
    results: list[Composed | Withhold] = []
    for attempt in attempts:
        result = attempt()
        if isinstance(result, Composed) and result.draft.kind == "answer":
            return result
        results.append(result)
    return next((one for one in results if isinstance(one, Composed)), results[0])
