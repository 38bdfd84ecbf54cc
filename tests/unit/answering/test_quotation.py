"""Quotations and places: which part of a page answers, and which country it speaks of."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.reasons import Intent
from services.lib.answering.places import covers, places_of, without_places
from services.lib.answering.quotation import quotation
from services.lib.answering.understand import Understanding
from services.lib.index.documents import PassageDocument

RATES = """Destination | Standard | Express
United States | $5 | $14
Canada | $16 | $34
Rest of the EU | $20 | not offered
Alaska and Hawaii | $15 | not offered"""
TIMES = "Parcels to Austria take 3 days. To the rest of the EU they take 5 days. It may be more before holidays."
MEANS = "Cards: Visa\nPayPal\nWe do not take cryptocurrency. It is too volatile."


def passage(text: str, heading: str = "What it costs") -> PassageDocument:
    return PassageDocument(
        store="default", read_at=datetime(2026, 5, 4, tzinfo=UTC), source="page", number=0, title="Page",
        headings=(heading,), text=text, url="https://shop.example/page",
    )  # fmt: skip


def asked(question: str, *, time: bool = False, cost: bool = False) -> Understanding:
    return Understanding(
        intent=Intent.POLICY, sure=True, question=question, places=places_of(question), asks_time=time, asks_cost=cost
    )


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("What about Germany?", {"DE"}),
        ("Wie lange nach Österreich?", {"AT"}),
        ("livraison au Royaume-Uni", {"GB"}),
        ("¿Hacen envíos a España o a México?", {"ES", "MX"}),
        ("Rest of the EU", {"EU"}),
        ("do you ship to the US?", {"US"}),
        ("shipping to the UK", {"GB"}),
        ("tell us about it", set()),
        ("in US dollars", set()),
        ("a jersey from Jersey", set()),
        ("Indiana Jones hat", set()),
        ("", set()),
    ],
)
def test_places(text: str, places: set[str]) -> None:
    assert places_of(text) == places


@pytest.mark.parametrize(
    ("named", "place", "covered"),
    [
        ("the European Union", "DE", True),
        ("the European Union", "CH", False),
        ("Europe", "CH", True),
        ("Europe", "US", False),
        ("worldwide", "AQ", True),
        ("Germany", "EU", False),
        ("Germany", "FR", False),
    ],
)
def test_a_region_covers_what_is_in_it(named: str, place: str, covered: bool) -> None:
    assert covers(places_of(named), place) is covered


def test_a_place_can_be_taken_out() -> None:
    assert "canada" not in without_places("How long does shipping to Canada take?")


@pytest.mark.parametrize(
    ("question", "lines"),
    [
        ("how much to Canada", ["Canada | $16 | $34"]),
        ("how much to France", ["Rest of the EU | $20 | not offered"]),
        ("how much to Canada or the US", ["Canada | $16 | $34", "United States | $5 | $14"]),
        ("how much to Hawaii", ["Alaska and Hawaii | $15 | not offered"]),
    ],
)
def test_of_a_table_the_row_is_quoted(question: str, lines: list[str]) -> None:
    quote = quotation(asked(question, cost=True), ("shipping",), passage(RATES))
    assert quote is not None
    assert quote.split("\n") == ["Destination | Standard | Express", *lines]


@pytest.mark.parametrize("question", ["how much to Switzerland", "do you ship to Antarctica"])
def test_of_another_country_nothing_is_quoted(question: str) -> None:
    assert quotation(asked(question), ("shipping",), passage(RATES)) is None


def test_the_whole_table_where_no_row_is_asked_for() -> None:
    assert quotation(asked("how much is express", cost=True), ("express",), passage(RATES)) == RATES


@pytest.mark.parametrize(
    ("words", "question", "quote"),
    [
        (("paypal",), "PayPal?", "PayPal"),
        (("bitcoin", "pay"), "pay with bitcoin?", "We do not take cryptocurrency. It is too volatile."),
        (("means",), "which means?", MEANS),
    ],
)
def test_the_sentence_that_answers_with_what_leans_on_it(words: tuple[str, ...], question: str, quote: str) -> None:
    assert quotation(asked(question), words, passage(MEANS, "Payment means")) == quote


def test_a_case_of_a_rule_is_quoted_with_the_rule() -> None:
    text = "You can return goods within 30 days. For orders in December the period ends on January 31."
    assert quotation(asked("what is the period"), ("period",), passage(text, "Returns")) == text


def test_the_sentence_of_the_country() -> None:
    quote = quotation(asked("how long to Austria", time=True), ("parcels",), passage(TIMES, "Times"))
    assert quote == "Parcels to Austria take 3 days."
    wider = quotation(asked("how long to Spain", time=True), ("parcels",), passage(TIMES, "Times"))
    assert wider is not None
    assert wider.startswith("To the rest of the EU")
    assert wider.endswith("before holidays.")


@given(text=st.text(max_size=200), question=st.text(max_size=60))
def test_a_quotation_stands_in_the_passage(text: str, question: str) -> None:
    quote = quotation(asked(question), tuple(question.split()), passage(text))
    assert quote is None or all(line in text for line in quote.split("\n"))
