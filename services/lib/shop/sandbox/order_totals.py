"""`Line` and `Totals`: what an order's record bought, and what it came to. Pure, in the order's currency.

In Europe prices contain the tax, in America it is added; the amount for free shipping counts
accordingly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from services.lib.shop.sandbox.data import SandboxData, Store
from services.lib.shop.sandbox.items import Item
from services.lib.shop.sandbox.pricing import CENT, number

PAID = frozenset({"processing", "complete", "closed", "holded"})
"""States in which the money has been taken."""
ZERO = Decimal(0)


@dataclass(frozen=True)
class Line:
    item: Item
    """What was put into the box."""
    parent: Item | None
    quantity: int
    price: Decimal
    """Of one, without tax."""
    gross: Decimal
    """Of one, with tax."""
    item_id: int
    """Of the line that carries the money; a child's is one more."""


def read_lines(
    data: SandboxData, record: Mapping[str, Any], store: Store, percent: Decimal, next_item: int
) -> tuple[list[Line], int]:
    lines = []
    for sku, quantity, *paid in record["items"]:
        item = data.by_sku[sku.lower()]
        parent = data.by_sku[item.parent.lower()] if item.parent else None
        amount = Decimal(paid[0]) if paid else item.price[store.website]
        if store.website == "eu":
            net, gross = _cents(amount / (1 + percent / 100)), amount
        else:
            net, gross = amount, _cents(amount * (1 + percent / 100))
        lines.append(Line(item, parent, quantity, net, gross, next_item))
        next_item += 2 if parent else 1
    return lines, next_item


@dataclass(frozen=True)
class Totals:
    subtotal: Decimal
    subtotal_gross: Decimal
    shipping: Decimal
    shipping_gross: Decimal
    discount: Decimal
    tax: Decimal
    grand: Decimal
    quantity: int

    @classmethod
    def of(
        cls,
        data: SandboxData,
        lines: list[Line],
        store: Store,
        percent: Decimal,
        method: str,
        discount: Decimal,
    ) -> "Totals":
        subtotal = sum((line.price * line.quantity for line in lines), ZERO)
        gross = sum((line.gross * line.quantity for line in lines), ZERO)
        rule = data.shop["shipping"][method]
        counted = gross if store.website == "eu" else subtotal  # American amounts count before tax
        free = "free_from" in rule and counted - discount >= Decimal(rule["free_from"])
        virtual = all(line.item.type_id == "virtual" for line in lines)
        cost = ZERO if free or virtual else Decimal(rule["base"])
        shipping = _cents(cost / (1 + percent / 100)) if store.website == "eu" else cost
        tax = gross - subtotal + cost - shipping
        return cls(
            subtotal, gross, shipping, cost, discount, tax, subtotal + shipping + tax - discount,
            sum(line.quantity for line in lines),
        )  # fmt: skip

    def fields(self, data: SandboxData, store: Store, state: str, record: Mapping[str, Any]) -> dict[str, Any]:
        """The order's amounts, each also as `base_`: order and base currency are the same here."""
        paid = self.grand if state in PAID else ZERO
        refunded = self.grand if state == "closed" else Decimal(record.get("refunded", "0"))
        amounts = {
            "grand_total": self.grand,
            "subtotal": self.subtotal,
            "subtotal_incl_tax": self.subtotal_gross,
            "shipping_amount": self.shipping,
            "shipping_incl_tax": self.shipping_gross,
            "shipping_tax_amount": self.shipping_gross - self.shipping,
            "discount_amount": -self.discount,
            "tax_amount": self.tax,
            "total_paid": paid,
            "total_due": self.grand - paid if state != "canceled" else ZERO,
        }
        if state == "canceled":
            amounts["total_canceled"] = self.grand
        if refunded:
            amounts["total_refunded"] = refunded
        body: dict[str, Any] = {}
        for name, amount in amounts.items():
            body[name] = body[f"base_{name}"] = number(amount)
        return body | {
            "total_qty_ordered": self.quantity,
            "base_currency_code": store.base_currency,
            "global_currency_code": "USD",
            "order_currency_code": store.base_currency,
            "store_currency_code": store.base_currency,
            "base_to_global_rate": number(data.rate(store, "USD")),
            "base_to_order_rate": 1,
            "store_to_base_rate": 0,
            "store_to_order_rate": 0,
        }


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)
