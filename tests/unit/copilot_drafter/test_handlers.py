"""Briefs as they are published: what is read, what happens when it cannot be, and for which message the draft is."""

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta

import pytest

from schemas.chat import AnswerUnavailable, AnswerWithheld, Evidence, QuickReplyChosenAccepted
from schemas.codec import decode
from schemas.reasons import NO_LLM_EVER, Intent, Owner, Reason
from schemas.support import BriefLine, EscalationClaimed
from schemas.topics import BY_NAME, EVENT_LIMIT, SUPPORT_BRIEFS
from services.copilot_drafter.app import create
from services.copilot_drafter.gathered import Transcript
from services.copilot_drafter.handlers import HANDLED, draft_with
from services.copilot_drafter.settings import Settings
from services.copilot_drafter.transcripts import FakeTranscripts, TranscriptError
from services.lib.index.port import IndexUnavailable
from services.lib.kit.errors import Unavailable
from services.lib.kit.fakes import MemoryPublisher, StandingClock
from services.lib.kit.settings import WrongSettings, load
from services.lib.shop.fake import FakeShop
from services.lib.shop.settings import ShopSettings
from tests.unit.copilot_drafter.conftest import (
    JANE,
    NEW,
    NOW,
    OLD,
    SENT,
    TRACE,
    event,
    item,
    line,
    order,
    proposed,
    raised,
    which_order,
)

KEY = "A" * 43 + "="
SAID = Transcript((BriefLine(role="customer", text="My parcel never came.", at=NOW),), False, NOW)


class Answers:
    """Gives its answers one after the other (the last for ever), and remembers what it was asked."""

    def __init__(self, *answers):
        self._answers, self.asked = list(answers), []

    async def answer(self, message, *, identity):
        self.asked.append((message, identity))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class SlowShop(FakeShop):
    """Answers some methods never."""

    never: tuple[str, ...] = ()

    async def customer(self, customer_id, *, within=None):
        await self._perhaps("customer")
        return await FakeShop.customer(self, customer_id, within=within)

    async def last_orders(self, customer_id, limit=3, *, within=None):
        await self._perhaps("last_orders")
        return await FakeShop.last_orders(self, customer_id, limit, within=within)

    async def _perhaps(self, method):
        if method in self.never:
            await asyncio.Event().wait()


class Fails:
    """Transcripts, or a shop, or a pipeline, that raises."""

    def __init__(self, error):
        self._error = error

    async def read(self, gateway, conversation):
        raise self._error

    async def answer(self, message, *, identity):
        raise self._error


class Never:
    """Answers nothing, ever."""

    async def read(self, gateway, conversation):
        await asyncio.Event().wait()

    async def answer(self, message, *, identity):
        await asyncio.Event().wait()


def shop(**more):
    return FakeShop(**{"customers": (JANE,), "orders": (SENT, OLD, NEW)} | more)


class Drafter:
    """The handler with fakes in place of all that it reads."""

    def __init__(self, **parts):
        self.clock, self.publisher = StandingClock(NOW), MemoryPublisher()
        self.answers = parts.pop("answers", None) or Answers(proposed())
        self.handle = draft_with(
            **{
                "shop": shop(),
                "answers": self.answers,
                "transcripts": FakeTranscripts({("web", "c1"): SAID}),
                "publisher": self.publisher,
                "clock": self.clock,
                "read_s": 5.0,
                "last_orders": 5,
            }
            | parts
        )

    async def brief_of(self, escalation):
        await self.handle(event(escalation))
        return self.published()[-1].data

    def published(self):
        return [decode(BY_NAME[s.topic], s.key, s.value) for s in self.publisher.on(SUPPORT_BRIEFS.name)]


async def test_a_brief_has_it_all():
    drafter = Drafter()
    prepared = await drafter.brief_of(raised())
    assert prepared.missing == ()
    assert prepared.transcript == SAID.lines
    assert prepared.customer.name == "Jane Miller"
    assert [one.number for one in prepared.orders] == [NEW.number, SENT.number, OLD.number]
    assert prepared.draft.text == "Return it within 30 days."
    (published,) = drafter.published()
    cause = event(raised()).identity
    assert (published.source, published.subject, published.causationid) == ("baton/copilot-drafter", "web:c1", cause)
    assert published.traceparent == TRACE


async def test_as_many_orders_as_asked_for():
    prepared = await Drafter(last_orders=1).brief_of(raised())
    assert [one.number for one in prepared.orders] == [NEW.number]


async def test_a_repeat_gives_the_same_event_and_another_handoff_another():
    drafter = Drafter()
    await drafter.handle(event(raised()))
    drafter.clock.move(30)
    await drafter.handle(event(raised()))
    await drafter.handle(event(raised(), cause="m2"))
    first, again, other = (one.identity for one in drafter.published())
    assert first == again != other


async def test_of_a_guest_nothing_is_asked_of_the_shop():
    asked = shop()
    prepared = await Drafter(shop=asked).brief_of(raised(customer_id=None))
    assert prepared.customer is None
    assert not asked.reads
    assert prepared.missing == ("Orders: the shopper has not proven who they are.",)


