"""What the sentiment service publishes of one message."""

from datetime import UTC, datetime

import pytest

from schemas.chat import (
    CustomerMessageAccepted,
    HumanRequestedAccepted,
    Identity,
    QuickReplyChosenAccepted,
    Screening,
)
from schemas.codec import decode
from schemas.event import Event
from schemas.reasons import Owner
from schemas.topics import BY_NAME, CHAT_MESSAGES, CHAT_SENTIMENT
from services.lib.kit.fakes import MemoryPublisher
from services.lib.kit.settings import WrongSettings, load
from services.lib.language.sentiment import KeywordSentiment, SentimentModel, SentimentScores
from services.sentiment.app import create
from services.sentiment.handlers import HANDLED, as_data, score_with
from services.sentiment.settings import Settings

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
KEY = "A" * 43 + "="
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def accepted(text, type_=CustomerMessageAccepted, cause="m1", **more):
    data = type_(
        gateway="web",
        conversation="c1",
        store="default",
        language="en",
        bucket=0,
        identity=Identity(),
        owner=Owner.AI,
        accepted_at=NOW,
        position=3,
        text=text,
        screening=Screening(complete=True, version="t"),
        answer_by=NOW,
        **more,
    )
    return Event.new(data, source="baton/ingest", subject="web:c1", time=NOW, cause=cause, traceparent=TRACE)


class Scored:
    """The handler over a fake model and a producer in memory; tells what the model was asked."""

    def __init__(self, scores=None):
        self.publisher, self.asked = MemoryPublisher(), []
        self.scores = scores
        self.handle = score_with(self._score, "weights-1", self.publisher, lambda: NOW)

    async def _score(self, text):
        self.asked.append(text)
        return self.scores or KeywordSentiment().score([text])[0]

    def published(self):
        return [decode(BY_NAME[s.topic], s.key, s.value) for s in self.publisher.on(CHAT_SENTIMENT.name)]


async def test_the_scores_name_message_turn_and_weights():
    scored = Scored()
    message = accepted("this is terrible")
    await scored.handle(message)
    (event,) = scored.published()
    assert event.data.scores.negative > 0.5
    assert (event.data.message, event.data.position, event.data.model) == (message.identity, 3, "weights-1")
    assert (event.subject, event.source, event.causationid) == ("web:c1", "baton/sentiment", message.identity)
    assert event.traceparent == TRACE


async def test_a_repeat_gives_the_same_event_and_another_message_another():
    scored = Scored()
    for cause in ("m1", "m1", "m2"):
        await scored.handle(accepted("hello", cause=cause))
    first, again, other = (event.identity for event in scored.published())
    assert first == again != other


@pytest.mark.parametrize("text", ["", "  ", "\n\t", "\u3000"])
async def test_without_words_there_is_nothing_to_score(text):
    scored = Scored()
    await scored.handle(accepted(text))
    assert scored.published()[0].data.scores is None
    assert scored.asked == []


@pytest.mark.parametrize(
    "text", ["😡😡😡", "Das ist schrecklich", "x" * 8000, "\u202enevird\u202c", "NULL", "\u200b"]
)
async def test_whatever_is_written_is_scored(text):
    scored = Scored()
    await scored.handle(accepted(text))
    assert scored.published()[0].data.scores is not None
    assert scored.asked == [text]


async def test_a_quick_reply_is_scored_by_its_title():
    scored = Scored()
    await scored.handle(accepted("That was terrible", QuickReplyChosenAccepted, quick_reply="feedback"))
    assert scored.asked == ["That was terrible"]


def test_the_human_button_is_not_handled():
    assert not isinstance(accepted("", HumanRequestedAccepted).data, HANDLED)
    assert set(HANDLED) <= set(CHAT_MESSAGES.types)


async def test_single_precision_may_overshoot():
    scored = Scored(SentimentScores(1.0000001, -1e-9, 0.0))
    await scored.handle(accepted("x"))
    scores = scored.published()[0].data.scores
    assert (scores.negative, scores.neutral, scores.positive) == (1.0, 0.0, 0.0)
    assert as_data(SentimentScores(0.25, 0.5, 0.25)).neutral == 0.5


async def test_what_the_model_raises_is_published_as_nothing():
    async def broken(text):
        raise RuntimeError("no")

    publisher = MemoryPublisher()
    with pytest.raises(RuntimeError):
        await score_with(broken, "w", publisher, lambda: NOW)(accepted("x"))
    assert publisher.sent == []


def test_without_its_weights_it_does_not_start(tmp_path, monkeypatch):
    monkeypatch.setattr(SentimentModel.load.__func__, "__defaults__", (tmp_path,))
    with pytest.raises(FileNotFoundError, match=r"sentiment\.onnx"):
        create(load(Settings, dead_letter_key=KEY))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "BATON_DEAD_LETTER_KEY"),
        ({"dead_letter_key": "short"}, "BATON_DEAD_LETTER_KEY"),
        ({"dead_letter_key": KEY, "sentiment_threads": 0}, "BATON_SENTIMENT_THREADS"),
        ({"dead_letter_key": KEY, "sentiment_threads": 65}, "BATON_SENTIMENT_THREADS"),
    ],
)
def test_wrong_settings_are_named(given, named, monkeypatch):
    monkeypatch.delenv("BATON_DEAD_LETTER_KEY", raising=False)
    with pytest.raises(WrongSettings, match=named):
        load(Settings, **given)


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("BATON_DEAD_LETTER_KEY", KEY)
    monkeypatch.setenv("BATON_SENTIMENT_THREADS", "4")
    assert load(Settings).sentiment_threads == 4
