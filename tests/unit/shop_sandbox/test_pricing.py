"""The storefront's price: special prices in their days, ranges, currencies."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.shop.sandbox.items import expand
from services.lib.shop.sandbox.pricing import number, price_of, price_range

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def item(**raw: object):
    source = {"sku": "X", "name": "X", "cat": [], "price": "100.00", "short": "", "text": [], **raw}
    return list(expand(source, 1, NOW, Decimal("1.04")))[-1]


@pytest.mark.parametrize(
    ("special", "final"),
    [
        (["80.00", -5, 5], "80.00"),
        (["80.00", None, None], "80.00"),
        (["80.00", 0, 0], "80.00"),
        (["80.00", -5, -1], "100.00"),
        (["80.00", 1, 5], "100.00"),
        (["80.00", None, -1], "100.00"),
        (["120.00", -5, 5], "100.00"),
        (["100.00", -5, 5], "100.00"),
    ],
)
def test_special_price_counts_within_its_days(special: list[object], final: str) -> None:
    price = price_of(item(special=special), "base", "UTC", Decimal(1), NOW)
    assert (price.regular, price.final) == (Decimal("100.00"), Decimal(final))


@pytest.mark.parametrize(
    ("hours", "zone", "on"),
    [
        (11, "UTC", True),  # 23:00 of the last day
        (12, "UTC", False),
        (12, "America/Chicago", True),  # 19:00 of the last day there
        (11, "Europe/Berlin", False),  # 00:00 of the next day there
    ],
)
def test_the_last_day_is_the_stores_own(hours: int, zone: str, on: bool) -> None:
    price = price_of(item(special=["80.00", -5, 0]), "base", zone, Decimal(1), NOW + timedelta(hours=hours))
    assert (price.final == Decimal("80.00")) is on


def test_a_configurable_spans_its_enabled_children() -> None:
    one = item(
        options={"size": ["S", "M", "L"]}, variants={"S": {"price": "90"}, "L": {"price": "150", "disabled": True}}
    )
    low, high = price_range(one, "base", "UTC", Decimal(1), NOW)
    assert (low.final, high.final) == (Decimal("90.00"), Decimal("100.00"))


def test_the_european_price_is_its_own() -> None:
    assert price_of(item(eur="99.00"), "eu", "UTC", Decimal(1), NOW).final == Decimal("99.00")
    assert price_of(item(), "eu", "UTC", Decimal(1), NOW).final == Decimal("104.95")
    assert price_of(item(), "eu", "UTC", Decimal("0.95"), NOW).final == Decimal("99.70")


@given(
    st.decimals("0.01", "5000", places=2), st.decimals("0.01", "5000", places=2), st.decimals("0.5", "2", places=4)
)
def test_final_never_exceeds_regular(price: Decimal, special: Decimal, rate: Decimal) -> None:
    found = price_of(item(price=str(price), special=[str(special), -1, 1]), "base", "UTC", rate, NOW)
    assert 0 <= found.final <= found.regular
    assert found.final == found.final.quantize(Decimal("0.01"))
    assert 0 <= found.percent_off <= 100


@pytest.mark.parametrize(
    ("amount", "text"), [("49.00", "49"), ("49.95", "49.95"), ("0.10", "0.1"), ("-0.00", "0"), ("1e3", "1000")]
)
def test_numbers_are_written_as_php_writes_them(amount: str, text: str) -> None:
    assert str(number(Decimal(amount))) == text
