"""Draft: a reply being put together, in which every checkable word comes with its proof."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from schemas.chat import Card, Claim, FactProof, PassageProof, QuickReply
from schemas.money import Money
from services.lib.answering.facts import Offer
from services.lib.answering.texts import money, say
from services.lib.index.documents import PassageDocument, ProductDocument
from services.lib.shop.models import PriceFact, Variant

ClaimKind = Literal["price", "stock", "order", "attribute", "product", "policy", "delivery"]
FactKind = Literal["price", "stock", "order", "attribute", "product"]

CATALOGUE = "catalogue"
"""Subject of a proof that no product mentions some words."""

MAXIMUM = "maximum "
"""What the value of a price proof begins with that says what the dearest version costs."""

SINGLE = "versions: 1"
"""Value of a proof that a product comes in one version only."""

IN, OUT = "in stock", "out of stock"
"""Value of a stock proof."""


@dataclass
class Draft:
    language: str
    kind: Literal["answer", "clarification"] = "answer"
    lines: list[str] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    quick_replies: list[QuickReply] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    proofs: list[FactProof | PassageProof] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def say(self, key: str, **fields: str) -> str:
        return say(self.language, key, **fields)

    def add(self, key: str, **fields: str) -> None:
        """A line that claims nothing."""
        self.lines.append(self.say(key, **fields))

    def claim(self, kind: ClaimKind, text: str, *proofs: int, line: bool = True) -> None:
        """A statement with its proofs; also a line of the text, unless a card says it."""
        self.claims.append(Claim(text=text, kind=kind, proofs=proofs))
        if line:
            self.lines.append(text)

    def fact(self, kind: FactKind, subject: str, value: str, read_at: datetime) -> int:
        return self._proof(FactProof(kind=kind, subject=subject, value=value, read_at=read_at))

    def price_fact(self, sku: str, value: Money, read_at: datetime) -> int:
        return self.fact("price", sku, price_value(value), read_at)

    def maximum_fact(self, sku: str, value: Money, read_at: datetime) -> int:
        return self.fact("price", sku, MAXIMUM + price_value(value), read_at)

    def stock_fact(self, sku: str, in_stock: bool, read_at: datetime) -> int:
        return self.fact("stock", sku, IN if in_stock else OUT, read_at)

    def product_fact(self, document: ProductDocument) -> int:
        return self.fact("product", document.sku, document.name, document.read_at)

    def variant_facts(self, variant: Variant, read_at: datetime) -> list[int]:
        return [self.fact("attribute", variant.sku, f"{k}: {v}", read_at) for k, v in variant.options.items()]

    def passage(self, document: PassageDocument, quote: str) -> int:
        return self._proof(
            PassageProof(
                source=document.id,
                title=document.title_text,
                url=document.url,
                quote=quote[:2000],
                read_at=document.read_at,
            )
        )

    def _proof(self, proof: FactProof | PassageProof) -> int:
        if proof in self.proofs:
            return self.proofs.index(proof)
        self.proofs.append(proof)
        return len(self.proofs) - 1

    def card(self, shown: Offer) -> None:
        """A card, with a claim for all that it says."""
        document, price = shown.document, shown.price
        read_at = price.read_at if price else shown.stock_read_at
        if read_at is None:
            return
        proofs = [self.product_fact(document)]
        regular = None
        if price:
            proofs.append(self.price_fact(shown.sku, price.final, price.read_at))
            if price.regular.amount > price.final.amount:
                regular = price.regular
                proofs.append(self.price_fact(shown.sku, regular, price.read_at))
            if shown.is_from and price.maximum:
                self._price_from(shown, price)
                proofs.append(self.maximum_fact(shown.sku, price.maximum, price.read_at))
        if shown.in_stock is not None and shown.stock_read_at is not None:
            proofs += [self.stock_fact(sku, shown.in_stock, shown.stock_read_at) for sku in shown.stock_skus]
        made = Card(
            sku=shown.sku,
            name=document.name,
            url=document.url,
            price=price.final if price else None,
            regular_price=regular,
            in_stock=shown.in_stock,
            read_at=min(read_at, shown.stock_read_at or read_at),
        )
        self.cards.append(made)
        line = card_line(made, self.language, lowest=shown.is_from)
        self.claim("price" if price else "stock", line, *proofs, line=False)

    def _price_from(self, shown: Offer, price: PriceFact) -> None:
        """A card shows one price; where others cost more, the text says so."""
        text = self.say("price_from", name=shown.document.name, price=money(price.final, self.language))
        if text in self.lines or price.maximum is None:
            return
        proof = self.price_fact(shown.sku, price.final, price.read_at)
        maximum = self.maximum_fact(shown.sku, price.maximum, price.read_at)
        self.claim("price", text, proof, maximum, self.product_fact(shown.document))


def price_value(value: Money) -> str:
    """How a price proof writes an amount: "49.00 USD"."""
    return f"{value.amount:f} {value.currency}"


def lowest(proofs: Iterable[FactProof | PassageProof]) -> frozenset[str]:
    """SKUs whose price is that of the cheapest of several versions."""
    return frozenset(
        proof.subject for proof in proofs if isinstance(proof, FactProof) and proof.value.startswith(MAXIMUM)
    )


def card_line(card: Card, language: str, *, lowest: bool = False) -> str:
    """A card in one line of plain text, without its link. `lowest`: other versions cost more."""
    parts = [card.name]
    if card.price:
        price = money(card.price, language)
        parts.append(say(language, "from_price", price=price) if lowest else price)
    if card.in_stock is not None:
        parts.append(say(language, "in_stock" if card.in_stock else "out_of_stock"))
    return ", ".join(parts)
