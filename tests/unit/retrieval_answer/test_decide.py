"""`covering`: a burst is one question."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.chat import (
    Attachment,
    CustomerMessageAccepted,
    Identity,
    QuickReplyChosenAccepted,
    Screening,
    Undecided,
    Utterance,
)
from schemas.reasons import Owner, Reason
from services.retrieval_answer.decide import LONGEST, covering

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def undecided(position, text):
    return Undecided(position=position, message=f"baton/ingest#{position}", accepted_at=NOW, text=text)


def line(text, position=None, role="customer", **more):
    return Utterance(role=role, text=text, at=NOW, position=position, **more)


def message(text, *older, type_=CustomerMessageAccepted, **more):
    values = {
        "gateway": "web",
        "conversation": "c1",
        "store": "default",
        "language": "en",
        "bucket": 0,
        "identity": Identity(),
        "owner": Owner.AI,
        "accepted_at": NOW,
        "position": 9,
        "text": text,
        "screening": Screening(complete=True, version="t"),
        "answer_by": NOW + timedelta(seconds=30),
        "undecided": tuple(undecided(n, one) for n, one in enumerate(older, start=1)),
    }
    return type_(**(values | more))


def test_a_message_alone_stays_as_it_is():
    alone = message("Do you have mugs?", history=(line("hi", 1),))
    assert covering(alone) is alone


def test_a_burst_is_one_question_in_the_order_of_writing():
    assert covering(message("000000091?", "where is", "my order")).text == "where is\nmy order\n000000091?"


def test_nothing_else_of_the_message_changes():
    burst = message("000000091?", "where is")
    assert covering(burst).model_dump(exclude={"text"}) == burst.model_dump(exclude={"text"})


def test_what_became_part_of_the_question_is_no_history():
    history = (line("hello", 1), line("Hi!", 1, "assistant"), line("where is", 2), line("my order", 3))
    burst = message("91?", undecided=(undecided(2, "where is"), undecided(3, "my order")), history=history)
    assert covering(burst).history == history[:2]


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_turns_without_words_leave_no_trace(text):
    """A button, a picture, and what ingest holds back because a human must decide about it."""
    burst = message("and mugs?", text)
    assert covering(burst) is burst


def test_a_text_that_history_knows_as_contained_is_left_out():
    history = (line("I will sue you", 1, contained=Reason.LEGAL_THREAT), line("anyway", 2))
    burst = message("do you have mugs?", "I will sue you", "anyway", history=history)
    covered = covering(burst)
    assert covered.text == "anyway\ndo you have mugs?"
    assert covered.history == history[:1]
    assert covered.truncated is False


def test_a_picture_without_words_stays_alone():
    picture = Attachment(url="https://cdn.example/1.jpg", media_type="image/jpeg")
    burst = message("", "is this one waterproof?", attachments=(picture,))
    assert covering(burst) is burst
    assert covering(message("this one", "is it waterproof?", attachments=(picture,))).text.startswith("is it")


def test_a_quick_reply_covers_as_well():
    burst = message("Shipping", "hello?", type_=QuickReplyChosenAccepted, quick_reply="topic/shipping")
    assert covering(burst).text == "hello?\nShipping"


def test_of_too_many_words_the_oldest_texts_fall_out_whole():
    older = ["first " * 500, "second " * 500, "third " * 300]
    covered = covering(message("now?", *older))
    assert covered.text == f"{older[1]}\n{older[2]}\nnow?"
    assert covered.truncated is True


def test_what_fell_out_stays_history():
    history = (line("a" * 7_000, 1), line("b" * 7_000, 2))
    burst = message("c", undecided=(undecided(1, "a" * 7_000), undecided(2, "b" * 7_000)), history=history)
    assert covering(burst).history == history[:1]


@pytest.mark.parametrize(("length", "fits"), [(LONGEST - 4, True), (LONGEST - 3, False)])
def test_the_bound_is_exact(length, fits):
    covered = covering(message("now", "x" * length))
    assert (len(covered.text) == LONGEST) is fits
    assert covered.truncated is not fits


@given(st.lists(st.text(max_size=3_000), max_size=12), st.text(max_size=9_000))
def test_whatever_was_written(older, text):
    covered = covering(message(text, *older))
    assert len(covered.text) <= LONGEST or covered.text == text
    assert covered.text.endswith(text[:LONGEST])
    said = [one for one in older if one.strip()]
    if len("\n".join([*said, text])) <= LONGEST:
        assert covered.text == "\n".join([*said, text])
        assert not covered.truncated
    else:
        assert covered.truncated
