"""`Batches`: many callers share one model, and none pays for another."""

import asyncio
import threading
import time

import pytest

from services.lib.language.sentiment import KeywordSentiment, SentimentScores
from services.sentiment.batches import Batches


class Model:
    """Scores a text by the number it is. Works only while its gate is open, and notes what it was given."""

    def __init__(self):
        self.calls = []
        self.gate = threading.Event()
        self.gate.set()
        self.short = False
        self.work_s = 0.0

    def score(self, texts):
        self.calls.append(list(texts))
        assert self.gate.wait(5)
        time.sleep(self.work_s)
        if any(text == "bad" for text in texts):
            raise RuntimeError("bad text")
        scores = [SentimentScores(float(text), 0.0, 0.0) for text in texts]
        return scores[:-1] if self.short else scores


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def batches(model):
    made = Batches(model.score, at_most=4)
    yield made
    model.gate.set()
    made.close()


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # a thread changes it
            await asyncio.sleep(0.001)


async def held_up(batches, model, *texts):
    """Callers of these texts, behind one (0) that the model is at work on."""
    model.gate.clear()
    first = asyncio.create_task(batches.score("0"))
    await until(lambda: model.calls)
    callers = [asyncio.create_task(batches.score(text)) for text in texts]
    await asyncio.sleep(0)
    return first, callers


async def test_one_caller_waits_for_nobody(batches, model):
    assert (await batches.score("7")).negative == 7
    assert model.calls == [["7"]]


async def test_what_gathers_meanwhile_is_scored_together_in_order_of_coming(batches, model):
    first, callers = await held_up(batches, model, *map(str, range(1, 11)))
    model.gate.set()
    assert [s.negative for s in await asyncio.gather(first, *callers)] == list(range(11))
    assert model.calls == [["0"], ["1", "2", "3", "4"], ["5", "6", "7", "8"], ["9", "10"]]


async def test_it_works_again_after_a_pause(batches, model):
    await batches.score("1")
    await asyncio.sleep(0.01)
    await batches.score("2")
    assert model.calls == [["1"], ["2"]]


async def test_an_error_reaches_the_text_that_caused_it_alone(batches, model):
    first, callers = await held_up(batches, model, "1", "bad", "3")
    model.gate.set()
    results = await asyncio.gather(first, *callers, return_exceptions=True)
    assert [getattr(one, "negative", str(one)) for one in results] == [0, 1, "bad text", 3]
    assert model.calls == [["0"], ["1", "bad", "3"], ["1"], ["bad"], ["3"]]
    assert (await batches.score("5")).negative == 5


async def test_a_model_that_gives_too_few_scores_leaves_nobody_waiting(batches, model):
    model.short = True
    with pytest.raises(ValueError, match="0 scores for 1 texts"):
        async with asyncio.timeout(5):
            await batches.score("1")
    model.short = False
    assert (await batches.score("2")).negative == 2


async def test_a_caller_who_left_is_not_scored_and_holds_up_nobody(batches, model):
    first, (gone, stays) = await held_up(batches, model, "1", "2")
    gone.cancel()
    await asyncio.sleep(0)
    model.gate.set()
    await asyncio.gather(first, stays)
    assert gone.cancelled()
    assert model.calls == [["0"], ["2"]]


async def test_a_caller_who_leaves_while_scored_harms_nobody(batches, model):
    first, callers = await held_up(batches, model, "1")
    first.cancel()
    model.gate.set()
    assert (await callers[0]).negative == 1
    assert first.cancelled()


async def test_when_all_have_left_nothing_is_scored(batches, model):
    first, callers = await held_up(batches, model, "1", "2")
    for caller in callers:
        caller.cancel()
    await asyncio.sleep(0)
    model.gate.set()
    await first
    await batches.score("3")
    assert model.calls == [["0"], ["3"]]


async def test_under_sustained_load_nobody_starves(batches, model):
    """Whoever comes later is never served before: each caller waits for what was there, and no longer."""
    done = []
    model.work_s = 0.004

    async def caller(n):
        await batches.score(str(n))
        done.append(n)

    callers = []
    for n in range(200):
        callers.append(asyncio.create_task(caller(n)))
        await asyncio.sleep(0 if n % 3 else 0.001)
    await asyncio.gather(*callers)
    assert done == sorted(done)
    assert max(map(len, model.calls)) == 4
    assert sum(map(len, model.calls)) == 200


async def test_the_event_loop_goes_on_while_the_model_works(batches, model):
    first, _ = await held_up(batches, model)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not first.done()
    model.gate.set()
    await first


async def test_after_the_end_a_caller_is_told():
    batches = Batches(KeywordSentiment().score)
    batches.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        await batches.score("good")
