"""The seam for another classifier: labels are found by name, or refused."""

import importlib.util
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.language.huggingface import BATCH, HuggingFaceSentiment, class_columns, scores_of
from services.lib.language.sentiment import NOTHING_SAID


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        ({0: "negative", 1: "neutral", 2: "positive"}, (0, 1, 2)),
        ({0: "Positive", 1: " NEUTRAL ", 2: "Negative"}, (2, 1, 0)),
        ({2: "neutral", 0: "positive", 1: "negative"}, (1, 2, 0)),
    ],
)
def test_columns_by_name(labels: Mapping[int, str], columns: tuple[int, int, int]) -> None:
    assert class_columns(labels) == columns


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"},
        {0: "NEGATIVE", 1: "POSITIVE"},
        {0: "negative", 1: "neutral", 2: "positive", 3: "mixed"},
        {0: "negative", 1: "neutral", 2: "neutral"},
        {0: "1 star", 1: "2 stars", 2: "3 stars"},
    ],
)
def test_other_labels_are_refused_and_named(labels: Mapping[int, str]) -> None:
    with pytest.raises(ValueError, match="must be negative, neutral and positive") as caught:
        class_columns(labels)
    assert all(label in str(caught.value) for label in labels.values())


def test_softmax_in_our_order() -> None:
    scores = scores_of([1000.0, 0.0, 0.0], (2, 1, 0))
    assert (scores.negative, scores.neutral, scores.positive) == (0, 0, 1)


@given(st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-50, 50)), st.permutations([0, 1, 2]))
def test_scores_are_probabilities_of_the_named_columns(logits: Sequence[float], order: list[int]) -> None:
    scores = scores_of(logits, (order[0], order[1], order[2]))
    row = (scores.negative, scores.neutral, scores.positive)
    assert sum(row) == pytest.approx(1)
    assert row.index(max(row)) in [
        place for place in range(3) if row[place] >= row[order.index(logits.index(max(logits)))]
    ]


def test_empty_texts_are_not_asked_and_keep_their_place() -> None:
    asked: list[Sequence[str]] = []

    def logits(texts: Sequence[str]) -> list[list[float]]:
        asked.append(texts)
        return [[float(len(text)), 0.0, 0.0] for text in texts]

    model = HuggingFaceSentiment(logits, (0, 1, 2), "length@1")
    texts = ["", *(f"text {number}" for number in range(BATCH + 1)), " "]
    scores = model.score(texts)
    assert scores[0] == scores[-1] == NOTHING_SAID
    assert [len(batch) for batch in asked] == [BATCH, 1]
    assert all(score.negative > 0.9 for score in scores[1:-1])


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="the extra `torch` is installed")
def test_without_the_extra_the_error_says_what_to_install() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"baton\[torch\]"):
        HuggingFaceSentiment.load("any/model")
