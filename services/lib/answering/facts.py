"""Live facts of candidates: what they cost and whether they can be bought now, as the storefront says it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from schemas.money import Money
from services.lib.answering.catalogue_words import last_stem
from services.lib.answering.lexicon import lexicon
from services.lib.answering.retrieve import coverage
from services.lib.answering.understand import Understanding
from services.lib.index.documents import ProductDocument
from services.lib.index.port import ProductHit
from services.lib.index.terms import fold, stem, stems, words
from services.lib.shop.models import Live, PriceFact, Variant
from services.lib.shop.port import Shop

ASKED_AT_ONCE = 24
"""Products whose facts are read for one search: one GraphQL page, children included."""

SHOWN = 4

LIKED = 0.15
"""Added for each attribute value or category that the message names and the product has."""

MENTIONED = 0.5
"""Factor for a product whose description mentions what is not wanted: it may do so to say it has none."""

HEAD, COVERED = 0.3, 0.3
"""Added for being the kind of thing that is wanted, and for having all words of the wish. A kind weighs as much
as the best of a search leg, so that no adjective outweighs what the thing is."""

WORDS = 0.6
"""Share of the best product's words of the wish that another must have to be shown beside it."""

NEAR = 0.5
"""Share of the best score under which a product is not like what was asked for."""


@dataclass(frozen=True)
class Offer:
    """A product as it can be bought now, narrowed to the values that were wanted."""

    document: ProductDocument
    sku: str
    """Whose price this is: the product's own, or the one variant's that fits."""
    price: PriceFact | None
    in_stock: bool | None
    stock_read_at: datetime | None
    stock_skus: tuple[str, ...]
    """SKUs that `in_stock` was read from."""
    variants: tuple[Variant, ...]
    """Those that fit; empty for a product without variants."""
    score: float = 1.0

    @property
    def amount(self) -> Money | None:
        return self.price.final if self.price else None

    @property
    def is_from(self) -> bool:
        """Whether other variants cost more."""
        return bool(self.price and self.price.maximum and self.price.maximum.amount > self.price.final.amount)


@dataclass(frozen=True)
class Selection:
    offers: tuple[Offer, ...]
    out_of_bounds: bool = False
    """True where nothing that fits is within the price asked for, and these come nearest."""
    covered: float = 1.0
    """Mean share of the wish's words that these have, 0 to 1."""
    of_kind: bool = True
    """False where none of them is known to be the kind of thing that was named."""
    other_currency: str | None = None
    """The shop's currency, where the bound was given in another."""


async def read_live(
    documents: Iterable[ProductDocument], shop: Shop, store: str, within: float | None
) -> Mapping[str, Live]:
    return await shop.live([document.sku for document in documents], store, within=within)


def fitting(document: ProductDocument, u: Understanding) -> tuple[Variant, ...]:
    """Variants with every value wanted and none unwanted. A label the product has no option for narrows nothing."""
    wanted = [
        (group[0].label, {facet.value.casefold() for facet in group})
        for group in u.groups
        if group[0].label in document.options
    ]
    unwanted = {(f.label, f.value.casefold()) for f in u.unwanted_facets if f.is_option}
    return tuple(
        variant
        for variant in document.variants
        if all(variant.options.get(label, "").casefold() in values for label, values in wanted)
        and not any((label, value.casefold()) in unwanted for label, value in variant.options.items())
    )


def offer(document: ProductDocument, u: Understanding, live: Mapping[str, Live], score: float = 1.0) -> Offer | None:
    """None where the shop does not show the product, or no variant is what was asked for."""
    own = live.get(document.sku)
    if own is None:
        return None
    variants = fitting(document, u) if document.variants else ()
    if document.variants and not variants:
        return None
    narrowed = 0 < len(variants) < len(document.variants)
    if not narrowed:
        stock = own.stock
        return Offer(
            document,
            document.sku,
            own.price,
            stock.in_stock if stock else None,
            stock.read_at if stock else None,
            (document.sku,) if stock else (),
            variants,
            score,
        )
    known = [(variant.sku, live[variant.sku]) for variant in variants if variant.sku in live]
    stocks = [(sku, one.stock) for sku, one in known if one.stock is not None]
    buyable = {sku for sku, stock in stocks if stock.in_stock}
    prices = [(sku, one.price) for sku, one in known if one.price is not None]
    prices = [pair for pair in prices if pair[0] in buyable] or prices
    sku, price = min(prices, key=lambda pair: pair[1].final.amount, default=(document.sku, None))
    dearest = max((one.final for _, one in prices), key=lambda money: money.amount, default=None)
    if price is not None and dearest is not None and dearest.amount > price.final.amount:
        price = price.model_copy(update={"maximum": dearest})
    return Offer(
        document,
        sku,
        price,
        bool(buyable) if stocks else None,
        min((stock.read_at for _, stock in stocks), default=None),
        tuple(sku for sku, stock in stocks if stock.in_stock == bool(buyable)),
        variants,
        score,
    )


