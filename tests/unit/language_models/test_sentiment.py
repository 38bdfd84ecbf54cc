"""The shipped sentiment model and its fake."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.lib.language.sentiment import NOTHING_SAID, KeywordSentiment, SentimentModel, SentimentScores

NEGATIVE = [
    "This is the worst service I have ever had, I am furious!",
    "😡😡😡",
    "Three weeks of waiting and nobody answers. Unacceptable.",
    "What a waste of money, the kettle is complete garbage",
    "stop lying to me",
]
NEUTRAL = [
    "My order hasn't arrived yet, could you check?",
    "Which size should I take?",
    "Please cancel order 000004711.",
    "The parcel was damaged, how do I send it back?",
    "Do you have the lamp in black?",
]
POSITIVE = [
    "Thank you so much, that was perfect!",
    "I love the new backpack 😍",
    "Great shop, very happy with everything",
]


def top(scores: SentimentScores) -> str:
    named = {"negative": scores.negative, "neutral": scores.neutral, "positive": scores.positive}
    return max(named, key=lambda name: named[name])


@pytest.mark.parametrize(("texts", "label"), [(NEGATIVE, "negative"), (NEUTRAL, "neutral"), (POSITIVE, "positive")])
def test_plain_cases(texts: list[str], label: str, sentiment: SentimentModel) -> None:
    assert {text: top(scores) for text, scores in zip(texts, sentiment.score(texts), strict=True)} == dict.fromkeys(
        texts, label
    )


def test_anger_outranks_a_polite_report_of_the_same_problem(sentiment: SentimentModel) -> None:
    polite, angry = sentiment.score(
        [
            "Hello, my parcel is two days late, could you have a look please?",
            "My parcel is two days late AGAIN, you are useless!!!",
        ]
    )
    assert angry.negative > polite.negative + 0.4


def test_a_score_depends_on_its_text_alone(sentiment: SentimentModel) -> None:
    texts = [*NEGATIVE, *NEUTRAL, "x" * 3000, *POSITIVE]
    together = sentiment.score(texts)
    assert together == [sentiment.score([text])[0] for text in texts]
    assert together[::-1] == sentiment.score(texts[::-1])
    assert together == SentimentModel.load(threads=3).score(texts)


def test_nothing_said_is_neutral_and_keeps_its_place(sentiment: SentimentModel) -> None:
    scores = sentiment.score(["", NEGATIVE[0], " \n", "\t"])
    assert scores[0] == scores[2] == scores[3] == NOTHING_SAID
    assert top(scores[1]) == "negative"
    assert sentiment.score([]) == []


def test_emoji_are_read(sentiment: SentimentModel) -> None:
    angry, glad = sentiment.score(["🤬", "❤️❤️"])
    assert top(angry) == "negative"
    assert top(glad) == "positive"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"sentiment\.onnx is missing"):
        SentimentModel.load(tmp_path)


def test_the_version_names_the_weights(sentiment: SentimentModel) -> None:
    assert sentiment.version == SentimentModel.load().version
    assert len(sentiment.version) == 12


_MODELS: list[SentimentModel] = []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=3))
def test_any_text_has_probabilities(texts: list[str]) -> None:
    if not _MODELS:
        _MODELS.append(SentimentModel.load())
    for model in (_MODELS[0], KeywordSentiment()):
        scored = model.score(texts)
        assert len(scored) == len(texts)
        for scores in scored:
            values = (scores.negative, scores.neutral, scores.positive)
            assert all(0 <= value <= 1 for value in values)
            assert sum(values) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "text", ["\ud800", "\x00", "[CLS] [SEP]", "a" * 1_000_000, "😡" * 100_000, "؟" * 50, "\u200b"]
)
def test_hostile_text_is_scored(text: str, sentiment: SentimentModel) -> None:
    [scores] = sentiment.score([text])
    assert scores.negative + scores.neutral + scores.positive == pytest.approx(1, abs=1e-5)


def test_the_fake_follows_its_words() -> None:
    bad, plain, good = KeywordSentiment().score(["terrible, the WORST", "a kettle", "great, thanks"])
    assert (top(bad), top(good)) == ("negative", "positive")
    assert bad.negative > 0.7 > plain.negative == plain.neutral == plain.positive
