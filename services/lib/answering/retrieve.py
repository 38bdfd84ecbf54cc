"""retrieve: documents that may answer, found in the index."""

from dataclasses import dataclass

from schemas.reasons import Intent
from services.lib.answering.catalogue_words import CatalogueWords
from services.lib.answering.lexicon import lexicon
from services.lib.answering.understand import Understanding
from services.lib.index.documents import ProductDocument
from services.lib.index.port import Index, PassageHit, ProductHit, ProductQuery
from services.lib.index.terms import stem, stems

FETCHED = 40
"""Products fetched to show at most four: a price bound drops some once the live price is known."""

PASSAGES = 6
OF_A_PLACE = 16
"""Passages fetched where a country is asked about: most of the near ones do not speak of it."""


@dataclass(frozen=True)
class Retrieved:
    products: tuple[ProductHit, ...] = ()
    relaxed: bool = False
    """True where nothing had all the values wanted, and they were left out."""
    passages: tuple[PassageHit, ...] = ()
    focus: tuple[ProductDocument, ...] = ()
    """The products the question is about."""
    asked: str = ""
    """The question in words of the catalogue."""

    def product_coverage(self, terms: tuple[str, ...]) -> float:
        """Share of the words that the best product has."""
        return max((coverage(terms, hit.document.said_text) for hit in self.products[:4]), default=0.0)


async def retrieve(
    u: Understanding, index: Index, store: str, catalogue: CatalogueWords, *, foreign: bool
) -> Retrieved:
    """`foreign`: the catalogue is in another language than the question, which is then searched by the words
    the glossary has for it, where it has any."""
    focus = [await index.get(sku, store) for sku in u.focus[:8]]
    found = tuple(document for document in focus if document is not None)
    asked = asked_in_words_of(catalogue, u.rule_asked, foreign=foreign)
    products: tuple[ProductHit, ...] = ()
    passages: tuple[PassageHit, ...] = ()
    relaxed = False
    if u.intent is Intent.PRODUCT_SEARCH or not u.sure:
        products, relaxed = await _products(u, index, store, found)
    if u.intent in (Intent.POLICY, Intent.OTHER) or not u.sure or u.policy_cue:
        passages = await index.search_passages(asked, store, OF_A_PLACE if u.places else PASSAGES)
    return Retrieved(products=products, relaxed=relaxed, passages=passages, focus=found, asked=asked)


async def _products(
    u: Understanding, index: Index, store: str, focus: tuple[ProductDocument, ...]
) -> tuple[tuple[ProductHit, ...], bool]:
    text = u.query
    if u.cheaper_than_shown and focus and not u.terms:
        text = f"{focus[0].name} {' '.join(focus[0].categories[-1:])}"
    words_of_groups = " ".join(facet.value for group in u.groups for facet in group)
    query = ProductQuery(
        store=store,
        text=text or words_of_groups,
        any_of=tuple(tuple((f.label, f.value) for f in group) for group in u.groups),
        none_of=tuple((facet.label, facet.value) for facet in u.unwanted_facets if not facet.is_option),
        unwanted=_unwanted(u),
    )
    found = await index.search_products(query, FETCHED)
    if found or not query.any_of:
        return found, False
    return await index.search_products(query.model_copy(update={"any_of": ()}), FETCHED), True


def asked_in_words_of(catalogue: CatalogueWords, question: str, *, foreign: bool) -> str:
    """The question as the catalogue would put it."""
    content = lexicon().content(question)
    translated = catalogue.translated(content)
    if foreign and translated:
        return " ".join([*(word for word in content if word in catalogue.vocabulary.words), *translated])
    return " ".join([question[:500], *translated])


def _unwanted(u: Understanding) -> tuple[str, ...]:
    """A colour that is not wanted is a variant not chosen, not a product left out; other words leave it out."""
    options = {word for facet in u.unwanted_facets if facet.is_option for word in facet.words}
    return tuple(phrase for phrase in u.unwanted if not options & set(phrase.split()))


def coverage(terms: tuple[str, ...], text: str) -> float:
    """Share of these words that stand in the text, in the same or another of the shop's languages."""
    own = set(stems(text))
    wanted = [stem(term) for term in terms]
    if not wanted:
        return 0.0
    return sum(bool(lexicon().alike(one) & own) for one in wanted) / len(wanted)
