"""The loop detector."""

import pytest

from services.lib.language.repeats import repeats

ANSWERED = [("customer", "how much is the blue bag"), ("assistant", "We have several bags.")]


@pytest.mark.parametrize(
    "text",
    [
        "you said that already",
        "we're going round in circles",
        "same answer again",
        "I already told you",
        "das haben Sie schon gesagt",
        "wir drehen uns im Kreis",
        "das war nicht meine Frage",
        "vous l'avez déjà dit",
        "on tourne en rond",
        "ya me lo has dicho",
        "estamos dando vueltas",
        "How much is the BLUE bag??",
        "please, how much is the blue bag",
    ],
)
def test_says_so_or_asks_again(text):
    assert repeats(text, ANSWERED)


@pytest.mark.parametrize(
    "text",
    [
        "how much is the red one",
        "thanks",
        "ok",
        "",
        "😀",
        "circle skirt in blue",
        "how long is the delivery to Spain",
    ],
)
def test_another_question_is_no_failure(text):
    assert not repeats(text, ANSWERED)


def test_nothing_answered_nothing_failed():
    assert not repeats("you said that already", [])
    assert not repeats("how much is the blue bag", [("customer", "how much is the blue bag")])


def test_another_order_number_is_another_question():
    history = [("customer", "where is order 000000123"), ("assistant", "On its way.")]
    assert not repeats("where is order 000000124", history)
    assert repeats("where is order 000000123", history)
