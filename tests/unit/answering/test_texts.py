"""The data files hold together, and what is shown as plain text says the same as the cards."""

import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from schemas.chat import Card, QuickReply
from schemas.money import Money
from schemas.reasons import Intent
from services.lib.answering.compose_order import STATES
from services.lib.answering.confidence import confidence
from services.lib.answering.lexicon import lexicon
from services.lib.answering.plain import plain_text
from services.lib.answering.result import CERTAIN, Signals
from services.lib.answering.returns import surely_inside
from services.lib.answering.texts import LANGUAGES, listed, money, say
from services.lib.index.terms import fold

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_of_an_order_has_a_word_of_its_own(language: str) -> None:
    words = {say(language, f"state_{state}") for state in (*STATES, "partly")}
    assert len(words) == len(STATES) + 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_stock_are_known_to_the_checker(language: str) -> None:
    stock = lexicon().stock
    assert stock["in"].search(fold(say(language, "in_stock")))
    assert stock["out"].search(fold(say(language, "out_of_stock")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_field_is_put_in_as_it_is(language: str) -> None:
    assert "{name} %s" in say(language, "price_is", name="{name} %s", price="$1")


def test_every_cue_is_reached_by_its_own_language() -> None:
    for cue, text in {
        "returns": "kann ich das zurückgeben?",
        "cheaper": "quelque chose de moins cher ?",
        "options": "¿qué colores hay?",
        "last_order": "mi último pedido",
        "action": "bitte die Rechnung korrigieren",
    }.items():
        assert lexicon().has(cue, fold(text)), cue


def test_plain_text_has_every_card_and_button() -> None:
    card = Card(
        sku="A", name="Camp Mug", url="https://shop.example/a", in_stock=True, read_at=NOW,
        price=Money(amount=Decimal("12.00"), currency="EUR"),
    )  # fmt: skip
    plain = plain_text("Das passt:", [card], [QuickReply(id="x", title="Ein Mensch")], "de")
    assert plain == "Das passt:\n• Camp Mug, 12,00 €, auf Lager: https://shop.example/a\n- Ein Mensch"


def test_money_and_lists() -> None:
    assert [money(Money(amount=Decimal("1299.5"), currency="EUR"), one) for one in LANGUAGES] == [
        "€1,299.50", "1.299,50 €", "1 299,50 €", "1.299,50 €",
    ]  # fmt: skip
    assert listed(["a", "b", "c"], 2) == "a, b, …"


def test_confidence_rises_with_its_signals_and_falls_with_doubt() -> None:
    weak = confidence(Signals(match=0.3, coverage=0.3), Intent.POLICY, sure=False, hostile=False)
    strong = confidence(CERTAIN, Intent.POLICY, sure=True, hostile=False)
    assert 0 < weak < 0.5 < strong < 1
    assert confidence(CERTAIN, Intent.POLICY, sure=True, hostile=True) < strong


@pytest.mark.parametrize(
    ("rule", "day", "inside"),
    [
        ("within 30 days", "2026-05-01", True),
        ("innerhalb von 30 Tagen, Widerruf 14 Tage", "2026-04-25", True),
        ("innerhalb von 30 Tagen, Widerruf 14 Tage", "2026-04-15", False),
        ("within 30 days", "2026-01-01", False),
        ("within 30 days", "2027-01-01", False),
        ("dans les 30 jours", "2026-05-01", True),
        ("en 30 días", "2026-05-01", True),
        ("for a while", "2026-05-04", False),
    ],
)
def test_inside(rule: str, day: str, inside: bool) -> None:
    assert surely_inside(rule, datetime.fromisoformat(f"{day}T00:00:00+00:00"), NOW) is inside


def test_no_pattern_is_slow_on_a_long_message() -> None:
    for text in ("a " * 4000, "not " * 2000, "1" * 8000, "order " * 1300, "ignore " * 1100 + "x", "my " * 2600):
        started = time.perf_counter()
        for pattern in lexicon().cues.values():
            pattern.search(text)
        assert time.perf_counter() - started < 2, text[:20]
