"""`Price`: what the storefront asks for an item, in the store view's currency. Pure.

Magento's rule: the special price counts where it is lower than the regular one and the store's own day
lies within its dates, both included. Of a configurable, the price is the span over its enabled
children. Converted amounts are rounded half up to cents.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from services.lib.shop.sandbox.items import Item

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Price:
    regular: Decimal
    final: Decimal

    @property
    def amount_off(self) -> Decimal:
        return self.regular - self.final

    @property
    def percent_off(self) -> Decimal:
        return (self.amount_off * 100 / self.regular).quantize(CENT, ROUND_HALF_UP) if self.regular else CENT * 0


def special_now(item: Item, website: str, timezone: str, now: datetime) -> Decimal | None:
    """The special price that counts now, if any."""
    special = item.special
    if special is None:
        return None
    today = now.astimezone(ZoneInfo(timezone)).date()
    if special.since is not None and today < special.since.date():
        return None
    if special.until is not None and today > special.until.date():
        return None
    price = special.price[website]
    return price if price < item.price[website] else None


def price_of(item: Item, website: str, timezone: str, rate: Decimal, now: datetime) -> Price:
    """Of one simple or virtual item."""
    regular = item.price[website]
    final = special_now(item, website, timezone, now)
    return Price(_convert(regular, rate), _convert(regular if final is None else final, rate))


def price_range(item: Item, website: str, timezone: str, rate: Decimal, now: datetime) -> tuple[Price, Price]:
    """The cheapest and the dearest, by final price; the same twice where there is one price."""
    sellable = [child for child in item.children if child.enabled] or [item]
    prices = sorted(
        (price_of(one, website, timezone, rate, now) for one in sellable), key=lambda p: (p.final, p.regular)
    )
    return prices[0], prices[-1]


def number(amount: Decimal) -> int | float:
    """As PHP writes a float in JSON: 49, 49.95. The one place where money leaves Decimal."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _convert(amount: Decimal, rate: Decimal) -> Decimal:
    return (amount * rate).quantize(CENT, ROUND_HALF_UP)