async def test_a_customer_that_is_gone_is_named():
    prepared = await Drafter(shop=shop(customers=())).brief_of(raised())
    assert prepared.missing == ("Customer: the shop does not know them any more.",)


# --- parts that cannot be read ---------------------------------------------------------------------


async def test_with_the_shop_down_the_rest_is_there():
    prepared = await Drafter(shop=shop(unavailable=True)).brief_of(raised())
    assert prepared.missing == (
        "Customer: the shop could not be read (the shop is not there).",
        "Orders: the shop could not be read (the shop is not there).",
    )
    assert prepared.draft is not None
    assert prepared.transcript == SAID.lines


@pytest.mark.parametrize(("never", "name"), [("customer", "Customer"), ("last_orders", "Orders")])
async def test_a_slow_shop_is_waited_for_no_longer_than_that(never, name):
    slow = SlowShop(customers=(JANE,), orders=(NEW,), never=(never,))
    async with asyncio.timeout(2):
        prepared = await Drafter(shop=slow, read_s=0.05).brief_of(raised())
    assert prepared.missing == (f"{name}: it took longer than there was time for.",)


async def test_all_reads_wait_side_by_side():
    slow = SlowShop(customers=(JANE,), never=("customer", "last_orders"))
    drafter = Drafter(shop=slow, transcripts=Never(), answers=Never(), read_s=0.3)
    started = asyncio.get_running_loop().time()
    prepared = await drafter.brief_of(raised())
    assert asyncio.get_running_loop().time() - started < 0.9
    assert [one.split(":")[0] for one in prepared.missing] == ["Original transcript", "Customer", "Orders", "Draft"]


@pytest.mark.parametrize(
    ("transcripts", "told"),
    [
        (Fails(TranscriptError("ingest answered 503")), "Original transcript: ingest answered 503."),
        (Fails(KeyError("jane@example.com")), "Original transcript: reading it failed (KeyError)."),
        (Never(), "Original transcript: it took longer than there was time for."),
        (FakeTranscripts(), "Original transcript: ingest has nothing of this conversation."),
    ],
)
async def test_a_transcript_that_cannot_be_read(transcripts, told):
    prepared = await Drafter(transcripts=transcripts, read_s=0.05).brief_of(raised())
    assert prepared.missing == (told,)
    assert prepared.summary.startswith("The shopper wrote: “My parcel never came.”")


async def test_the_button_as_the_first_thing_leaves_no_transcript_and_lacks_none():
    button = raised("", reason=Reason.HUMAN_REQUEST, evidence=(Evidence(source="button"),))
    prepared = await Drafter(transcripts=FakeTranscripts()).brief_of(button)
    assert prepared.missing == ("Draft: human request is answered in your own words.",)
    assert prepared.transcript == ()


async def test_a_picture_that_ingest_does_not_have_is_missing():
    prepared = await Drafter(transcripts=FakeTranscripts()).brief_of(raised("", attachments=1))
    assert prepared.missing[0] == "Original transcript: ingest has nothing of this conversation."


async def test_a_pipeline_that_raises_costs_the_draft_alone(caplog):
    prepared = await Drafter(answers=Fails(RuntimeError("jane@example.com"))).brief_of(raised())
    assert prepared.missing == ("Draft: reading it failed (RuntimeError).",)
    assert "jane@example.com" not in json.dumps([getattr(one, "fields", {}) for one in caplog.records])
    assert caplog.records


async def test_with_everything_away_there_is_still_a_brief():
    drafter = Drafter(
        shop=shop(unavailable=True),
        transcripts=Fails(TranscriptError("ingest did not answer")),
        answers=Answers(
            AnswerUnavailable(
                gateway="web", conversation="c1", position=1, message="m", intent="other", seconds=0, cause="index"
            )
        ),
    )
    prepared = await drafter.brief_of(raised())
    assert len(prepared.missing) == 4
    assert prepared.why == "delivery problem: rule:en.test"


async def test_with_kafka_away_it_says_so():
    drafter = Drafter()
    drafter.publisher.refuse = lambda sent: Unavailable("away")
    with pytest.raises(Unavailable):
        await drafter.handle(event(raised()))


# --- the draft -------------------------------------------------------------------------------------


async def test_the_draft_is_for_the_last_message():
    before = (line("hi", 5), line("Hello!", 4, "assistant"), line("do you sell mugs?", 3))
    drafter = Drafter()
    await drafter.brief_of(raised("My parcel never came.", before=before))
    ((question, identity),) = drafter.answers.asked
    assert question.text == "My parcel never came."
    assert question.history == before
    assert identity == event(raised()).identity
    assert (question.store, question.language, question.position) == ("default", "en", 3)
    assert question.owner is Owner.QUEUED
    assert question.identity.customer_id == JANE.id
    assert question.answer_by == NOW + timedelta(seconds=5)
    assert question.identity.expires_at > question.answer_by


async def test_a_guest_is_a_guest_to_the_draft_as_well():
    drafter = Drafter()
    await drafter.brief_of(raised(customer_id=None))
    assert drafter.answers.asked[0][0].identity.customer_id is None


