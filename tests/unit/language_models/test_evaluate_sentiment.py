"""`evaluate_sentiment`: JSON lines in, JSON lines and metrics out."""

import io
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.language.evaluate import BATCH, Metrics, calibration_error, evaluate_sentiment, measure
from services.lib.language.sentiment import KeywordSentiment, SentimentScores


def run(*lines: object) -> tuple[list[dict[str, object]], Metrics | None]:
    source = io.StringIO("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    output = io.StringIO()
    metrics = evaluate_sentiment(source, output, KeywordSentiment())
    return [json.loads(line) for line in output.getvalue().splitlines()], metrics


def test_one_line_out_per_line_in_and_in_order() -> None:
    rows, metrics = run(*({"id": f"m{number}", "text": "great" * (number % 2)} for number in range(2 * BATCH + 3)))
    assert [row["id"] for row in rows] == [f"m{number}" for number in range(2 * BATCH + 3)]
    assert all(set(row) == {"id", "negative", "neutral", "positive"} for row in rows)
    assert rows[1]["positive"] != rows[0]["positive"]
    assert metrics is None


def test_nothing_in_nothing_out() -> None:
    assert run() == ([], None)
    assert run("", "  ") == ([], None)


def test_ids_come_back_as_they_were() -> None:
    rows, _ = run({"id": 7, "text": ""}, {"id": "ü", "text": "😡", "extra": [1]})
    assert [row["id"] for row in rows] == [7, "ü"]


def test_labels_by_name_and_by_number() -> None:
    _, by_name = run(*({"id": 1, "text": "awful", "label": label} for label in ("negative", "neutral", "positive")))
    _, by_number = run(*({"id": 1, "text": "awful", "label": label} for label in (0, 1, 2)))
    assert by_name == by_number
    assert by_name is not None
    assert (by_name.n, by_name.macro_recall, by_name.accuracy) == (3, pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_lines_without_a_label_are_scored_but_not_measured() -> None:
    rows, metrics = run({"id": 1, "text": "awful", "label": 0}, {"id": 2, "text": "great", "label": None})
    assert len(rows) == 2
    assert metrics is not None
    assert metrics.n == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("not json", "JSON"),
        ("[]", "line 2"),
        ("{}", "id"),
        ('{"id": 1}', "text"),
        ('{"id": 1, "text": 5}', "text"),
        ('{"id": 1, "text": null}', "text"),
        ('{"id": null, "text": "a"}', "id"),
        ('{"id": 1, "text": "a", "label": "angry"}', "label: must be one of negative, neutral, positive"),
        ('{"id": 1, "text": "a", "label": 3}', "label"),
        ('{"id": 1, "text": "a", "label": -1}', "label"),
        ('{"id": 1, "text": "a", "label": true}', "label"),
        ('{"id": 1, "text": "a", "label": 1.0}', "label"),
    ],
)
def test_a_malformed_line_is_named(line: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2: ") as caught:
        run({"id": 1, "text": "a"}, line)
    assert says in str(caught.value)


def test_macro_recall_weighs_classes_alike() -> None:
    negative, neutral = SentimentScores(0.8, 0.1, 0.1), SentimentScores(0.1, 0.8, 0.1)
    metrics = measure([0, 1, 1, 1], [negative, negative, neutral, neutral])
    assert metrics.macro_recall == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.accuracy == pytest.approx(3 / 4)


def test_calibration_error_by_hand() -> None:
    # Bin of .9: one of two right, gap .4; bin of .5: right, gap .5. Two thirds of .4 and one third of .5.
    assert calibration_error([0.9, 0.9, 0.5], [True, False, True]) == pytest.approx((2 * 0.4 + 0.5) / 3)
    assert calibration_error([1.0, 1.0], [True, True]) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_calibration_error_is_a_share(rows: Sequence[tuple[float, bool]]) -> None:
    assert 0 <= calibration_error([value for value, _ in rows], [hit for _, hit in rows]) <= 1