def select(
    hits: Iterable[ProductHit], u: Understanding, live: Mapping[str, Live], ceiling: Decimal | None
) -> Selection:
    """The offers to show, best first: inside the price asked for on the live price, what can be bought before
    what cannot. `ceiling`: a price that must be undercut, for "anything cheaper?"."""
    offers = [found for hit in hits if (found := offer(hit.document, u, live, _rank(hit, u))) is not None]
    offers = [one for one in offers if one.amount is not None]
    if not offers:
        return Selection(())
    offers.sort(key=lambda one: -one.score)
    offers = _of_kind(_undenied(offers, u), u)
    covers = {one.sku: coverage(u.terms, one.document.said_text) for one in offers}
    most = max(covers.values())
    # Beside a product that has every word of the wish, one that lacks some does not "fit".
    least = 1.0 if most == 1.0 and u.head else WORDS * most
    near = [one for one in offers if one.score >= NEAR * offers[0].score and covers[one.sku] >= least]
    near = _named(near, u)
    currency = _amount(near[0]).currency
    bound = u.price
    if bound and bound.currencies and currency not in bound.currencies:
        return Selection(tuple(near[:SHOWN]), other_currency=currency)
    of_kind = not u.head or any(kind(one.document, u.head) > TEXT for one in near)
    inside = [
        one
        for one in near
        if (bound is None or bound.admits(_amount(one).amount)) and (ceiling is None or _amount(one).amount < ceiling)
    ]
    out_of_bounds = not inside and (bound is not None or ceiling is not None)
    if out_of_bounds:
        if bound is None:
            return Selection(())
        inside = sorted(near[:SHOWN], key=lambda one: bound.distance(_amount(one).amount))[:2]
    ordered = sorted(inside, key=lambda one: one.in_stock is False)  # stable: keeps the ranking within
    if u.cheap and not out_of_bounds:
        ordered = sorted(ordered[:8], key=lambda one: (one.in_stock is False, _amount(one).amount))
    shown = tuple(ordered[:SHOWN])
    covered = sum(covers[one.sku] for one in shown) / len(shown) if u.terms else 1.0
    return Selection(shown, out_of_bounds=out_of_bounds, covered=covered, of_kind=of_kind)


_JOINED = re.compile(r"&|,|\b(?:and|und|et|y)\b", re.IGNORECASE)

NAME_END, CATEGORY_WORD, NAME_PART, MIXED, TEXT, NOT = 1.0, 0.7, 0.5, 0.4, 0.3, 0.0


def kind(document: ProductDocument, head: str) -> float:
    """How sure it is that the product is what this word says: its name ends in it, a category has it, the name
    has it somewhere ("Laptop Stand"), or merely the text."""
    meant = lexicon().alike(stem(head))
    if last_stem(document.name) in meant:
        return NAME_END
    levels = [level for category in document.categories for level in category.split("/") if meant & set(stems(level))]
    if any(len(words(level)) <= 2 and not _JOINED.search(level) for level in levels):
        return CATEGORY_WORD
    if meant & set(stems(document.name)):
        return NAME_PART
    if levels:  # of "Cameras & Drones" not everything is a drone
        return MIXED
    return TEXT if meant & set(stems(document.said_text)) else NOT


def _of_kind(offers: list[Offer], u: Understanding) -> list[Offer]:
    """Without those that are another kind of thing, unless they have more of the wish than any that is of it."""
    if not u.head:
        return offers
    kinds = {one.sku: kind(one.document, u.head) for one in offers}
    sure = [coverage(u.terms, one.document.said_text) for one in offers if kinds[one.sku] >= CATEGORY_WORD]
    most = max(sure, default=0.0)
    kept = [
        one
        for one in offers
        if kinds[one.sku] >= CATEGORY_WORD
        or (kinds[one.sku] > NOT and (not sure or coverage(u.terms, one.document.said_text) > most))
    ]
    return kept or offers


def _undenied(offers: list[Offer], u: Understanding) -> list[Offer]:
    """Without those of which an attribute denies what is wanted ("Waterproof: No"), where any are left."""
    wanted = {other for word in u.terms for other in lexicon().alike(stem(word))}
    left = [one for one in offers if not any(wanted & set(stems(label)) for label in one.document.denied)]
    return left or offers


def _named(offers: list[Offer], u: Understanding) -> list[Offer]:
    """Where some are what the wish names, by name, category or attribute, those that merely mention it in
    their description are not shown; where the cheapest is wanted, only those that are it most."""
    shares = {one.sku: coverage(u.terms, f"{one.document.name} {one.document.attribute_text}") for one in offers}
    most = max(shares.values(), default=0.0)
    least = most * WORDS if u.cheap else 0.0
    return [one for one in offers if shares[one.sku] > 0 and shares[one.sku] >= least] if most else offers


def _rank(hit: ProductHit, u: Understanding) -> float:
    own = {(fold(label), fold(value)) for label, value in hit.document.facets()}
    liked = {facet.words for facet in u.liked if (fold(facet.label), fold(facet.value)) in own}
    body = set(stems(hit.document.body_text))
    mentioned = any(stem(word) in body for phrase in u.unwanted for word in words(phrase))
    own_kind = HEAD * kind(hit.document, u.head) if u.head else 0.0
    covered = COVERED * coverage(u.terms, hit.document.said_text)
    return (hit.score + LIKED * len(liked) + own_kind + covered) * (MENTIONED if mentioned else 1.0)


def _amount(one: Offer) -> Money:
    if one.amount is None:
        raise ValueError(f"{one.sku} has no price")
    return one.amount
