"""price_bound: what a message says about the price it will pay, in any of the languages. Pure.

A number counts as a price where a currency stands beside it, or where a word of price stands before it and
no unit after it: "under 5 kg" and "for kids under 5" are no budgets.
"""

import re
from decimal import Decimal
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from services.lib.answering.lexicon import lexicon
from services.lib.index.terms import fold

AROUND = Decimal("0.2")
"""Width of "around": a fifth to either side, which is how far shoppers follow a suggestion."""


class PriceBound(BaseModel):
    model_config = ConfigDict(frozen=True)

    low: Decimal | None = None
    high: Decimal | None = None
    low_open: bool = False
    """True where the bound itself is not included ("over 20")."""
    high_open: bool = False
    currencies: frozenset[str] = frozenset()
    """ISO codes that may be meant ("$" is several); empty where none was named."""
    around: Decimal | None = None

    def admits(self, amount: Decimal) -> bool:
        if self.low is not None and (amount < self.low or (self.low_open and amount == self.low)):
            return False
        return self.high is None or amount < self.high or (not self.high_open and amount == self.high)

    def distance(self, amount: Decimal) -> Decimal:
        """How far outside the bounds, 0 inside."""
        if self.low is not None and amount < self.low:
            return self.low - amount
        if self.high is not None and amount > self.high:
            return amount - self.high
        return Decimal(0)


class PriceWish(BaseModel):
    model_config = ConfigDict(frozen=True)

    bound: PriceBound | None = None
    cheap: bool = False
    rest: str
    """The folded message without the words about price."""


DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"})
KRONOR = frozenset({"SEK", "NOK", "DKK", "CZK"})

_NUMBER = r"(?:\d{1,3}(?:[.,'’ ]\d{3})+(?:[.,]\d{1,2})?|\d{1,9}(?:[.,]\d{1,2})?)(?![\d])(?![.,]\d)"


def price_wish(message: str) -> PriceWish:
    folded = fold(message)
    patterns = _patterns()
    bound: PriceBound | None = None
    spans: list[tuple[int, int]] = []
    for role in ("between", "range", "under", "up_to", "over", "from", "around", "bare"):
        for match in patterns[role].finditer(folded):
            if any(start < match.end() and match.start() < end for start, end in spans):
                continue
            found = _read(role, match)
            if found is None:
                continue
            bound = found if bound is None else _both(bound, found)
            spans.append(match.span())
    cheap = [
        match.span()
        for match in patterns["cheap"].finditer(folded)
        if not any(start < match.end() and match.start() < end for start, end in spans)
    ]
    spans += cheap
    rest = folded
    for start, end in sorted(spans, reverse=True):
        rest = f"{rest[:start]} {rest[end:]}"
    return PriceWish(bound=bound, cheap=bool(cheap), rest=" ".join(rest.split()))


def amount_of(written: str) -> Decimal:
    """ "1.299,00", "1,299.00", "1 299" and "12.5": the last mark parts decimals unless three digits follow it."""
    text = re.sub(r"[^\d.,]", "", written)
    last = max(text.rfind("."), text.rfind(","))
    if last < 0:
        return Decimal(text)
    whole, decimals = text[:last], text[last + 1 :]
    if len(decimals) == 3:
        whole, decimals = whole + decimals, ""
    return Decimal(re.sub(r"\D", "", whole) + ("." + decimals if decimals else ""))


def currencies_of(written: str) -> frozenset[str]:
    """ISO codes a currency's sign or name may stand for."""
    plain = fold(written).strip()
    if plain in ("$", "dollar", "dollars", "dolares", "buck", "bucks"):
        return DOLLARS
    if plain in ("kr", "kronor"):
        return KRONOR
    return frozenset(code for code, names in lexicon().currencies.items() if re.fullmatch(names, plain))


def _read(role: str, match: re.Match[str]) -> PriceBound | None:
    groups = match.groupdict()
    signs = [groups[name] for name in ("b1", "a1", "b2", "a2") if groups.get(name)]
    currencies = frozenset().union(*(currencies_of(sign) for sign in signs)) if signs else frozenset()
    one = amount_of(groups["n1"])
    if not signs and (_counts_something(match) or role == "bare"):
        return None
    if role in ("between", "range"):
        two = amount_of(groups["n2"])
        low, high = min(one, two), max(one, two)
        return PriceBound(low=low, high=high, currencies=currencies)
    if role in ("under", "up_to"):
        return PriceBound(high=one, high_open=role == "under", currencies=currencies)
    if role in ("over", "from"):
        return PriceBound(low=one, low_open=role == "over", currencies=currencies)
    return PriceBound(low=one * (1 - AROUND), high=one * (1 + AROUND), around=one, currencies=currencies)


def _counts_something(match: re.Match[str]) -> bool:
    """A number without currency that a unit follows, or that is an age."""
    patterns = _patterns()
    after = match.string[match.end() :]
    before = match.string[: match.start()]
    return bool(patterns["unit"].match(after) or patterns["age"].search(before))


def _both(one: PriceBound, two: PriceBound) -> PriceBound:
    """ "over 20 and under 50" holds together; of two that contradict each other the first counts."""
    merged = one.model_copy(
        update={
            "low": one.low if one.low is not None else two.low,
            "low_open": one.low_open if one.low is not None else two.low_open,
            "high": one.high if one.high is not None else two.high,
            "high_open": one.high_open if one.high is not None else two.high_open,
            "currencies": one.currencies or two.currencies,
        }
    )
    if merged.low is not None and merged.high is not None and merged.low > merged.high:
        return one
    return merged


@lru_cache(maxsize=1)
def _patterns() -> dict[str, re.Pattern[str]]:
    words = lexicon().price
    sign = "|".join(
        sorted((name for n in lexicon().currencies.values() for name in n.split("|")), key=len, reverse=True)
    )

    def amount(number: int) -> str:
        before = rf"(?:(?P<b{number}>{sign})\s?)?"
        after = rf"(?:\s?(?P<a{number}>{sign})(?![a-z]))?"
        return rf"{before}(?P<n{number}>{_NUMBER}){after}"

    def after_word(role: str) -> re.Pattern[str]:
        link = r"(?:\s(?:a|of|the|von|de|is|was|my|it's)\b)?"
        return re.compile(rf"(?<![a-z0-9])(?:{words[role]})\.?{link}\s*:?\s*{amount(1)}")

    return {
        "between": re.compile(rf"(?<![a-z])(?:{words['between']})\s+{amount(1)}\s*(?:{words['and']})\s*{amount(2)}"),
        "range": re.compile(rf"(?<![\w.,-]){amount(1)}\s*(?:-|–|—|to|bis|a)\s*{amount(2)}"),
        **{role: after_word(role) for role in ("under", "up_to", "over", "from", "around")},
        "bare": re.compile(
            rf"(?<![\w.,-]){amount(1)}(?=\s*(?:$|[.,!?;)]|or less|max|budget|oder weniger|ou moins|o menos))"
        ),
        "cheap": re.compile(rf"(?<![a-z])(?:{words['cheap']})(?![a-z])"),
        "unit": re.compile(rf"\s?-?(?:{words['units']})(?![a-z0-9])"),
        "age": re.compile(rf"\b(?:{words['not_price_before']})\s*(?:are|is|who are|sind|de)?\s*$"),
    }
