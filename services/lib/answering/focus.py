"""focus_of: which products a message is about: named, just shown, or on the page the shopper is on. Pure."""

from typing import Literal

from schemas.chat import AcceptedTurn
from services.lib.answering.catalogue_words import CatalogueWords, Facet
from services.lib.answering.lexicon import lexicon
from services.lib.index.documents import CATEGORY
from services.lib.index.terms import stem, stems, words

Which = Literal["first", "second", "third", "fourth", "cheaper", "dearer"]
Naming = Literal["name", "part", "no"]

SKU_REPLY = "product/"
"""What the id of a quick reply that stands for a product begins with; the rest is its SKU."""


def focus_of(
    message: AcceptedTurn,
    chosen: str,
    folded: str,
    named: tuple[str, ...],
    facets: tuple[Facet, ...],
    shown: tuple[str, ...],
    which: Which | None,
    catalogue: CatalogueWords,
) -> tuple[tuple[str, ...], Naming]:
    """SKUs the message is about, and whether it names them itself."""
    if chosen.startswith(SKU_REPLY):
        return (chosen.removeprefix(SKU_REPLY),), "name"
    if named:
        return named, "name"
    lex = lexicon()
    if not lex.has("search", folded) and lex.has("question", folded):
        partly = catalogue.named_in_part(folded)
        # One word beside an "it" describes what is meant; two of a name that no other has are a name.
        if partly is not None and partly[0] not in shown and (partly[1] > 1 or not lex.has("refers", folded)):
            return (partly[0],), "part"
    page = catalogue.parent(message.page_sku) if message.page_sku in _all_skus(catalogue) else None
    if which and shown:
        if which in ("cheaper", "dearer"):
            return shown, "no"
        at = ("first", "second", "third", "fourth").index(which)
        return ((shown[at],) if at < len(shown) else shown), "no"
    by_part = _named_in_part(folded, shown, catalogue)
    if by_part:
        return by_part, "no"
    if not shown and page is None:
        return (), "no"
    if _changes_subject(folded, facets, shown, page, catalogue):
        return (), "no"
    if not _refers(folded, facets):
        return (), "no"
    plainly = lex.has("refers", folded) or lex.has("continues", folded) or bool(facets)
    if (
        not plainly
        and len(shown) > 1
        and page is None
        and not any(lex.has(cue, folded) for cue in ("price", "stock", "options"))
    ):
        return (), "no"  # a question of its own, not one about all that was shown
    if page and (not shown or page in shown or len(shown) > 1):
        return (page,), "no"
    return shown, "no"


def _all_skus(catalogue: CatalogueWords) -> set[str]:
    return catalogue.vocabulary.names.keys() | catalogue.vocabulary.parents.keys()


def _named_in_part(folded: str, shown: tuple[str, ...], catalogue: CatalogueWords) -> tuple[str, ...]:
    """Of the products just shown, those whose name shares a word with the message that no other shown name has."""
    fields = {one for label in catalogue.vocabulary.values for one in stems(label)}
    said = {stem(word) for word in lexicon().content(folded)} - fields
    names = {sku: {stem(word) for word in words(catalogue.vocabulary.names.get(sku, ""))} for sku in shown}
    if len(names) < 2:
        return ()
    common = set.intersection(*names.values())
    hits = {sku: len((own - common) & said) for sku, own in names.items()}
    best = max(hits.values(), default=0)
    return tuple(sku for sku in shown if hits[sku] == best) if best and list(hits.values()).count(best) == 1 else ()


def _refers(folded: str, facets: tuple[Facet, ...]) -> bool:
    """Whether the message speaks of something already there: a pronoun, a question, or values alone ("in M?")."""
    lex = lexicon()
    if lex.has("refers", folded) or lex.has("continues", folded):
        return True
    if lex.has("search", folded):
        return False
    valued = {word for facet in facets for word in (*facet.words, *words(facet.label))} if facets else set()
    return lex.has("question", folded) or bool(valued and valued >= set(lex.content(folded)))


def _changes_subject(
    folded: str, facets: tuple[Facet, ...], shown: tuple[str, ...], page: str | None, catalogue: CatalogueWords
) -> bool:
    """True where the message names a kind of product that none of those in sight is."""
    sight = {stem(word) for sku in (*shown, page or "") for word in words(catalogue.vocabulary.names.get(sku, ""))}
    kinds = {stem(word) for facet in facets if facet.label == CATEGORY for word in facet.words}
    if kinds and not kinds & sight and lexicon().has("search", folded):
        return True
    said = {
        other
        for word in lexicon().content(folded)
        if not lexicon().alike(stem(word)) & catalogue.fields
        for other in lexicon().alike(stem(word))
    }
    nouns = said & catalogue.ends
    return bool(nouns) and not nouns & sight and not lexicon().has("refers", folded)


def shown_in(message: AcceptedTurn, catalogue: CatalogueWords, *, several: bool = False) -> tuple[str, ...]:
    """SKUs of the newest line that showed or named products. `several`: the list that
    one product comes from, where it comes from one: "the second one" counts in it, whatever was said since."""
    newest: tuple[str, ...] = ()
    for line in reversed(message.history):
        skus = tuple(dict.fromkeys(catalogue.parent(sku) for sku in line.skus or catalogue.named(line.text)))
        newest = newest or skus
        if skus and (not several or len(newest) > 1):
            return newest
        if len(skus) > 1 and newest[0] in skus:
            return skus
    return newest


def which_of(folded: str) -> Which | None:
    lex = lexicon()
    if lex.has("cheaper_one", folded):
        return "cheaper"
    if lex.has("dearer_one", folded):
        return "dearer"
    ordinals: tuple[Which, ...] = ("first", "second", "third", "fourth")
    return next((ordinal for ordinal in ordinals if lex.has(ordinal, folded)), None)
