from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.shop.wire import (
    Malformed,
    decode,
    flag,
    integer,
    money,
    number,
    part,
    quantity,
    records,
    text,
    when,
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b'{"price": NaN}',
        b'{"price": Infinity}',
        b"[-Infinity]",
        b"\xff\xfe",
        b"[" * 100_000,
        b"9" * 5000,
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode(body)


def test_numbers_are_exact() -> None:
    assert decode(b'{"price": 0.1}') == {"price": Decimal("0.1")}
    assert decode(b"19.989999999999998") == Decimal("19.989999999999998")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        (3, Decimal(3)),
        ("49.0000", Decimal("49.0000")),
        (" 7 ", Decimal(7)),
        ("-2.5", Decimal("-2.5")),
        (Decimal("1E+2"), Decimal(100)),
        ("0", Decimal(0)),
    ],
)
def test_number(value: object, expected: Decimal | None) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "Infinity",
        "12,50",
        "1_000",
        "٣",
        "0x10",
        "$5",
        True,
        1.5,
        [],
        {},
        "1e999",
        Decimal("1e400"),
        Decimal("NaN"),
        10**400,
        "9" * 29,
        "1" * 5000,
    ],
)
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        number(value)


def test_a_whole_number_has_no_fraction() -> None:
    assert integer("12.0000") == 12
    assert integer(None) is None
    with pytest.raises(Malformed):
        integer("1.5")


@pytest.mark.parametrize(
    ("value", "expected"), [("2.0000", "2"), ("0.5000", "0.5"), (None, "0"), (100, "100"), ("1E+2", "100")]
)
def test_quantities_lose_their_zeros(value: object, expected: str) -> None:
    assert str(quantity(value)) == expected


@pytest.mark.parametrize(
    ("value", "currency", "amount"),
    [
        ("19.995", "USD", "20.00"),
        ("19.985", "USD", "19.99"),
        (Decimal("19.989999999999998"), "EUR", "19.99"),
        (49, "USD", "49.00"),
        ("1500.4", "JPY", "1500"),
        ("1.23456", "KWD", "1.235"),
        (0, "USD", "0.00"),
    ],
)
def test_money_has_the_digits_of_its_currency(value: object, currency: str, amount: str) -> None:
    made = money(value, currency)
    assert (str(made.amount), made.currency) == (amount, currency)


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        (None, "USD"),
        ("", "USD"),
        ("5", None),
        ("5", "dollars"),
        ("5", "usd"),
        ("5", ""),
        ("1e16", "USD"),
        ("x", "USD"),
        (True, "USD"),
        ([5], "USD"),
    ],
)
def test_what_is_no_money_is_refused(value: object, currency: object) -> None:
    with pytest.raises(Malformed):
        money(value, currency)


@given(st.decimals(min_value=0, max_value=10**9, places=4), st.sampled_from(["USD", "EUR", "GBP", "CHF"]))
def test_money_is_never_off_by_more_than_half_a_cent(value: Decimal, currency: str) -> None:
    for sent in (value, str(value)):
        assert abs(money(sent, currency).amount - value) <= Decimal("0.005")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.decimals(), st.lists, max_leaves=4))
def test_reading_a_value_never_fails_otherwise_than_as_malformed(value: object) -> None:
    for read in (number, quantity, integer, text, when, lambda v: money(v, "USD"), records):
        try:
            read(value)
        except Malformed:
            continue


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-01 12:30:00", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T12:30:00Z", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T14:30:00+02:00", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
)
def test_times_are_utc(value: object, expected: datetime | None) -> None:
    assert when(value) == expected


@pytest.mark.parametrize("value", ["yesterday", "0000-00-00 00:00:00", "2026-13-01", [], "0001-01-01T00:00:00+23:00"])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        when(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (1, True), ("1", True), (0, False), ("0", False), (None, False), ("yes", False)],
)
def test_flags(value: object, expected: bool) -> None:
    assert flag(value) is expected


def test_objects_and_lists_may_be_null_or_phps_empty_array() -> None:
    assert part({}, "x") == part({"x": None}, "x") == part({"x": []}, "x") == {}
    assert records(None) == records([]) == records([None]) == ()
    for bad in ("text", 5, {"a": 1}):
        with pytest.raises(Malformed):
            records(bad)
    with pytest.raises(Malformed):
        part({"x": "text"}, "x")
