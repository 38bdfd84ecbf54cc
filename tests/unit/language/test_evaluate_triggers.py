"""`evaluate triggers`: shapes, metrics, and clear errors."""

import io
import json
from dataclasses import dataclass

import pytest

from services.lib.language.evaluate_triggers import evaluate_triggers
from services.lib.language.screening import Screen

LINES = [
    {"id": "a", "text": "I want to talk to a human", "history": [], "escalate": True, "reason": "human_request"},
    {"id": "b", "text": "do you have it in red?", "history": [], "escalate": False, "reason": None},
    {"id": "c", "text": "lovely weather", "escalate": True, "reason": "legal_threat"},
    {
        "id": 4,
        "text": "you said that already",
        "history": [{"role": "customer", "text": "price?"}, {"role": "assistant", "text": "Yes."}],
        "reason": "repeated_failure",
    },
    {"id": "e", "text": "this is dreadful", "reason": "negative_sentiment"},
    {"id": "f", "text": "is this dreadful?", "reason": None},
]


@dataclass(frozen=True)
class _Scores:
    negative: float


class _Dreadful:
    """Every text that says so is negative."""

    def score(self, texts):
        return [_Scores(0.97 if "dreadful" in text else 0.1) for text in texts]


@pytest.fixture(scope="module")
def screen():
    return Screen.load()


def _run(screen, lines, sentiment=None):
    source, output = io.StringIO("\n".join(json.dumps(line) for line in lines)), io.StringIO()
    metrics = evaluate_triggers(source, output, screen, sentiment)
    return metrics, [json.loads(line) for line in output.getvalue().splitlines()]


def test_one_line_out_per_line_in(screen):
    metrics, out = _run(screen, LINES, _Dreadful())
    assert [line["id"] for line in out] == ["a", "b", "c", 4, "e", "f"]
    assert out[0] == {
        "id": "a",
        "escalate": True,
        "reason": "human_request",
        "probability": 1.0,
        "source": "rule:en.human_request.talk",
    }
    assert out[1] == {"id": "b", "escalate": False, "reason": None, "probability": 0.0, "source": None}
    assert (out[3]["reason"], out[3]["source"]) == ("repeated_failure", "rule:repeated_failure")
    assert (out[4]["reason"], out[4]["probability"]) == ("negative_sentiment", 0.97)
    assert metrics.recall == pytest.approx(3 / 4)
    assert metrics.precision == 1.0
    assert metrics.reason_accuracy == 1.0
    assert metrics.false_escalation_rate == 0.0
    assert metrics.by_reason["legal_threat"].model_dump() == {"gold": 1, "caught": 0, "right": 0, "claimed": 0}


def test_without_gold_no_metrics(screen):
    metrics, out = _run(screen, [{"id": 1, "text": "agent"}])
    assert metrics is None
    assert out[0]["escalate"] is True


def test_an_empty_file_gives_an_empty_file(screen):
    assert _run(screen, []) == (None, [])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{nonsense", "line 2: not JSON"),
        ('{"id": "x"}', "line 2: text: Field required"),
        ('{"id": "x", "text": 3}', "line 2: text"),
        ('{"id": "x", "text": "y", "history": [{"role": "boss", "text": ""}]}', "line 2: history.0.role"),
        ('{"id": "x", "text": "y", "reason": "boredom"}', "line 2: reason"),
        ("[" * 100_000, "line 2: not JSON"),
        ("7", "line 2"),
    ],
)
def test_a_malformed_line_is_named_and_nothing_is_written(screen, line, message):
    output = io.StringIO()
    with pytest.raises(ValueError) as caught:
        evaluate_triggers(io.StringIO('{"id": "a", "text": "b"}\n' + line + "\n"), output, screen)
    assert message in str(caught.value)
    assert output.getvalue() == ""
