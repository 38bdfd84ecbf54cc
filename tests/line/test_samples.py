"""What `make run` shows: the sample conversations come out as they say."""

import io

import pytest
from rich.console import Console

from schemas.support import DecisionMade
from services.cli import samples

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_samples_come_out_as_expected(whole):
    line, _ = whole
    shown = io.StringIO()
    made, wrong = await samples.play(line, Console(file=shown, width=120))
    assert wrong == [], shown.getvalue()
    assert len(made) == sum(len(sample.step) for sample in samples.load())
    assert "negative_sentiment" in shown.getvalue()
    assert line.failed is False


async def test_a_sample_that_goes_wrong_is_told(whole):
    line, _ = whole
    sample = samples.Sample.model_validate(
        {"title": "wrong", "step": [{"say": "let me talk to a person", "expect": ["answer"]}]}
    )
    made, wrong = await samples.play(line, Console(file=io.StringIO()), [sample])
    assert isinstance(made[0], DecisionMade)
    assert wrong == ["'wrong', step 1: expected answer, got escalate (human_request)"]
