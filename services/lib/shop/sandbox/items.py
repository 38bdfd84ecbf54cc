"""`Item`: one product of the sandbox's catalogue, and how it is read from the compact source.

The source (`data/products/*.json`) writes a configurable once, with its options; here it becomes a
parent and a child per combination, as Magento stores it. Texts are lines: a line that starts with
"- " is a list item, any other a paragraph. Days are relative to the time of loading.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from html import escape
from typing import Any

Attributes = Mapping[str, str | bool | tuple[str, ...]]


@dataclass(frozen=True)
class Special:
    """A lower price for a time. Magento compares dates: both days are included; None is open."""

    price: Mapping[str, Decimal]
    """By website."""
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class Item:
    id: int
    sku: str
    type_id: str
    """simple, virtual or configurable."""
    name: str
    url_key: str
    price: Mapping[str, Decimal]
    """Regular price by website, in its base currency; of a configurable, of no effect."""
    special: Special | None
    quantity: Mapping[int, Decimal]
    """Salable quantity by stock; empty for a configurable, which has none of its own."""
    backorders: bool
    enabled: bool
    websites: tuple[str, ...]
    categories: tuple[str, ...]
    attributes: Attributes
    """Code to value: text, yes or no, or labels of options."""
    weight: Decimal | None
    short: str
    text: str
    german: Mapping[str, str]
    """name, short and text where the German store view has its own."""
    created: datetime
    updated: datetime
    parent: str | None = None
    option_codes: tuple[str, ...] = ()
    children: tuple["Item", ...] = field(default=(), repr=False)

    def in_stock(self, stock_id: int) -> bool:
        """Whether it can be bought: of a configurable, whether any enabled child can."""
        if self.type_id == "configurable":
            return any(child.enabled and child.in_stock(stock_id) for child in self.children)
        return self.backorders or self.quantity.get(stock_id, Decimal(0)) > 0


def html(lines: list[str]) -> str:
    """Lines of the source as the HTML that Magento's editor would store."""
    out: list[str] = []
    for bullet, group in itertools.groupby(lines, key=lambda line: line.startswith("- ")):
        if bullet:
            items = "".join(f"<li>{escape(line[2:], quote=False)}</li>" for line in group)
            out.append(f"<ul>{items}</ul>")
        else:
            out.extend(f"<p>{escape(line, quote=False)}</p>" for line in group)
    return "".join(out)


def expand(raw: Mapping[str, Any], first_id: int, now: datetime, eur_factor: Decimal) -> Iterator[Item]:
    """The product of one source record, after its children where it has any; ids count from `first_id`."""
    options: dict[str, list[str]] = raw.get("options", {})
    if not options:
        yield _item(raw, first_id, now, eur_factor)
        return
    left_out = set(raw.get("without", ()))
    children: list[Item] = []
    for labels in itertools.product(*options.values()):
        key = "-".join(labels)
        if key in left_out:
            continue
        own: dict[str, Any] = raw.get("variants", {}).get(key, {})
        child = {
            **raw,
            **own,
            "sku": "-".join([raw["sku"], *(re.sub(r"[^\w.-]", "", label) for label in labels)]),
            "name": "-".join([raw["name"], *labels]),
            "attrs": {**raw.get("attrs", {}), **dict(zip(options, labels, strict=True))},
            "de": {},
            "parent": raw["sku"],
        }
        children.append(_item(child, first_id + len(children), now, eur_factor))
    yield from children
    yield _item(raw, first_id + len(children), now, eur_factor, tuple(children))


def _item(
    raw: Mapping[str, Any], ident: int, now: datetime, eur_factor: Decimal, children: tuple[Item, ...] = ()
) -> Item:
    special = raw.get("special")
    stock = raw.get("stock", 40)
    here, there = stock if isinstance(stock, list) else (stock, stock)
    german: dict[str, Any] = raw.get("de", {})
    type_id = "configurable" if children else raw.get("type", "simple")
    return Item(
        id=ident,
        sku=raw["sku"],
        type_id=type_id,
        name=raw["name"],
        url_key=re.sub(r"[^a-z0-9]+", "-", f"{raw['name']}".lower()).strip("-"),
        price=_prices(raw["price"], raw.get("eur"), eur_factor),
        special=None
        if special is None or children
        else Special(_prices(special[0], None, eur_factor), _day(now, special[1]), _day(now, special[2])),
        quantity={} if children else {1: Decimal(here), 2: Decimal(there)},
        backorders=raw.get("backorders", False) and not children,
        enabled=not raw.get("disabled", False),
        websites=("base",) if raw.get("us_only") else ("base", "eu"),
        categories=tuple(raw["cat"]),
        attributes={
            code: tuple(value) if isinstance(value, list) else value for code, value in raw.get("attrs", {}).items()
        },
        weight=None if type_id == "virtual" else Decimal(raw.get("weight", "0.5")),
        short=html([raw["short"]]),
        text=html(raw["text"]),
        german={
            key: value if key == "name" else html([value] if isinstance(value, str) else value)
            for key, value in german.items()
        },
        created=now - timedelta(days=200 + ident % 500, hours=ident % 24),
        updated=now - timedelta(days=ident % 60, hours=ident % 24, minutes=ident % 59),
        parent=raw.get("parent"),
        option_codes=tuple(raw["options"]) if children else (),
        children=children,
    )


def _prices(usd: str, eur: str | None, factor: Decimal) -> dict[str, Decimal]:
    """The European price is its own where given; else the American times a factor, up to the next .95."""
    if eur is None:
        whole = (Decimal(usd) * factor + Decimal("0.05")).to_integral_value(ROUND_CEILING)
        return {"base": Decimal(usd), "eu": whole - Decimal("0.05")}
    return {"base": Decimal(usd), "eu": Decimal(eur)}


def _day(now: datetime, offset: int | None) -> datetime | None:
    """Midnight of the day that many days from now."""
    if offset is None:
        return None
    return (now + timedelta(days=offset)).replace(hour=0, minute=0, second=0, microsecond=0)
