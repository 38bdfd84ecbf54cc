"""What retrieval-answer publishes of one message, and what it does not read."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from schemas.chat import (
    AnswerProposed,
    AnswerUnavailable,
    AnswerWithheld,
    CustomerMessageAccepted,
    HumanRequestedAccepted,
    Identity,
    Screening,
    Undecided,
)
from schemas.codec import decode
from schemas.event import Event
from schemas.reasons import Intent, Owner, Reason
from schemas.topics import BY_NAME, CHAT_ANSWERS, CHAT_MESSAGES
from services.lib.index.port import IndexUnavailable
from services.lib.kit import metrics
from services.lib.kit.errors import Unavailable
from services.lib.kit.fakes import MemoryPublisher
from services.lib.kit.settings import WrongSettings, load
from services.lib.shop.settings import ShopSettings
from services.retrieval_answer.app import create
from services.retrieval_answer.handlers import HANDLED, answer_with
from services.retrieval_answer.settings import Settings

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
KEY = "A" * 43 + "="
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ABOUT = {"gateway": "web", "conversation": "c1", "position": 3, "message": "m", "seconds": 0.25}
PROPOSED = AnswerProposed(
    **ABOUT, intent=Intent.POLICY, kind="answer", text="30 days.", plain="30 days.", language="en", confidence=0.9
)
QUESTION = PROPOSED.model_copy(update={"kind": "clarification", "intent": Intent.ORDER_STATE})
WITHHELD = AnswerWithheld(**ABOUT, intent=Intent.OTHER, reason=Reason.LOW_CONFIDENCE)
UNAVAILABLE = AnswerUnavailable(**ABOUT, intent=Intent.OTHER, cause="shop")


def accepted(text="How long may I return things?", cause="m1", reason=None, complete=True, undecided=()):
    data = CustomerMessageAccepted(
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
        screening=Screening(complete=complete, reason=reason, version="t"),
        answer_by=NOW + timedelta(seconds=30),
        undecided=undecided,
    )
    return Event.new(data, source="baton/ingest", subject="web:c1", time=NOW, cause=cause, traceparent=TRACE)


class Answers:
    """Gives the same answer to everything, and remembers what it was asked."""

    def __init__(self, answer=PROPOSED):
        self.given, self.asked = answer, []

    async def answer(self, message, *, identity):
        self.asked.append((message, identity))
        return self.given


def published(publisher):
    return [decode(BY_NAME[s.topic], s.key, s.value) for s in publisher.on(CHAT_ANSWERS.name)]


@pytest.mark.parametrize("answer", [PROPOSED, QUESTION, WITHHELD, UNAVAILABLE])
async def test_one_answer_of_three_types_is_published(answer):
    answers, publisher, message = Answers(answer), MemoryPublisher(), accepted()
    await answer_with(answers, publisher, lambda: NOW)(message)
    (event,) = published(publisher)
    assert event.data == answer
    assert (event.source, event.subject, event.causationid) == ("baton/retrieval-answer", "web:c1", message.identity)
    assert (event.traceparent, event.time) == (TRACE, NOW)
    assert answers.asked == [(message.data, message.identity)]
    assert type(event.data) in CHAT_ANSWERS.types


async def test_a_repeat_gives_the_same_event_and_another_message_another():
    publisher = MemoryPublisher()
    handle = answer_with(Answers(), publisher, lambda: NOW)
    for cause in ("m1", "m1", "m2"):
        await handle(accepted(cause=cause))
    first, again, other = (event.identity for event in published(publisher))
    assert first == again != other


@pytest.mark.parametrize(
    ("reason", "complete"), [*product(Reason, [True]), (None, False), (Reason.HUMAN_REQUEST, False)]
)
async def test_contained_and_unscreened_messages_are_not_read(reason, complete):
    answers, publisher = Answers(), MemoryPublisher()
    await answer_with(answers, publisher, lambda: NOW)(accepted(reason=reason, complete=complete))
    assert answers.asked == []
    assert publisher.sent == []


async def test_a_burst_is_asked_as_one_question():
    answers = Answers()
    burst = tuple(
        Undecided(position=n, message=f"m{n}", accepted_at=NOW, text=text)
        for n, text in enumerate(("where is", "my order"), start=1)
    )
    await answer_with(answers, MemoryPublisher(), lambda: NOW)(accepted("000000091?", undecided=burst))
    assert answers.asked[0][0].text == "where is\nmy order\n000000091?"


@pytest.mark.parametrize(
    ("answer", "result"),
    [(PROPOSED, "proposed"), (QUESTION, "clarification"), (WITHHELD, "withheld"), (UNAVAILABLE, "unavailable")],
)
async def test_answers_are_counted(answer, result):
    counter = metrics.ANSWERS.labels(answer.intent, result)
    before = counter._value.get()
    await answer_with(Answers(answer), MemoryPublisher(), lambda: NOW)(accepted())
    assert counter._value.get() == before + 1


async def test_with_kafka_away_it_says_so():
    publisher = MemoryPublisher()
    publisher.refuse = lambda sent: Unavailable("away")
    with pytest.raises(Unavailable):
        await answer_with(Answers(), publisher, lambda: NOW)(accepted())


def test_the_human_button_is_not_handled():
    assert HumanRequestedAccepted not in HANDLED
    assert set(HANDLED) <= set(CHAT_MESSAGES.types)


def test_without_an_index_it_does_not_start_and_says_how_to_build_one(tmp_path):
    settings = load(
        Settings,
        dead_letter_key=KEY,
        index_path=tmp_path / "none.db",
        shop=ShopSettings(base_url="http://shop.example", token="t"),
    )
    with pytest.raises(IndexUnavailable, match="baton index"):
        create(settings)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"dead_letter_key": KEY}, "BATON_SHOP"),
        ({"dead_letter_key": KEY, "shop": {"base_url": "http://s.example", "token": "t", "x": 1}}, "BATON_SHOP__X"),
        (
            {"dead_letter_key": KEY, "shop": {"base_url": "http://s.example", "token": "t"}, "answers_at_once": 0},
            "BATON_ANSWERS_AT_ONCE",
        ),
    ],
)
def test_wrong_settings_are_named(given, named, monkeypatch):
    for name in ("BATON_SHOP__BASE_URL", "BATON_SHOP__TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(WrongSettings, match=named):
        load(Settings, **given)
