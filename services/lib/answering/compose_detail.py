"""compose_detail: a question about one product, answered from its options, live facts, attributes and text.

Extractive: an attribute or a sentence is quoted, never turned into "yes": "Is it waterproof?" gets
"Water resistance: IPX7", which cannot be wrong.
"""

from collections.abc import Mapping
from dataclasses import replace

from schemas.chat import QuickReply
from schemas.reasons import Intent, Reason
from services.lib.answering.compose_value import (
    names_a_choice,
    no_such_choice,
    price_line,
    stock_lines,
    values_of_these,
    variants_answer,
)
from services.lib.answering.draft import Draft
from services.lib.answering.evidence import Scored, rank_evidence
from services.lib.answering.facts import Offer, offer
from services.lib.answering.focus import SKU_REPLY
from services.lib.answering.lexicon import lexicon
from services.lib.answering.result import CERTAIN, Composed, Signals, Withhold
from services.lib.answering.texts import listed
from services.lib.answering.understand import Understanding
from services.lib.index.documents import ProductDocument, sentences
from services.lib.index.terms import fold, stem, stems
from services.lib.language.encoder import TextEncoder
from services.lib.shop.models import Live

INTENT = Intent.PRODUCT_DETAIL

NARROWED = Signals(match=1.0, coverage=0.25, margin=0.5, compromised=True)

ANSWERS = 0.42
"""Evidence score from which an attribute or sentence is taken to answer."""


def compose_detail(
    u: Understanding,
    focus: tuple[ProductDocument, ...],
    live: Mapping[str, Live],
    encoder: TextEncoder,
    language: str,
    *,
    asked: str,
) -> Composed | Withhold:
    """`asked`: the question in words of the catalogue."""
    if not focus:
        return which_product(language)
    document = _chosen(u, focus, live)
    if document is None:
        return values_of_these(u, focus, live, language) or which_of(focus, language)
    if document.sku not in live:
        return Withhold(INTENT, Reason.LOW_CONFIDENCE, f"the shop does not show {document.sku}")
    draft = Draft(language)
    groups = [group for group in u.groups if group[0].label in document.options]
    left = _left(u, document)
    if u.groups and len(left) <= 1:
        answer = variants_answer if groups else no_such_choice
        result = answer(draft, u, document, live)
        # A word more than a value may narrow the question ("in red leather"): then this is half an answer.
        return replace(result, signals=NARROWED) if left and isinstance(result, Composed) else result
    if "options" in u.asks and len(left) <= 1:
        result = no_such_choice(draft, u, document, live)
        answered = not left or names_a_choice(u, document)  # "in size 70": those it has say that it has no other
        return result if answered or isinstance(result, Withhold) else replace(result, signals=NARROWED)
    shown = offer(document, u, live)
    if u.which and not left and shown:
        draft.add("found_one")
        draft.card(shown)
        return Composed(INTENT, draft, CERTAIN)
    if u.asks & {"price", "stock"} and not left and shown:
        return _price_and_stock(draft, u, document, live, shown)
    return _evidence(draft, u, document, encoder, shown, left, asked)


def which_product(language: str) -> Composed:
    draft = Draft(language, kind="clarification")
    draft.add("which_product")
    return Composed(INTENT, draft, Signals(match=1.0, coverage=1.0))


def which_of(focus: tuple[ProductDocument, ...], language: str) -> Composed:
    draft = Draft(language, kind="clarification")
    draft.add("which_variant")
    for document in focus[:4]:
        id_ = f"{SKU_REPLY}{document.sku}"
        if not any(char.isspace() or char == ":" for char in id_):
            draft.quick_replies.append(QuickReply(id=id_, title=document.name[:80]))
    return Composed(INTENT, draft, Signals(match=1.0, coverage=1.0))


def _chosen(u: Understanding, focus: tuple[ProductDocument, ...], live: Mapping[str, Live]) -> ProductDocument | None:
    if len(focus) == 1:
        return focus[0]
    if u.which in ("cheaper", "dearer"):
        priced = [
            (price.final.amount, document)
            for document in focus
            if (one := live.get(document.sku)) and (price := one.price)
        ]
        if len(priced) == len(focus):
            pick = min if u.which == "cheaper" else max
            return pick(priced, key=lambda pair: pair[0])[1]
    return None


