"""compose_value: whether a product comes in a colour, size or other value, told from its options and live stock.

What a product comes in is said by its variants alone. Of one that has none, it is said that there is one
version of it; where not even that is known, nothing is said.
"""

from collections.abc import Mapping

from schemas.reasons import Intent, Reason
from services.lib.answering.draft import SINGLE, Draft
from services.lib.answering.facts import Offer, fitting, offer
from services.lib.answering.lexicon import lexicon
from services.lib.answering.result import CERTAIN, Composed, Signals, Withhold
from services.lib.answering.texts import listed, money
from services.lib.answering.understand import Understanding
from services.lib.index.documents import ProductDocument
from services.lib.index.terms import stems
from services.lib.shop.models import Live, Variant

INTENT = Intent.PRODUCT_DETAIL

LISTED = 8
"""Variants named in one line."""


def no_such_choice(
    draft: Draft, u: Understanding, document: ProductDocument, live: Mapping[str, Live]
) -> Composed | Withhold:
    """What it comes in, where no variant is told apart by what was asked."""
    asked = [label for group in u.groups for label in dict.fromkeys(facet.label for facet in group)]
    shown = offer(document, u.model_copy(update={"groups": ()}), live)
    own = [label for label in asked if label in document.attributes]
    if own:
        for label in own:
            value = document.attributes[label].rstrip(".")
            proof = draft.fact("attribute", document.sku, f"{label}: {document.attributes[label]}", document.read_at)
            text = draft.say("attribute", name=document.name, label=label, value=value)
            draft.claim("attribute", text, proof, draft.product_fact(document))
        signals = CERTAIN
    elif document.options:
        _comes_in(draft, document, _labels_asked(u, document))
        signals = Signals(match=0.8, coverage=0.8, exact=True, compromised=True) if asked else CERTAIN
    elif document.is_single:
        proof = draft.fact("attribute", document.sku, SINGLE, document.read_at)
        text = draft.say("one_version", name=document.name)
        draft.claim("attribute", text, proof, draft.product_fact(document))
        signals = CERTAIN
    else:
        return Withhold(INTENT, Reason.LOW_CONFIDENCE, f"what {document.sku} comes in is not known")
    if shown:
        draft.card(shown)
    return Composed(INTENT, draft, signals)


def values_of_these(
    u: Understanding, focus: tuple[ProductDocument, ...], live: Mapping[str, Live], language: str
) -> Composed | None:
    """Which of several products come in what was asked; None where that is not asked, or not known of all."""
    labels = {group[0].label for group in u.groups}
    if not labels or not u.asks <= {"options", "stock"} or u.head:
        return None
    if not all(labels <= document.options.keys() or document.is_single for document in focus):
        return None
    value = " / ".join(group[0].value for group in u.groups)
    draft = Draft(language)
    found = [
        (document, variants[0], shown)
        for document in focus
        if labels <= document.options.keys()
        and (variants := fitting(document, u))
        and (shown := offer(document, u, live))
    ]
    if not found:
        names = listed([document.name for document in focus], len(focus))
        text = draft.say("none_of_these", value=value, names=names)
        draft.claim("product", text, *(draft.product_fact(document) for document in focus))
        return Composed(INTENT, draft, Signals(match=1.0, coverage=1.0))
    proofs = [draft.product_fact(document) for document, _, _ in found]
    for group in u.groups:
        _, example, _ = found[0]
        label = group[0].label
        proofs.append(draft.fact("attribute", example.sku, f"{label}: {example.options[label]}", found[0][0].read_at))
    value = " / ".join(found[0][1].options[group[0].label] for group in u.groups)
    names = listed([document.name for document, _, _ in found], len(found))
    draft.claim("attribute", draft.say("of_these", value=value, names=names), *proofs)
    for _, _, shown in found[:4]:
        draft.card(shown)
    return Composed(INTENT, draft, Signals(match=1.0, coverage=1.0))


