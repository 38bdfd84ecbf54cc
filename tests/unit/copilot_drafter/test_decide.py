"""What a brief says: a table of cases."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.chat import AnswerUnavailable, AnswerWithheld, Evidence, FactProof
from schemas.reasons import CONTAINED, FORCED, NO_LLM_EVER, Intent, Reason
from schemas.support import BriefLine
from services.copilot_drafter.decide import brief, quoted, summary, why
from services.copilot_drafter.drafts import allows_draft, draft_of, order_meant
from services.copilot_drafter.gathered import Gathered, Missing, Transcript
from services.lib.shop.fake import FakeShop
from tests.unit.copilot_drafter.conftest import (
    CARD,
    JANE,
    NEW,
    NOW,
    OLD,
    SENT,
    line,
    order,
    proposed,
    raised,
    which_order,
)

SHOP = FakeShop()
ABOUT = {"gateway": "web", "conversation": "c1", "position": 1, "message": "m", "seconds": 0.1}
LINE = BriefLine(role="customer", text="My parcel never came, Jane Miller", at=NOW)
SAID = Transcript((LINE,), False, NOW)
NO_DRAFT = "Draft: there was no text to answer."


def gathered(transcript=SAID, customer=JANE, orders=(NEW, SENT), answer=None, meant=None):
    return Gathered(NOW, transcript, customer, orders, answer, meant)


def made(escalation, found):
    return brief(escalation, found, SHOP.order_admin_url, SHOP.customer_admin_url)


def test_of_a_customer_it_has_everything():
    prepared = made(raised(), gathered(answer=proposed(cards=(CARD,))))
    assert (prepared.handoff, prepared.reason, prepared.read_at) == ("h1", Reason.DELIVERY_PROBLEM, NOW)
    assert prepared.customer.name == "Jane Miller"
    assert prepared.customer.url == SHOP.customer_admin_url(7)
    assert [one.number for one in prepared.orders] == ["000000096", "000000085"]
    assert prepared.orders[0].url == SHOP.order_admin_url(NEW)
    assert prepared.orders[0].items[0].quantity == "2"
    (track,) = prepared.orders[1].tracking
    assert (track.carrier, track.number, track.url) == ("UPS", "1Z999AA10123456784", "https://www.ups.com/track?1Z")
    assert prepared.draft.text == "Return it within 30 days."
    assert prepared.draft.cards == (CARD,)
    assert prepared.transcript == (LINE,)
    assert prepared.transcript_from == NOW
    assert prepared.missing == ()


def test_a_carrier_without_a_title_has_its_code():
    assert made(raised(), gathered(orders=(OLD,))).orders[0].tracking[0].carrier == "dhl"


def test_of_a_guest_it_says_why_there_are_no_orders():
    prepared = made(raised(customer_id=None), gathered(customer=None, orders=None))
    assert (prepared.customer, prepared.orders) == (None, ())
    assert prepared.missing == (NO_DRAFT, "Orders: the shopper has not proven who they are.")
    assert "order" not in prepared.summary


def test_a_customer_without_orders_lacks_nothing():
    prepared = made(raised(), gathered(orders=(), answer=proposed()))
    assert prepared.missing == ()
    assert "They have ordered nothing yet." in prepared.summary


def test_a_customer_without_a_name_goes_by_address():
    nameless = JANE.model_copy(update={"first_name": "", "last_name": ""})
    assert made(raised(), gathered(customer=nameless)).customer.name == "jane@example.com"


def test_each_missing_part_is_named():
    found = gathered(Missing("Original transcript: a."), Missing("Customer: b."), Missing("Orders: c."))
    prepared = made(raised(), found)
    assert prepared.missing == ("Original transcript: a.", "Customer: b.", "Orders: c.", NO_DRAFT)
    assert (prepared.transcript, prepared.transcript_from, prepared.customer, prepared.orders) == ((), None, None, ())
    assert "ordered nothing" not in prepared.summary


# --- drafts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", sorted(NO_LLM_EVER | {Reason.HUMAN_REQUEST, Reason.FRAUD_OR_ACCOUNT}))
def test_grave_matters_are_answered_in_own_words(reason):
    """Even where somebody gathered an answer."""
    assert not allows_draft(reason)
    draft, missing = draft_of(reason, gathered(answer=proposed()))
    assert draft is None
    assert missing == f"Draft: {reason.replace('_', ' ')} is answered in your own words."


@pytest.mark.parametrize(
    ("reason", "intent", "fits"),
    [
        (Reason.DAMAGED_OR_WRONG_ITEM, Intent.POLICY, True),
        (Reason.DAMAGED_OR_WRONG_ITEM, Intent.PRODUCT_SEARCH, False),
        (Reason.DAMAGED_OR_WRONG_ITEM, Intent.ORDER_STATE, False),
        (Reason.DELIVERY_PROBLEM, Intent.ORDER_STATE, True),
        (Reason.DELIVERY_PROBLEM, Intent.PRODUCT_DETAIL, False),
        (Reason.ORDER_CHANGE, Intent.ORDER_STATE, False),
        (Reason.WARRANTY_CLAIM, Intent.PRODUCT_SEARCH, False),
        (Reason.B2B_DEAL, Intent.PRODUCT_DETAIL, True),
        (Reason.B2B_DEAL, Intent.ORDER_STATE, False),
        (Reason.NEGATIVE_SENTIMENT, Intent.PRODUCT_SEARCH, True),
        (Reason.NEGATIVE_SENTIMENT, Intent.SMALL_TALK, False),
        (Reason.LOW_CONFIDENCE, Intent.ORDER_STATE, True),
        (Reason.ROLLOUT_ARM, Intent.SMALL_TALK, True),
        (Reason.ROLLOUT_ARM, Intent.OTHER, False),
    ],
)
def test_a_draft_fits_the_reason(reason, intent, fits):
    draft, missing = draft_of(reason, gathered(answer=proposed(intent=intent)))
    assert (draft is not None) is fits
    assert (missing is None) is fits


@pytest.mark.parametrize("reason", sorted(CONTAINED))
def test_no_complaint_is_answered_with_small_talk(reason):
    assert draft_of(reason, gathered(answer=proposed(intent=Intent.SMALL_TALK)))[0] is None


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        (None, NO_DRAFT),
        (Missing("Draft: it took longer than there was time for."), "Draft: it took longer than there was time for."),
        (AnswerUnavailable(**ABOUT, intent="other", cause="shop"), "Draft: the shop could not be read."),
        (AnswerUnavailable(**ABOUT, intent="other", cause="index"), "Draft: the search index could not be read."),
        (AnswerUnavailable(**ABOUT, intent="other", cause="llm"), "Draft: the language model did not answer."),
        (
            AnswerUnavailable(**ABOUT, intent="other", cause="deadline"),
            "Draft: there was no answer in the time there was.",
        ),
        (AnswerUnavailable(**ABOUT, intent="other", cause="internal"), "Draft: the machine failed at it."),
        (
            AnswerWithheld(**ABOUT, intent="other", reason=Reason.LOW_CONFIDENCE),
            "Draft: nothing in the data of the shop answers this.",
        ),
        (
            AnswerWithheld(**ABOUT, intent="other", reason=Reason.ACTION_REQUIRED),
            "Draft: it asks for something to be done.",
        ),
        (which_order(NEW, SENT), "Draft: the message leaves open what exactly it asks."),
        (proposed(confidence=0.49), "Draft: the best the machine found is more likely wrong than right."),
        (proposed(confidence=0.5), None),
    ],
)
def test_without_a_draft_it_says_why(answer, missing):
    draft, told = draft_of(Reason.LOW_CONFIDENCE, gathered(answer=answer))
    assert told == missing
    assert (draft is None) is (missing is not None)


def test_a_draft_keeps_what_it_rests_on():
    proof = FactProof(kind="order", subject="000000085", value="state processing", read_at=NOW)
    draft, _ = draft_of(Reason.LOW_CONFIDENCE, gathered(answer=proposed(language="de", proofs=(proof,))))
    assert (draft.language, draft.proofs) == ("de", (proof,))


@pytest.mark.parametrize(
    ("reason", "offered", "orders", "number"),
    [
        (Reason.NEGATIVE_SENTIMENT, (NEW, SENT), (NEW, SENT, OLD), NEW.number),  # the latest under way
        (Reason.DELIVERY_PROBLEM, (NEW, SENT), (NEW, SENT, OLD), SENT.number),  # what left may be lost
        (Reason.DELIVERY_PROBLEM, (NEW,), (NEW, SENT), NEW.number),
        (Reason.DAMAGED_OR_WRONG_ITEM, (NEW, SENT), (NEW, SENT), None),
        (Reason.NEGATIVE_SENTIMENT, (SENT,), (), None),  # not among those the agent sees
        (Reason.NEGATIVE_SENTIMENT, (), (NEW, SENT), None),  # a question about something else
        (Reason.LEGAL_THREAT, (NEW,), (NEW,), None),
    ],
)
def test_which_order_is_meant(reason, offered, orders, number):
    assert order_meant(reason, which_order(*offered), orders) == number


def test_the_summary_says_which_order_the_draft_is_about():
    prepared = made(raised(), gathered(answer=proposed(intent=Intent.ORDER_STATE), meant="000000085"))
    assert "The draft takes order 000000085 to be meant: they named none." in prepared.summary
    without = made(raised(), gathered(answer=which_order(NEW), meant="000000085"))
    assert "The draft takes" not in without.summary


# --- why -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        ((), "delivery problem"),
        ((Evidence(source="button"),), "delivery problem: button"),
        (
            (Evidence(source="rule:en.never_came", span=(10, 20)),),
            "delivery problem: rule:en.never_came found “never came”",
        ),
        ((Evidence(source="model:s1", score=0.987),), "delivery problem: model:s1 (0.99)"),
        ((Evidence(source="timer:deadline", detail="missing: answer"),),
         "delivery problem: timer:deadline: missing: answer"),
        ((Evidence(source="rule:a", span=(500, 510)),), "delivery problem: rule:a"),  # past the text's end
        ((Evidence(source="rule:a", span=(20, 10)),), "delivery problem: rule:a"),
        ((Evidence(source="rule:a", span=(-3, 2)),), "delivery problem: rule:a found “My”"),
        ((Evidence(source="rule:a"), Evidence(source="m", score=1)), "delivery problem: rule:a; m (1.00)"),
    ],
)  # fmt: skip
def test_why_tells_the_evidence(evidence, told):
    assert why(raised(evidence=evidence)) == told


def test_why_is_bounded():
    long = raised("no " * 2000, evidence=tuple(Evidence(source=f"rule:{n}", span=(0, 6000)) for n in range(50)))
    told = why(long)
    assert "rule:4" in told
    assert "rule:5" not in told
    assert len(told) < 700


def test_why_without_a_transcript():
    bare = raised().model_copy(update={"transcript": (), "evidence": (Evidence(source="rule:a", span=(0, 4)),)})
    assert why(bare) == "delivery problem: rule:a"


# --- summary -------------------------------------------------------------------------------------


def test_the_last_words_are_quoted_on_one_line():
    assert summary(raised("It\n never\t came"), None) == "The shopper wrote: “It never came”."


def test_long_words_are_cut():
    quote = summary(raised("where is it " * 50), None).split("“")[1].split("”")[0]
    assert len(quote) <= 240
    assert quote.endswith("…")


@given(st.text(max_size=400), st.integers(1, 300))
def test_quotes_are_short_and_on_one_line(text, at_most):
    told = quoted(text, at_most)
    assert len(told) <= at_most
    assert told == " ".join(told.split()) or told.endswith("…")
    assert told.rstrip("…") == " ".join(text.split())[: len(told.rstrip("…"))]


@pytest.mark.parametrize(
    ("position", "ordinal"),
    [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"), (22, "22nd"),
     (101, "101st"), (111, "111th"), (112, "112th")],
)  # fmt: skip
def test_messages_are_counted_by_their_position(position, ordinal):
    assert f"It is their {ordinal} message." in summary(raised(position=position), None)


def test_the_first_message_is_not_counted():
    assert "message" not in summary(raised(), None)


@pytest.mark.parametrize(
    ("minutes", "span"),
    [(0, "1 minute"), (1.4, "1 minute"), (7, "7 minutes"), (119, "119 minutes"), (120, "2 hours"),
     (60 * 30, "30 hours"), (60 * 48, "2 days"), (60 * 24 * 20, "20 days"), (-5, "1 minute")],
)  # fmt: skip
def test_how_long_it_took(minutes, span):
    told = summary(raised(before=(line("hi", minutes), line("Hello!", 0, "assistant"))), None)
    assert f"It is their 2nd message, all within {span}." in told


def test_of_a_long_conversation_only_the_end_is_known():
    told = summary(raised(before=(line("a", 9), line("b", 5)), position=12), None)
    assert "It is their 12th message, the last 3 of them within 9 minutes." in told


def test_what_was_shown_last_comes_first():
    shown = (
        line("one", 3, "assistant", skus=("A", "B")),
        line("two", 2, "assistant", skus=("C", "A", *map(str, range(9)))),
    )
    assert "They were shown C, A, 0, 1, 2, 3." in summary(raised(before=shown), None)


@pytest.mark.parametrize(
    ("orders", "told"),
    [
        ((NEW, SENT, OLD), "Open orders: 000000096 (new), 000000085 (processing)."),
        ((OLD,), None),
        (tuple(order(str(n), "holded") for n in range(9)), "Open orders: 0 (holded), 1 (holded), 2 (holded)."),
        ((order("1", "a_state_of_the_shops_own"),), None),
    ],
)
def test_open_orders_are_named(orders, told):
    said = summary(raised(), orders)
    assert (told or "The shopper wrote") in said
    assert ("Open orders" in said) is (told is not None)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"attachments": 1}, "The shopper sent an attachment without words. They attached 1 file."),
        ({"attachments": 3}, "The shopper sent an attachment without words. They attached 3 files."),
        ({"evidence": (Evidence(source="button"),)}, "The shopper pressed the button for a person."),
        ({"evidence": (Evidence(source="button:quick_reply"),)}, "The shopper pressed the button for a person."),
        ({"evidence": ()}, "The shopper sent nothing that can be read."),
    ],
)
def test_a_message_without_words(more, told):
    assert summary(raised("", **more), None) == told


def test_after_the_button_the_words_before_it_count():
    told = summary(raised("", before=(line("Where is it?", 3),), evidence=(Evidence(source="button"),)), None)
    assert told.startswith("The shopper pressed the button for a person. Before that they wrote: “Where is it?”")


def test_nothing_was_said():
    assert summary(raised().model_copy(update={"transcript": ()}), None) == "Nothing was said before the handoff."


def test_forced_reasons_take_any_kind_of_answer():
    for reason in FORCED:
        assert draft_of(reason, gathered(answer=proposed(intent=Intent.PRODUCT_SEARCH)))[0] is not None


def test_the_clock_of_a_line_may_go_backwards():
    odd = raised(before=(line("later", -90),))
    assert (odd.transcript[-1].at - odd.transcript[0].at) == timedelta(minutes=-90)
    assert "within 1 minute" in summary(odd, None)