def _left(u: Understanding, document: ProductDocument) -> list[str]:
    """Words of the question beyond the product's name, the values named and the words for price or stock."""
    rest = fold(u.question)
    for cue in ("price", "stock", "options", "cheaper_one", "dearer_one"):
        rest = lexicon().cues[cue].sub(" ", rest)
    said = {other for text in (document.name, document.sku) for one in stems(text) for other in lexicon().alike(one)}
    said |= {stem(word) for group in u.groups for facet in group for word in facet.words}
    said |= {other for label in document.options for one in stems(label) for other in lexicon().alike(one)}
    said |= {other for word in _NEUTRAL for other in lexicon().alike(stem(word))}
    return [word for word in lexicon().content(rest) if stem(word) not in said]


_NEUTRAL = [
    "color",
    "size",
    "price",
    "product",
    "stock",
    "first",
    "second",
    "third",
    "cheaper",
    "now",
    "still",
    "also",
    "currently",
    "today",
    "come",
    "auch",
    "aktuell",
    "derzeit",
    "aussi",
    "actuellement",
    "tambien",
    "article",
    "item",
    "model",
    "version",
    "produkt",
    "artikel",
    "produit",
    "producto",
    "tell",
    "dime",
    "sag",
    "dis",
    "moi",
    "know",
    "much",
    "sagen",
    "wissen",
    "dire",
    "savoir",
    "decir",
    "saber",
    "articulo",
    "preis",
]
"""Words that ask for nothing beyond what price, stock and options say."""


def _price_and_stock(
    draft: Draft, u: Understanding, document: ProductDocument, live: Mapping[str, Live], shown: Offer
) -> Composed | Withhold:
    if "price" in u.asks:
        if shown.price is None:
            return Withhold(INTENT, Reason.LOW_CONFIDENCE, f"the shop shows no price for {shown.sku}")
        price_line(draft, document, shown)
    if "stock" in u.asks:
        if shown.in_stock is None or shown.stock_read_at is None:
            return Withhold(INTENT, Reason.LOW_CONFIDENCE, f"the shop does not say whether {shown.sku} is in stock")
        proof = draft.stock_fact(shown.sku, shown.in_stock, shown.stock_read_at)
        word = draft.say("in_stock" if shown.in_stock else "out_of_stock")
        text = draft.say("stock_is", name=document.name, stock=word)
        draft.claim("stock", text, proof, draft.product_fact(document))
        if shown.in_stock and document.variants:
            gone = tuple(
                v for v in document.variants if (one := live.get(v.sku)) and one.stock and not one.stock.in_stock
            )
            stock_lines(draft, gone, live)
    draft.card(shown)
    return Composed(INTENT, draft, CERTAIN)


def _evidence(
    draft: Draft,
    u: Understanding,
    document: ProductDocument,
    encoder: TextEncoder,
    shown: Offer | None,
    left: list[str],
    asked: str,
) -> Composed | Withhold:
    fields = [*document.attributes.items(), *((label, listed(v)) for label, v in document.options.items())]
    texts = list(dict.fromkeys([*sentences(document.short_description), *sentences(document.description)]))
    if not left:
        return _overview(draft, document, texts, shown)
    candidates = [f"{label}: {value}" for label, value in fields] + texts
    ranked = rank_evidence(u.question, asked, candidates, encoder, ignored=(document.name,))
    if not ranked or not answers(ranked):
        return Withhold(INTENT, Reason.LOW_CONFIDENCE, f"nothing of {document.sku} answers the question")
    best = ranked[0]
    named = u.named or best.labelled
    if best.index < len(fields):
        label, value = fields[best.index]
        proof = draft.fact("attribute", document.sku, f"{label}: {value}", document.read_at)
        text = draft.say("attribute", name=document.name, label=label, value=value.rstrip("."))
    else:
        quote = candidates[best.index]
        proof = draft.fact("attribute", document.sku, quote, document.read_at)
        text = draft.say("says", name=document.name, quote=quote)
    draft.claim("attribute", text, proof, draft.product_fact(document))
    margin = best.score - ranked[1].score if len(ranked) > 1 else 1.0
    return Composed(INTENT, draft, Signals(best.cosine, best.overlap, min(1.0, 4 * margin), exact=named))


def answers(ranked: tuple[Scored, ...]) -> bool:
    return ranked[0].score >= ANSWERS and ranked[0].overlap > 0


def _overview(draft: Draft, document: ProductDocument, texts: list[str], shown: Offer | None) -> Composed | Withhold:
    if shown is None:
        return Withhold(INTENT, Reason.LOW_CONFIDENCE, f"the shop does not show {document.sku}")
    if texts:
        proof = draft.fact("attribute", document.sku, texts[0], document.read_at)
        text = draft.say("says", name=document.name, quote=texts[0])
        draft.claim("attribute", text, proof, draft.product_fact(document))
    else:
        draft.add("found_one")
    draft.card(shown)
    return Composed(INTENT, draft, Signals(match=0.8, coverage=0.8, exact=True))
