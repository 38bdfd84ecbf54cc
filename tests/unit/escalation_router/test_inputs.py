"""What decisions record: enough for a replay, little enough for an event, and nothing that is not masked."""

from datetime import timedelta

import pytest

from schemas import chat, support
from schemas.codec import encode
from schemas.reasons import Owner, Reason
from schemas.topics import EVENT_LIMIT, SUPPORT_DECISIONS, TRANSCRIPT_LIMIT
from services.escalation_router.inputs import INPUTS_KEPT, INPUTS_LIMIT, remembered
from services.escalation_router.turns import fitting
from services.lib.kit.fold import Arrival
from tests.unit.escalation_router.play import (
    SECRET,
    START,
    Line,
    accepted,
    decisions,
    event,
    proposed,
    replayed,
    request,
    scored,
    turn,
)


def test_a_conversation_can_be_replayed_from_its_decisions():
    line = Line()
    line.answered(text="where is the blue jacket", confidence=0.6)
    line.open_turn(text="in red")
    line.wait(9)
    made = line.open_turn(text="Where is the blue jacket?")
    line.come(scored(made, 0.8), proposed(made))
    assert (
        line.state.handoff.reason is Reason.NEGATIVE_SENTIMENT or line.state.handoff.reason is Reason.REPEATED_FAILURE
    )
    line.ask(support.ClaimRequested)
    line.ask(support.ReplyRequested, text="Hello")
    line.open_turn(Reason.LEGAL_THREAT)
    line.ask(support.GiveBackRequested)
    line.open_turn(text="and gloves?")
    line.wait(40)
    line.come(accepted(chat.ConversationClosedAccepted, line.now, by="customer"))
    line.open_turn(text="hello?", attachments=(chat.Attachment(url="https://x.test/1.jpg", media_type="image/jpeg"),))
    line.come(accepted(chat.AgentMessageSeenAccepted, line.now, text="Hi", agent="Ann K."))
    assert replayed(decisions(line)) == decisions(line)
    assert len(decisions(line)) == 6


def test_repetition_is_found_in_the_replay_although_history_is_not_recorded():
    line = Line()
    history = (chat.Utterance(role="assistant", text="Here.", at=START),)
    line.answered(text="where is the blue jacket")
    line.answered(text="where is the BLUE jacket", history=history)
    assert line.state.handoff.reason is Reason.REPEATED_FAILURE
    assert "history" not in decisions(line)[1].inputs[0].data
    assert [d.reason for d in replayed(decisions(line))] == [None, Reason.REPEATED_FAILURE]


def test_originals_files_and_agents_words_are_not_recorded():
    line = Line().under(Owner.HUMAN)
    line.ask(support.ReplyRequested, text=f"I wrote to {SECRET}")
    line.ask(support.DraftFeedbackGiven, verdict="rejected", comment=f"not {SECRET}"[:4])
    line.come(accepted(chat.ContactLeftAccepted, private={"[contact phone]": SECRET}))
    file = chat.Attachment(url=f"https://x.test/{SECRET}", media_type="image/png", name=SECRET)
    line.open_turn(private={"[phone 1]": SECRET}, attachments=(file,))
    made = decisions(line)[-1]
    assert SECRET not in made.model_dump_json()
    assert [i.type for i in made.inputs][1:] == [
        "ReplyRequested",
        "DraftFeedbackGiven",
        "ContactLeftAccepted",
        "CustomerMessageAccepted",
    ]
    assert made.inputs[1].data["text"] == "[not kept]"


def test_what_superseded_a_turn_belongs_to_the_newer_turns_decision():
    line = Line()
    first = line.open_turn()
    line.come(scored(first))
    second = line.open_turn(text="in red")
    line.come(scored(second), proposed(second))
    assert [[i.type[:6] for i in d.inputs] for d in decisions(line)] == [
        ["Custom", "Sentim"],
        ["Custom", "Sentim", "Answer"],
    ]
    assert decisions(line)[1].accepted_at == first.data.accepted_at