def variants_answer(draft: Draft, u: Understanding, document: ProductDocument, live: Mapping[str, Live]) -> Composed:
    for group in u.groups:
        label = group[0].label
        if label not in document.options:
            continue
        has = {value.casefold() for value in document.options[label]}
        missing = [facet.value for facet in group if facet.value.casefold() not in has]
        if missing and len(missing) == len(group):
            values = listed(document.options[label])
            proof = draft.fact("attribute", document.sku, f"{label}: {values}", document.read_at)
            text = draft.say("not_in", name=document.name, value=missing[0], label=label, values=values)
            draft.claim("attribute", text, proof, draft.product_fact(document))
            if other := offer(document, u.model_copy(update={"groups": ()}), live):
                draft.card(other)
            return Composed(INTENT, draft, CERTAIN)
    variants = fitting(document, u)
    if not variants:
        _comes_in(draft, document, tuple(document.options))
        return Composed(INTENT, draft, Signals(match=1.0, coverage=0.7, compromised=True))
    shown = offer(document, u, live)
    value = " / ".join(facet.value for group in u.groups for facet in group[:1] if facet.label in document.options)
    said = {facet.value.casefold() for group in u.groups for facet in group[:1]}
    example = variants[0].model_copy(
        update={"options": {k: v for k, v in variants[0].options.items() if v.casefold() in said}}
    )
    proofs = draft.variant_facts(example, document.read_at)
    proofs.append(draft.product_fact(document))
    stocks = {variant.sku: stock for variant in variants if (one := live.get(variant.sku)) and (stock := one.stock)}
    buyable = any(stock.in_stock for stock in stocks.values())
    if "stock" in u.asks and len(stocks) == len(variants):  # whether it can be had was asked: that comes first
        proofs += [
            draft.stock_fact(sku, buyable, one.read_at) for sku, one in stocks.items() if one.in_stock is buyable
        ]
        key = "yes_now" if buyable else "no_out"
        draft.claim("stock", draft.say(key, name=document.name, value=value), *proofs)
    else:
        draft.claim("attribute", draft.say("yes_in", name=document.name, value=value), *proofs)
    if len(stocks) > 1 or "stock" not in u.asks:
        stock_lines(draft, variants, live)
    if shown and shown.price:
        price_line(draft, document, shown)
    if shown:
        draft.card(shown)
    return Composed(INTENT, draft, CERTAIN)


def stock_lines(draft: Draft, variants: tuple[Variant, ...], live: Mapping[str, Live]) -> None:
    for wanted, key in ((True, "in_stock_now"), (False, "some_out")):
        found = [
            (variant, stock)
            for variant in variants
            if (one := live.get(variant.sku)) and (stock := one.stock) and stock.in_stock is wanted
        ]
        if not found:
            continue
        proofs: list[int] = []
        for variant, stock in found[:LISTED]:
            proofs.append(draft.stock_fact(variant.sku, wanted, stock.read_at))
            proofs += draft.variant_facts(variant, stock.read_at)
        names = listed([named(variant) for variant, _ in found], LISTED)
        draft.claim("stock", draft.say(key, variants=names), *proofs)


def named(variant: Variant) -> str:
    return " / ".join(variant.options.values())


def _comes_in(draft: Draft, document: ProductDocument, labels: tuple[str, ...]) -> None:
    for label in labels:
        values = listed(document.options[label], 20)
        proof = draft.fact("attribute", document.sku, f"{label}: {values}", document.read_at)
        text = draft.say("comes_in", name=document.name, label=label, values=values)
        draft.claim("attribute", text, proof, draft.product_fact(document))


def _labels_asked(u: Understanding, document: ProductDocument) -> tuple[str, ...]:
    return _labels_named(u, document) or tuple(document.options)


def names_a_choice(u: Understanding, document: ProductDocument) -> bool:
    """Whether the question says "size" or "colour", or what else the product is chosen by."""
    return bool(_labels_named(u, document))


def _labels_named(u: Understanding, document: ProductDocument) -> tuple[str, ...]:
    asked = {other for one in stems(u.question) for other in lexicon().alike(one)}
    return tuple(label for label in document.options if asked & set(stems(label)))


def price_line(draft: Draft, document: ProductDocument, shown: Offer) -> None:
    price = shown.price
    if price is None:
        return
    proofs = [draft.price_fact(shown.sku, price.final, price.read_at), draft.product_fact(document)]
    if shown.is_from and price.maximum:
        proofs.append(draft.maximum_fact(shown.sku, price.maximum, price.read_at))
    key = "price_from" if shown.is_from else "price_is"
    text = draft.say(key, name=document.name, price=money(price.final, draft.language))
    draft.claim("price", text, *proofs)
    if price.regular.amount > price.final.amount:
        was = draft.price_fact(shown.sku, price.regular, price.read_at)
        draft.claim("price", draft.say("price_was", price=money(price.regular, draft.language)), was)
