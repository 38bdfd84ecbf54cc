"""What messages say about price, in four languages, and what only looks like it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.answering.prices import PriceBound, amount_of, currencies_of, price_wish


@pytest.mark.parametrize(
    ("text", "low", "high", "currency"),
    [
        ("a gift under $50", None, "50", "USD"),
        ("headphones below 99.99 dollars", None, "99.99", "USD"),
        ("up to £1,200", None, "1200", "GBP"),
        ("my budget is 100", None, "100", None),
        ("over 20 and under 50 euros", "20", "50", "EUR"),
        ("between 20 and 40 dollars", "20", "40", "USD"),
        ("from $20 to $40", "20", "40", "USD"),
        ("20-40€", "20", "40", "EUR"),
        ("around 30 bucks", "24", "36", "USD"),
        ("Jacke unter 50 €", None, "50", "EUR"),
        ("zwischen 1.000 und 1.299,99 Euro", "1000", "1299.99", "EUR"),
        ("höchstens 30 Franken", None, "30", "CHF"),
        ("ab 25 Euro", "25", None, "EUR"),
        ("etwa 100 Euro", "80", "120", "EUR"),
        ("moins de 50 euros", None, "50", "EUR"),
        ("entre 20 et 40 €", "20", "40", "EUR"),
        ("environ 30 €", "24", "36", "EUR"),
        ("menos de 50 euros", None, "50", "EUR"),
        ("entre 20 y 40 €", "20", "40", "EUR"),
        ("hasta 1.500 €", None, "1500", "EUR"),
        ("alrededor de 30 €", "24", "36", "EUR"),
    ],
)
def test_bounds(text: str, low: str | None, high: str | None, currency: str | None) -> None:
    bound = price_wish(text).bound
    assert bound is not None
    assert (bound.low, bound.high) == (low and Decimal(low), high and Decimal(high))
    assert (currency in bound.currencies) if currency else not bound.currencies


@pytest.mark.parametrize(
    "text",
    ["backpack under 5 kg", "toys for kids under 5", "order 000000012", "size 10", "is it 5 stars", "under 30 days",
     "Rucksack unter 2 Kilo", "moins de 3 jours", "menos de 20 cm", "iPhone 15", "", "under", "$", "unter €"],
)  # fmt: skip
def test_no_bounds(text: str) -> None:
    assert price_wish(text).bound is None


@pytest.mark.parametrize("text", ["cheap headphones", "günstige Jacke", "chaussures pas chères", "zapatos baratos"])
def test_cheap(text: str) -> None:
    wish = price_wish(text)
    assert wish.cheap
    assert len(wish.rest.split()) == 1


@given(st.decimals(min_value=Decimal("0.01"), max_value=Decimal("999999.99"), places=2))
def test_an_amount_is_read_as_it_was_written(amount: Decimal) -> None:
    for written in (f"{amount:,.2f}", f"{amount:,.2f}".translate(str.maketrans(",.", ".,")), f"{amount:f}"):
        assert amount_of(written) == amount
    bound = price_wish(f"something under ${amount:,.2f} please").bound
    assert bound is not None
    assert bound.high == amount
    assert not bound.admits(amount)
    assert bound.admits(amount - Decimal("0.01"))


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    wish = price_wish(text)
    assert (
        wish.bound is None or wish.bound.low is None or wish.bound.high is None or wish.bound.low <= wish.bound.high
    )


def test_distance_and_edges() -> None:
    bound = PriceBound(low=Decimal(20), high=Decimal(40))
    assert bound.admits(Decimal(20))
    assert bound.admits(Decimal(40))
    assert bound.distance(Decimal(50)) == 10
    assert bound.distance(Decimal(15)) == 5
    assert bound.distance(Decimal(30)) == 0


def test_signs() -> None:
    assert {"USD", "CAD"} <= currencies_of("$")
    assert currencies_of("€") == {"EUR"}
    assert currencies_of("bananas") == frozenset()