def test_so_does_what_broke():
    line = Line()
    first = line.open_turn()
    line.come(scored(first))
    line.come_broken(turn(2))
    assert [[i.type[:6] for i in d.inputs] for d in decisions(line)] == [["Custom", "Sentim"], ["Custom"]]
    assert line.decided == {1: "superseded", 2: "broken"}


def test_a_flood_keeps_its_newest_part_and_says_so():
    line = Line().under(Owner.HUMAN)
    for n in range(INPUTS_KEPT + 30):
        line.ask(support.DraftFeedbackGiven, verdict="used", comment=str(n))
    line.open_turn()
    made = decisions(line)[-1]
    assert (len(made.inputs), made.inputs_cut) == (INPUTS_KEPT, True)
    assert made.inputs[-1].type == "CustomerMessageAccepted"
    line.open_turn()
    assert not decisions(line)[-1].inputs_cut


@pytest.mark.parametrize("char", ["x", "😀", "\x01", "é", '"'])
def test_the_largest_messages_stay_under_the_limits(char):
    """`Line` encodes every record. Eight thousand characters are what ingest lets pass."""
    text = char * 8000
    history = tuple(chat.Utterance(role="customer", text=char * 2000, at=START) for _ in range(8))
    undecided = tuple(
        chat.Undecided(position=n + 1, message=f"m{n}", accepted_at=START, text=char * 2000) for n in range(3)
    )
    line = Line()
    for n in range(30):
        line.open_turn(text=text, history=history, undecided=undecided)
        line.come(accepted(chat.AgentMessageSeenAccepted, text=text, reply_id=str(n)))
    line.open_turn(Reason.WITHDRAWAL_NOTICE, text=text, history=history)
    for _ in range(60):
        line.come(accepted(chat.AgentMessageSeenAccepted, text=text, reply_id="r"))
    line.ask(support.ClaimRequested)
    line.ask(support.ReplyRequested, text=char * 16_000)
    line.open_turn(text=text)
    assert decisions(line)[-1].inputs_cut
    assert len(line.state.model_dump_json()) < EVENT_LIMIT * 2


def test_one_event_as_large_as_they_come_is_recorded_without_its_data():
    line = Line()
    data = turn(1, text="x" * 450_000, reason=Reason.WITHDRAWAL_NOTICE)
    line.come(data)
    (made,) = decisions(line)
    assert (made.inputs[0].data, made.inputs_cut) == ({}, True)
    raised = next(e.data for e in line.published if isinstance(e.data, support.EscalationRaised))
    assert raised.transcript_cut
    assert raised.transcript[-1].text.startswith("xxx")


def test_inputs_never_outgrow_their_limit():
    state = Line().state
    for n in range(40):
        one = accepted(chat.AgentMessageSeenAccepted, text="é" * 8000, reply_id=str(n))
        state = state.model_copy(update=remembered(state, Arrival(one), START + timedelta(seconds=n)))
        size = sum(len(i.model_dump_json().encode()) for i in state.inputs)
        assert size <= INPUTS_LIMIT
    assert state.inputs_cut
    assert state.inputs[-1].data["reply_id"] == "39"
    assert len(state.inputs) > 5


def test_a_transcript_keeps_its_newest_lines():
    lines = tuple(chat.Utterance(role="customer", text=f"{n} " + "é" * 20_000, at=START) for n in range(20))
    kept, cut = fitting(lines)
    assert cut
    assert kept == lines[-len(kept) :]
    assert len(b"".join(line.model_dump_json().encode() for line in kept)) <= TRANSCRIPT_LIMIT
    assert fitting(lines[:3]) == (lines[:3], False)
    assert fitting(()) == ((), False)


def test_requests_recorded_validate_again():
    line = Line().under(Owner.HUMAN)
    line.come(request(support.ReplyRequested, 99, "bob", text="x"))
    line.open_turn()
    assert replayed(decisions(line)) == decisions(line)


def test_a_decision_is_an_event_of_its_topic():
    line = Line()
    line.answered()
    assert len(encode(SUPPORT_DECISIONS, event(decisions(line)[0], source="baton/escalation-router"))) < 10_000