@pytest.mark.parametrize("reason", sorted(NO_LLM_EVER | {Reason.HUMAN_REQUEST, Reason.FRAUD_OR_ACCOUNT}))
async def test_of_grave_matters_nothing_is_asked(reason):
    drafter = Drafter()
    prepared = await drafter.brief_of(raised(reason=reason))
    assert drafter.answers.asked == []
    assert prepared.draft is None


async def test_grave_words_of_before_are_not_in_the_history_of_a_draft():
    before = (
        line("I am pregnant, is it safe?", 9, contained=Reason.SAFETY_ADVICE),
        line("it came broken", 5, contained=Reason.DAMAGED_OR_WRONG_ITEM),
    )
    drafter = Drafter()
    await drafter.brief_of(raised(before=before))
    assert drafter.answers.asked[0][0].history == before[1:]


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_without_words_nothing_is_asked(text):
    drafter = Drafter()
    prepared = await drafter.brief_of(raised(text, attachments=1))
    assert drafter.answers.asked == []
    assert "Draft: there was no text to answer." in prepared.missing


async def test_instead_of_asking_back_the_order_that_is_most_likely_meant_is_answered():
    of_order = proposed("Order 000000085: on its way.", intent=Intent.ORDER_STATE)
    drafter = Drafter(answers=Answers(which_order(NEW, SENT), of_order))
    before = (line("hello", 3),)
    prepared = await drafter.brief_of(raised("Where is my order?", before=before))
    assert prepared.draft.text == "Order 000000085: on its way."
    assert "The draft takes order 000000085 to be meant: they named none." in prepared.summary
    question = drafter.answers.asked[1][0]
    assert isinstance(question, QuickReplyChosenAccepted)
    assert question.quick_reply == "order/000000085"
    assert [one.text for one in question.history] == ["hello", "Where is my order?"]
    assert question.answer_by == NOW + timedelta(seconds=5)


@pytest.mark.parametrize(
    "second",
    [
        which_order(NEW, SENT),
        AnswerWithheld(
            gateway="web", conversation="c1", position=1, message="m", intent="order_state", seconds=0,
            reason=Reason.LOW_CONFIDENCE,
        ),
        RuntimeError("no"),
    ],
)  # fmt: skip
async def test_where_that_gives_nothing_there_is_no_draft(second):
    prepared = await Drafter(answers=Answers(which_order(NEW, SENT), second)).brief_of(raised())
    assert prepared.draft is None
    assert "The draft takes" not in prepared.summary
    assert len(prepared.missing) == 1


async def test_a_question_back_is_no_draft_where_the_orders_are_not_known():
    answers = Answers(which_order(NEW, SENT))
    prepared = await Drafter(answers=answers, shop=shop(unavailable=True)).brief_of(raised())
    assert prepared.draft is None
    assert "Draft: the message leaves open what exactly it asks." in prepared.missing
    assert len(answers.asked) == 1


# --- size ------------------------------------------------------------------------------------------


async def test_with_a_transcript_at_its_limit_the_event_is_within_its_own():
    lines = tuple(BriefLine(role="customer", text="x" * 1000, at=NOW) for _ in range(250))
    transcripts = FakeTranscripts({("web", "c1"): Transcript(lines, True, NOW)})
    drafter = Drafter(transcripts=transcripts)
    await drafter.handle(event(raised("y" * 8000)))
    (sent,) = drafter.publisher.on(SUPPORT_BRIEFS.name)
    assert 200 * 1024 < len(sent.value) < EVENT_LIMIT
    assert drafter.published()[0].data.transcript_cut is True


async def test_a_wholesale_order_does_not_cost_the_brief():
    large = order("000000500", items=tuple(item(n, name="x" * 255) for n in range(3000)))
    prepared = await Drafter(shop=shop(orders=(large,))).brief_of(raised())
    assert len(prepared.orders[0].items) == 100
    assert "Order 000000500: 2900 more lines in the shop." in prepared.missing


# --- start -----------------------------------------------------------------------------------------


def settings(**more):
    return load(
        Settings,
        **{
            "dead_letter_key": KEY,
            "transcript_token": "t" * 32,
            "shop": ShopSettings(base_url="http://shop.example", token="t"),
        }
        | more,
    )


def test_only_a_raised_escalation_is_briefed():
    assert not issubclass(EscalationClaimed, HANDLED)


def test_without_an_index_it_does_not_start(tmp_path):
    with pytest.raises(IndexUnavailable, match="baton index"):
        create(settings(index_path=tmp_path / "none.db"))


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"transcript_token": "short"}, "BATON_TRANSCRIPT_TOKEN"),
        ({"read_s": 0}, "BATON_READ_S"),
        ({"read_s": 31}, "BATON_READ_S"),
        ({"last_orders": 0}, "BATON_LAST_ORDERS"),
        ({"last_orders": 21}, "BATON_LAST_ORDERS"),
    ],
)
def test_wrong_settings_are_named_and_not_repeated(more, named):
    with pytest.raises(WrongSettings, match=named) as raised_:
        settings(**more)
    assert "short" not in str(raised_.value).replace("at least", "")
