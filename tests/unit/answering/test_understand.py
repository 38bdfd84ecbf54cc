"""understand: intent, filters, negation, order numbers and follow-ups, by tables in four languages."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.chat import QuickReplyChosenAccepted, Utterance
from schemas.reasons import Intent
from services.lib.answering.catalogue_words import CatalogueWords
from services.lib.answering.negation import negations
from services.lib.answering.smalltalk import talk_of
from services.lib.answering.texts import LANGUAGES
from services.lib.answering.texts import say as text_of
from services.lib.answering.understand import understand
from services.lib.index.port import Vocabulary
from services.lib.index.terms import fold, stem, words

Say = Callable[..., Any]
NOW = datetime(2026, 5, 4, tzinfo=UTC)

VOCABULARY = Vocabulary(
    values={"Material": frozenset({"Leather", "Nylon"}), "Waterproof": frozenset({"Yes", "No"})},
    options={"Color": frozenset({"Red", "Blue"}), "Size": frozenset({"S", "M", "XL", "10"})},
    categories=frozenset({"Jackets", "Belts"}),
    names={"J1": "Harbour Rain Jacket", "P1": "Fjord Parka", "B1": "Saddle Belt"},
    parents={"J1-R-M": "J1"},
    words=frozenset(
        words("harbour rain jacket fjord parka saddle belt leather nylon red blue buckle hood waterproof yes no")
    ),
)


@pytest.fixture(scope="module")
def catalogue() -> CatalogueWords:
    return CatalogueWords.of(VOCABULARY)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("I'm looking for a jacket under $50", Intent.PRODUCT_SEARCH),
        ("Ich suche eine rote Jacke", Intent.PRODUCT_SEARCH),
        ("je cherche une veste rouge", Intent.PRODUCT_SEARCH),
        ("busco una chaqueta roja", Intent.PRODUCT_SEARCH),
        ("something cheaper please", Intent.PRODUCT_SEARCH),
        ("anything cheaper?", Intent.PRODUCT_SEARCH),
        ("Is the Harbour Rain Jacket waterproof?", Intent.PRODUCT_DETAIL),
        ("Was kostet der Fjord Parka?", Intent.PRODUCT_DETAIL),
        ("Combien coûte le Fjord Parka ?", Intent.PRODUCT_DETAIL),
        ("¿Cuánto cuesta la Fjord Parka?", Intent.PRODUCT_DETAIL),
        ("How long does shipping take?", Intent.POLICY),
        ("Kann ich etwas zurückgeben?", Intent.POLICY),
        ("Quels sont les moyens de paiement ?", Intent.POLICY),
        ("¿Cuál es la política de devoluciones?", Intent.POLICY),
        ("Where is my order 000000123?", Intent.ORDER_STATE),
        ("Wo bleibt mein Paket?", Intent.ORDER_STATE),
        ("Où est ma commande ?", Intent.ORDER_STATE),
        ("¿Dónde está mi pedido?", Intent.ORDER_STATE),
        ("hi there!", Intent.SMALL_TALK),
        ("Vielen Dank!", Intent.SMALL_TALK),
        ("merci beaucoup", Intent.SMALL_TALK),
        ("¡Hola, buenos días!", Intent.SMALL_TALK),
    ],
)
def test_intent(catalogue: CatalogueWords, say: Say, text: str, intent: Intent) -> None:
    assert understand(say(text), catalogue).intent is intent


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("red jacket", {"Red"}),
        ("rote Jacke", {"Red"}),
        ("veste bleue", {"Blue"}),
        ("chaqueta roja", {"Red"}),
        ("jacket in size M", {"M"}),
        ("jacket, M please", {"M"}),
        ("I'm looking for a jacket", set()),
        ("red, XL", {"Red", "XL"}),
        ("size 10 in blue", {"10", "Blue"}),
        ("I need 10 jackets", set()),
    ],
)
def test_values_come_from_the_catalogue(catalogue: CatalogueWords, say: Say, text: str, values: set[str]) -> None:
    found = understand(say(text), catalogue).groups
    assert {facet.value for group in found for facet in group} == values


@pytest.mark.parametrize(
    ("text", "unwanted"),
    [
        ("a belt without leather", ("leather",)),
        ("belt without leather or nylon", ("leather", "nylon")),
        ("a jacket, not red", ("red",)),
        ("a jacket, not red, nylon, under 150", ("red",)),
        ("a belt, no leather, nylon or red", ("leather", "nylon", "red")),
        ("Gürtel ohne Leder", ("leder",)),
        ("une ceinture sans cuir", ("cuir",)),
        ("un cinturón sin cuero", ("cuero",)),
        ("leather-free belt", ("leather",)),
        ("no problem", ()),
        ("I am not sure", ()),
        ("why not?", ()),
    ],
)
def test_negation(catalogue: CatalogueWords, text: str, unwanted: tuple[str, ...]) -> None:
    assert negations(text, catalogue.known).unwanted == unwanted


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("order 000000123", "000000123"),
        ("where is #000000123?", "000000123"),
        ("order no. 1234", "1234"),
        ("Bestellung 100000012 bitte", "100000012"),
        ("ma commande n° 100000012", "100000012"),
        ("under 100000 dollars", None),
        ("$1000000", None),
        ("3 jackets", None),
    ],
)
def test_order_numbers(catalogue: CatalogueWords, say: Say, text: str, number: str | None) -> None:
    assert understand(say(text), catalogue).order_number == number


def shown(*skus: str, text: str = "Here:") -> tuple[Utterance, ...]:
    return (Utterance(role="assistant", text=text, at=NOW, skus=skus),)


@pytest.mark.parametrize(
    ("text", "history", "page", "focus"),
    [
        ("does it come in red?", shown("P1"), None, ("P1",)),
        ("gibt es das in rot?", shown("P1"), None, ("P1",)),
        ("est-elle imperméable ?", shown("P1"), None, ("P1",)),
        ("¿es impermeable?", shown("P1"), None, ("P1",)),
        ("is it waterproof?", (), "J1-R-M", ("J1",)),
        ("is it waterproof?", (*shown("B1"), *shown("J1-R-M")), None, ("J1",)),
        ("the second one, is it waterproof?", shown("J1", "P1"), None, ("P1",)),
        ("the second one?", shown("J1"), None, ("J1",)),
        ("is the parka warm?", shown("J1", "P1"), None, ("P1",)),
        ("is it warm?", shown("J1", "P1"), None, ("J1", "P1")),
        ("is it warm?", shown("J1", "P1"), "P1", ("P1",)),
        ("do you have belts?", shown("J1"), None, ()),
        ("is it warm?", (), None, ()),
        ("how much is the Saddle Belt?", shown("J1"), "P1", ("B1",)),
    ],
)
def test_what_it_refers_to(
    catalogue: CatalogueWords,
    say: Say,
    text: str,
    history: tuple[Utterance, ...],
    page: str | None,
    focus: tuple[str, ...],
) -> None:
    assert understand(say(text, history=history, page_sku=page), catalogue).focus == focus


def test_a_product_named_before_is_still_meant(catalogue: CatalogueWords, say: Say) -> None:
    history = (Utterance(role="customer", text="is the Fjord Parka warm?", at=NOW),)
    assert understand(say("how much is it?", history=history), catalogue).focus == ("P1",)


def test_our_own_quick_reply_settles_the_question_before(catalogue: CatalogueWords, say: Say) -> None:
    asked = Utterance(role="customer", text="is it waterproof?", at=NOW)
    plain = say("Fjord Parka", history=(asked, *shown("J1", "P1")))
    values = plain.model_dump(exclude={"attachments"}) | {"quick_reply": "product/P1"}
    u = understand(QuickReplyChosenAccepted(**values), catalogue)
    assert u.focus == ("P1",)
    assert "waterproof" in u.question


def test_and_to_canada_asks_the_same_of_canada(catalogue: CatalogueWords, say: Say) -> None:
    history = (
        Utterance(role="customer", text="how long does shipping take?", at=NOW),
        Utterance(role="assistant", text="From Shipping", at=NOW),
    )
    u = understand(say("and to Canada?", history=history), catalogue)
    assert u.intent is Intent.POLICY
    assert "shipping" in u.question


@pytest.mark.parametrize(
    ("text", "talk"),
    [
        ("hello", "greeting"),
        ("Hi, thanks!", "thanks"),
        ("tschüss", "goodbye"),
        ("¿eres un robot?", "who"),
        ("am I talking to a human?", "who"),
        ("👍", "help"),
        ("hello, where is my order", None),
        ("thanks but it is still broken", None),
        ("hello " * 200, None),
    ],
)
def test_small_talk(text: str, talk: str | None) -> None:
    assert talk_of(fold(text)) == talk


def test_a_slip_of_the_finger_is_corrected(catalogue: CatalogueWords) -> None:
    assert catalogue.correction("jackte") == "jacket"
    assert catalogue.correction("jacket") is None
    assert catalogue.correction("zzzzzz") is None
    assert catalogue.correction("a" * 8000) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_machine_says_what_it_is(language: str) -> None:
    assert any(word in text_of(language, "who") for word in ("machine", "Maschine", "máquina"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jackets", "jacket"),
        ("batteries", "battery"),
        ("rotes", "rot"),
        ("teenagers", "teenager"),
        ("dresses", "dress"),
    ],
)
def test_stems(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("text", "language", "head"),
    [
        ("I'm looking for a waterproof jacket", "en", "jacket"),
        ("parka for a jacket lover", "en", "parka"),
        ("rain jacket in red", "en", "jacket"),
        ("une veste imperméable", "fr", "veste"),
        ("Jacke mit Kapuze", "de", "jacke"),
        ("something red", "en", ""),
        ("a gift for someone with a belt", "en", ""),
    ],
)
def test_the_kind_of_thing(catalogue: CatalogueWords, say: Say, text: str, language: str, head: str) -> None:
    assert understand(say(text, language=language), catalogue).head == head


@pytest.mark.parametrize(
    ("text", "mixed"),
    [
        ("How long does shipping take? Is the parka warm?", True),
        ("Is the parka warm? Does it come in red?", False),
        ("How long does shipping take? And what does delivery cost?", False),
        ("Hi! How are you? Is the parka warm?", False),
    ],
)
def test_two_kinds_of_question_in_one(catalogue: CatalogueWords, say: Say, text: str, mixed: bool) -> None:
    assert understand(say(text), catalogue).mixed is mixed
