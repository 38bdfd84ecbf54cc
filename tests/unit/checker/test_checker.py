"""The checker accepts a line that keeps its promises, and names each way of breaking one."""

import json

import pytest

from tests.real.checker import Log, Record, check, outstanding
from tests.unit.checker.story import ROUTER, Mistake, Story, identity, whole_story


def test_a_right_story_has_no_problems() -> None:
    report = whole_story().report(work_repeats=False, no_unavailable_with_answer=True)
    assert report.problems == []
    assert report.counts["turns"] == 14
    assert report.counts["decision escalate ai_unavailable"] == 2
    assert report.counts["copies chat.replies"] == 1


def test_a_right_story_is_finished() -> None:
    story = whole_story()
    assert outstanding(story.log(), story.sent) == 0


def test_nothing_at_all_is_no_problem() -> None:
    assert Story().report().problems == []


# --- told wrong: the mistake, and what the checker must say of it ---------------------------------------


def lost_message(story: Story) -> None:
    """Ingest never saw it: all that came of it is missing, and later positions count on."""
    accepted = story.find("CustomerMessageAccepted")
    about = [e for _, e in story.events if accepted["id"] in json.dumps(e)]
    story.forget(*about)


def lost_by_kafka(story: Story) -> None:
    story.forget(story.find("ConversationClosed"))


def sent_in_another_order(story: Story) -> None:
    said = story.sent.conversations["web:a"]
    said[0], said[1] = said[1], said[0]


def accepted_twice(story: Story) -> None:
    story.add("chat.messages", story.find("CustomerMessageAccepted"), position=8)


def accepted_under_two_ids(story: Story) -> None:
    """The copy with the same message id was accepted as well."""
    copy = story.find("CustomerMessage", -1)
    other = story.add("chat.messages", story.find("CustomerMessageAccepted", -1), position=5)
    other["causationid"] = identity(copy)


def accepted_in_another_order(story: Story) -> None:
    first, second = story.find("CustomerMessageAccepted", 1), story.find("CustomerMessageAccepted", 2)
    first["causationid"], second["causationid"] = second["causationid"], first["causationid"]


def rejected_twice(story: Story) -> None:
    story.add("chat.messages", story.find("MessageRejected"))


def position_left_out(story: Story) -> None:
    story.find("CustomerMessageAccepted", 1)["data"]["position"] = 99


def no_decision(story: Story) -> None:
    story.forget(story.find("DecisionMade", 2))


def two_decisions(story: Story) -> None:
    story.add("support.decisions", story.find("DecisionMade", 1))


def decision_without_turn(story: Story) -> None:
    story.add("support.decisions", story.find("DecisionMade", 1), position=77, effects=[])


def decided_out_of_order(story: Story) -> None:
    first, second = story.find("DecisionMade", 1), story.find("DecisionMade", 2)
    for a, b in (("position", "position"), ("effects", "effects"), ("decision", "decision")):
        first["data"][a], second["data"][b] = second["data"][b], first["data"][a]
    first["causationid"], second["causationid"] = second["causationid"], first["causationid"]


def missing_answer(story: Story) -> None:
    reply = story.find("AnswerSent", 1)
    story.events = [entry for entry in story.events if entry[1]["id"] != reply["id"]]
    story._count_anew()


def answered_twice(story: Story) -> None:
    story.add("chat.replies", story.find("AnswerSent", 1))


def answer_and_nothing_said(story: Story) -> None:
    story.find("DecisionMade", 1)["data"]["effects"] = []


def question_sent_as_an_answer(story: Story) -> None:
    story.find("AnswerSent", 2)["data"]["kind"] = "answer"


def no_human_offered(story: Story) -> None:
    story.find("AnswerSent", 3)["data"]["offers_human"] = False


def answer_of_another_turn(story: Story) -> None:
    story.find("AnswerSent", 2)["data"]["text"] = "something else"


def contained_and_answered(story: Story) -> None:
    story.find("CustomerMessageAccepted", 1)["data"]["screening"]["reason"] = "damaged_or_wrong_item"


def missing_notice(story: Story) -> None:
    notice = next(e for _, e in story.events if e["data"].get("notice") == "low_confidence")
    story.forget(notice)


def notice_without_decision(story: Story) -> None:
    notice = next(e for _, e in story.events if e["data"].get("notice") == "low_confidence")
    story.add("chat.replies", notice)


def second_escalation(story: Story) -> None:
    story.add("support.escalations", story.find("EscalationRaised"))


def notice_of_another_reason(story: Story) -> None:
    notice = next(e for _, e in story.events if e["data"].get("notice") == "low_confidence")
    notice["data"]["reason"] = "b2b_deal"


def answered_under_human(story: Story) -> None:
    """A late answer leaves, and the decision tells the truth about the owner."""
    decision = next(e for _, e in story.events if e["data"].get("owner") == "human")
    cause = decision["causationid"]
    about = {"position": decision["data"]["position"], "text": "x", "kind": "answer"}
    reply = story.router("chat.replies", "AnswerSent", "web:a", cause, **about, offers_human=False)
    decision["data"] |= {"decision": "answer", "effects": [reply["id"]]}


def answered_under_queued_by_a_liar(story: Story) -> None:
    """Two routers with a state each: the one does not know that the other escalated."""
    decision = next(e for _, e in story.events if e["data"].get("owner") == "queued")
    about = {"position": decision["data"]["position"], "text": "x", "kind": "answer"}
    turn = story.find("CustomerMessageAccepted", about["position"])
    story.evidence(turn, text="x", kind="answer")
    reply = story.router("chat.replies", "AnswerSent", "web:a", decision["causationid"], **about)
    decision["data"] |= {"decision": "answer", "effects": [reply["id"]], "owner": "ai", "epoch": 0}


def suppressed_by_nothing(story: Story) -> None:
    superseded = story.find("DecisionMade", 3)
    superseded["causationid"] = identity(story.find("SentimentScored", 1))


def suppressed_by_itself(story: Story) -> None:
    superseded = story.find("DecisionMade", 3)
    superseded["causationid"] = identity(story.find("CustomerMessageAccepted", 3))


def suppressed_and_answered(story: Story) -> None:
    decision = next(e for _, e in story.events if e["data"].get("owner") == "human")
    notice = story.router("chat.replies", "NoticeSent", "web:a", decision["causationid"], notice="b2b_deal")
    decision["data"]["effects"] = [notice["id"]]


def effect_of_another_cause(story: Story) -> None:
    story.find("AnswerSent", 1)["causationid"] = identity(story.find("SentimentScored", 1))


def two_moments(story: Story) -> None:
    notice = next(e for _, e in story.events if e["data"].get("notice") == "one_moment")
    story.add("chat.replies", notice)


def unexplained_notice(story: Story) -> None:
    story.router("chat.replies", "NoticeSent", "web:a", identity(story.find("SentimentScored")), notice="cancelled")


def epoch_left_out(story: Story) -> None:
    story.find("EscalationReturned")["data"]["epoch"] = 5


def two_owners_of_an_epoch(story: Story) -> None:
    other = story.add("support.escalations", story.find("EscalationClaimed", 1), agent="ben")
    story.router("chat.replies", "NoticeSent", "web:a", other["causationid"], notice="human_joined")


def wrong_owner(story: Story) -> None:
    story.find("DecisionMade", 1)["data"]["epoch"] = 1


def claimed_while_ai(story: Story) -> None:
    claim = story.asked("web:a", "ClaimRequested", epoch=3)
    raised = story.find("EscalationRaised", 1)
    of = {"handoff": raised["id"], "agent": "ada", "took_over": False}
    story.router("support.escalations", "EscalationClaimed", "web:a", claim, **of, epoch=4)
    story.router("chat.replies", "NoticeSent", "web:a", claim, notice="human_joined")


def human_spoke_for_the_machine(story: Story) -> None:
    said = story.asked("web:a", "ReplyRequested", epoch=3)
    story.router("chat.replies", "HumanReplySent", "web:a", said, text="Hello", agent="ada")


def closed_and_still_open(story: Story) -> None:
    closing = story.inbound("web:a", "ConversationClosed", by="customer")
    story.write("chat.messages", "baton/ingest", "ConversationClosedAccepted", "web:a", identity(closing))


def ended_for_no_reason(story: Story) -> None:
    story.router("support.outcomes", "ConversationEnded", "web:c", identity(story.find("SentimentScored", -1)))


def ended_without_a_change(story: Story) -> None:
    closing = story.find("ConversationEnded", 1)
    story.add("support.outcomes", closing)


def other_handoff(story: Story) -> None:
    story.find("EscalationReturned")["data"]["handoff"] = "nobody's"


def gap(story: Story) -> None:
    story.find("AnswerSent", 2)["sequence"] = 70


def sequence_twice(story: Story) -> None:
    first = story.find("AnswerSent", 1)
    story.find("AnswerSent", 2)["sequence"] = first["sequence"]


def no_sequence(story: Story) -> None:
    del story.find("AnswerSent", 1)["sequence"]


def replies_overtake(story: Story) -> None:
    """The later reply lies before the earlier one, with the right numbers."""
    places = [n for n, (_, e) in enumerate(story.events) if e["type"] == "AnswerSent" and e["subject"] == "web:a"]
    one, two = places[0], places[1]
    story.events[one], story.events[two] = story.events[two], story.events[one]


def answers_in_another_order(story: Story) -> None:
    """Numbered in the order in which they lie, and the older turn is answered last."""
    replies_overtake(story)
    story._count_anew()


def copies_differ(story: Story) -> None:
    topic, event = next(entry for entry in story.events if entry[1]["type"] == "DecisionMade")
    story.events.append((topic, {**event, "time": "2026-03-12T10:00:00Z"}))


def copies_about_different_things(story: Story) -> None:
    topic, event = next(entry for entry in story.events if entry[1]["type"] == "SentimentScored")
    story.events.append((topic, {**event, "data": {**event["data"], "position": 2}}))


def cause_unknown(story: Story) -> None:
    story.find("FeedbackRecorded")["causationid"] = "baton/ingest#nobody"


def cause_of_another_conversation(story: Story) -> None:
    story.find("FeedbackRecorded")["causationid"] = identity(story.find("SentimentScored", 1))


def timer_of_another_conversation(story: Story) -> None:
    notice = next(e for _, e in story.events if e["data"].get("notice") == "one_moment")
    notice["causationid"] = "timer:web:a:moment:1:0"


def other_key(story: Story) -> None:
    story.find("BriefPrepared")["data"]["conversation"] = "z"


def written_by_a_stranger(story: Story) -> None:
    story.find("AnswerSent", 1)["source"] = "baton/retrieval-answer"


def not_scored(story: Story) -> None:
    story.forget(story.find("SentimentScored", 1))


def scored_twice(story: Story) -> None:
    story.add("chat.sentiment", story.find("SentimentScored", 1))


def no_answer_event(story: Story) -> None:
    story.forget(story.find("AnswerUnavailable"))


def answered_twice_with_one_outcome(story: Story) -> None:
    story.add("chat.answers", story.find("AnswerProposed", 1))


def contained_read_by_answering(story: Story) -> None:
    legal = next(e for _, e in story.events if e["data"].get("screening", {}).get("reason"))
    story.evidence(legal, "AnswerWithheld", reason="low_confidence")


def no_brief(story: Story) -> None:
    story.forget(story.find("BriefPrepared", 1))


def two_briefs(story: Story) -> None:
    story.add("support.briefs", story.find("BriefPrepared", 1))


def brief_of_nothing(story: Story) -> None:
    story.add("support.briefs", story.find("BriefPrepared", 1), handoff="nobody's")


def unheard_agent(story: Story) -> None:
    story.asked("web:a", "ReplyRequested", epoch=2)


def joined_without_a_word(story: Story) -> None:
    story.forget(next(e for _, e in story.events if e["data"].get("notice") == "human_joined"))


def feedback_lost(story: Story) -> None:
    story.forget(story.find("FeedbackRecorded"))


def rejection_untold(story: Story) -> None:
    story.forget(story.find("RejectionSent"))


MISTAKES: list[tuple[Mistake, str]] = [
    (lost_message, "web:a: CustomerMessage CustomerMessage-1 was sent, and neither accepted nor rejected"),
    (lost_by_kafka, "web:b: ConversationClosed ConversationClosed-1 was acknowledged and is not on chat.inbound"),
    (sent_in_another_order, "web:a: its inbound events lie on chat.inbound in another order"),
    (accepted_twice, "is accepted a second time, or nobody sent it"),
    (accepted_under_two_ids, "is accepted a second time, or nobody sent it"),
    (accepted_in_another_order, "web:a: its events were accepted in another order"),
    (rejected_twice, "web:b: message e1 was sent 1 times and rejected 2 times"),
    (position_left_out, "web:a: the positions of its turns are [99, 2,"),
    (no_decision, "web:a turn 2: 0 decisions on CustomerMessageAccepted CustomerMessageAccepted-2"),
    (two_decisions, "web:a turn 1: 2 decisions on"),
    (decision_without_turn, "web:a turn 77: DecisionMade DecisionMade-1-other decides a turn that nobody opened"),
    (decided_out_of_order, "web:a: its turns were decided in the order [2, 1,"),
    (missing_answer, "web:a turn 1: answer DecisionMade-1 names the effect AnswerSent-1, which is on no topic"),
    (answered_twice, "web:a turn 1: AnswerSent AnswerSent-1-other is the effect of no decision"),
    (answer_and_nothing_said, "must lead to one AnswerSent, and led to nothing"),
    (question_sent_as_an_answer, "web:a turn 2: clarify DecisionMade-2 sent AnswerSent AnswerSent-2, of the kind"),
    (no_human_offered, "with offers_human False"),
    (
        answer_of_another_turn,
        "web:a turn 2: clarify DecisionMade-2 sent AnswerSent AnswerSent-2, which nobody proposed",
    ),
    (contained_and_answered, "web:a turn 1: answer DecisionMade-1 answers a contained message"),
    (missing_notice, "web:a turn 4: escalate DecisionMade-4 names the effect NoticeSent-1, which is on no topic"),
    (notice_without_decision, "web:a turn 4: NoticeSent NoticeSent-1-other is the effect of no decision"),
    (second_escalation, "web:a turn 4: EscalationRaised EscalationRaised-1-other is the effect of no decision"),
    (notice_of_another_reason, "is for low_confidence, and its NoticeSent NoticeSent-1 for b2b_deal"),
    (answered_under_human, "web:a turn 7: answer DecisionMade-7 speaks although the owner is human"),
    (answered_under_queued_by_a_liar, "was made in epoch 0, after escalate DecisionMade-4, which leads to epoch 1"),
    (suppressed_by_nothing, "comes from SentimentScored SentimentScored-1, which ends no turn"),
    (suppressed_by_itself, "is superseded by an older turn, 3, or by itself"),
    (suppressed_and_answered, "under human must lead to nothing, and led to ['NoticeSent']"),
    (effect_of_another_cause, "and its effect AnswerSent AnswerSent-1 from baton/sentiment#SentimentScored-1"),
    (two_moments, "web:c turn 1: NoticeSent NoticeSent-8-other says again what"),
    (unexplained_notice, "(cancelled) comes from SentimentScored, which leads to no such notice"),
    (epoch_left_out, "web:a: no event says how the owner, human, changed to epoch 3"),
    (two_owners_of_an_epoch, "both are the change of owner to epoch 2"),
    (wrong_owner, "web:a turn 1: answer DecisionMade-1 says owner ai in epoch 1, where it is queued"),
    (claimed_while_ai, "in epoch 4 comes where the owner is ai"),
    (human_spoke_for_the_machine, "was sent in epoch 3, whose owner is ai"),
    (closed_and_still_open, "closed the conversation, and its owner is still ai"),
    (ended_for_no_reason, "which never leads to one"),
    (ended_without_a_change, "1 more ConversationEnded than changes of owner"),
    (other_handoff, "is of the handoff nobody's, and EscalationRaised-1 is open"),
    (gap, "web:a: the sequence on chat.replies has gaps at [2,"),
    (sequence_twice, "web:a: the sequence on chat.replies has two events with [1]"),
    (no_sequence, "web:a: the sequence on chat.replies has none on ['AnswerSent AnswerSent-1']"),
    (replies_overtake, "(sequence 2) lies before AnswerSent AnswerSent-1 (1)"),
    (answers_in_another_order, "AnswerSent AnswerSent-1 (turn 1) was said after AnswerSent AnswerSent-2 (turn 2)"),
    (copies_differ, "web:a: DecisionMade DecisionMade-1 at baton.support.decisions.v1/0/0 and"),
    (copies_about_different_things, "are about different things"),
    (cause_unknown, "FeedbackRecorded-1 comes from baton/ingest#nobody, which is on no topic"),
    (
        cause_of_another_conversation,
        "FeedbackRecorded-1 comes from baton/sentiment#SentimentScored-1, which is of web:a",
    ),
    (timer_of_another_conversation, "comes from the timer of another conversation"),
    (other_key, "has the key web:a and is about web:z"),
    (written_by_a_stranger, "on chat.replies was written by baton/retrieval-answer"),
    (not_scored, "web:a turn 1: CustomerMessageAccepted CustomerMessageAccepted-1 has 0 scores of its sentiment"),
    (scored_twice, "has 2 scores of its sentiment"),
    (no_answer_event, "has no answer event"),
    (answered_twice_with_one_outcome, "web:a turn 1: CustomerMessageAccepted CustomerMessageAccepted-1 has several"),
    (contained_read_by_answering, "is contained, and AnswerWithheld AnswerWithheld-4 answers it"),
    (no_brief, "web:a turn 4: EscalationRaised EscalationRaised-1 has 0 briefs"),
    (two_briefs, "EscalationRaised EscalationRaised-1 has 2 briefs"),
    (brief_of_nothing, "BriefPrepared-1-other is of no escalation"),
    (unheard_agent, "of ada led to nothing"),
    (joined_without_a_word, "of ada led to ['EscalationClaimed']"),
    (feedback_lost, "FeedbackGivenAccepted-1 led to nothing"),
    (rejection_untold, "web:b: MessageRejected MessageRejected-1 is to be answered with a notice, under ai"),
]


@pytest.mark.parametrize(("mistake", "said"), MISTAKES, ids=[mistake.__name__ for mistake, _ in MISTAKES])
def test_each_mistake_is_named(mistake: Mistake, said: str) -> None:
    story = whole_story()
    mistake(story)
    problems = story.report().problems
    assert any(said in problem for problem in problems), problems


def test_nothing_can_be_left_out_unnoticed() -> None:
    """Whatever single event is missing; but for requests nobody answers to, which there are none of."""
    story = whole_story()
    for topic, gone in list(story.events):
        without = whole_story()
        without.events = [entry for entry in without.events if entry[1]["id"] != gone["id"]]
        assert without.report().problems, (topic, gone["type"], gone["id"])


def test_everything_may_come_twice() -> None:
    story = whole_story()
    once = story.report()
    story.events = [entry for entry in story.events for _ in range(2)] + story.events
    twice = story.report()
    assert twice.problems == []
    assert {n: c for n, c in twice.counts.items() if "copies" not in n} == {
        n: c for n, c in once.counts.items() if "copies" not in n
    }


# --- options ------------------------------------------------------------------------------------------------


def test_a_second_outcome_of_answering_is_a_problem_where_nothing_was_killed() -> None:
    story = whole_story()
    story.evidence(story.find("CustomerMessageAccepted", 1), "AnswerUnavailable", cause="shop")
    assert story.report().problems == []
    assert "has several answer events" in story.report(work_repeats=False).problems[0]


def test_unavailable_although_the_answer_is_there() -> None:
    story = whole_story()
    slow = story.find("CustomerMessageAccepted", 9)
    assert slow["subject"] == "web:b"
    slow = next(e for _, e in story.events if e["subject"] == "web:c" and e["type"] == "CustomerMessageAccepted")
    unavailable = story.find("AnswerUnavailable")
    unavailable["type"] = "AnswerProposed"
    assert story.report().problems == []
    (problem,) = story.report(no_unavailable_with_answer=True).problems
    assert problem.startswith("web:c turn 1")
    assert slow["data"]["position"] == 1


def test_dead_letters_are_expected_or_a_problem() -> None:
    story = whole_story()
    dead = Record("baton.chat.inbound.v1.dlq", 0, 0, "web:a", b"?", {"x-origin": "baton.chat.inbound.v1/0/9999"})
    story.letters.append(dead)
    assert "1 dead letters where 0 are expected" in story.report().problems[0]
    assert story.report(expected_dead_letters=1).problems == []


def test_what_was_put_aside_is_not_lost() -> None:
    story = whole_story()
    closing = story.inbound("web:a", "ConversationClosed", by="nobody")
    assert "is lost" in story.report().problems[0]
    assert outstanding(story.log(), story.sent) == 1
    (origin,) = [r.origin for r in story.log().records if r.value and closing["id"].encode() in r.value]
    story.letters.append(Record("baton.chat.inbound.v1.dlq", 0, 0, "web:a", b"?", {"x-origin": origin}))
    assert story.report(expected_dead_letters=1).problems == []
    assert outstanding(story.log(), story.sent) == 0


def test_what_a_service_published_is_readable() -> None:
    story = whole_story()
    broken = Record("baton.chat.replies.v1", 1, 0, "web:a", b"{}")
    story.letters.append(broken)
    assert story.report().problems == ["baton.chat.replies.v1/1/0: a service published what is no event"]


def test_a_key_stays_in_its_partition() -> None:
    story = whole_story()
    log = story.log()
    moved = [r for r in log.records if r.short == "chat.answers"][-1]
    others = tuple(r for r in log.records if r is not moved)
    there = Record(moved.topic, 3, 0, moved.key, moved.value)
    story.letters = []
    story.log = lambda: Log((*others, there))  # type: ignore[method-assign]
    assert any("lies in another partition of chat.answers" in problem for problem in story.report().problems)


# --- the router alone, and what is under way ------------------------------------------------------------------


def test_the_router_alone_is_judged_by_what_it_was_given() -> None:
    story = whole_story()
    story.events = [entry for entry in story.events if entry[0] not in ("chat.inbound", "support.briefs")]
    assert check(story.log(), sent=None, briefs=False).problems == []
    two_decisions(story)
    assert any("2 decisions" in problem for problem in check(story.log(), sent=None, briefs=False).problems)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("CustomerMessageAccepted", -1),
        ("ConversationClosedAccepted", 1),
        ("SentimentScored", 1),
        ("AnswerProposed", 1),
        ("DecisionMade", -1),
        ("AnswerSent", -1),
        ("EscalationRaised", -1),
        ("BriefPrepared", 1),
        ("HumanReplySent", 1),
        ("FeedbackRecorded", 1),
        ("CustomerMessage", 1),
    ],
)
def test_what_is_missing_is_outstanding(kind: str, number: int) -> None:
    story = whole_story()
    gone = story.find(kind, number)
    story.events = [entry for entry in story.events if entry[1]["id"] != gone["id"]]
    assert outstanding(story.log(), story.sent) > 0


def test_a_claim_of_ones_own_needs_no_verdict() -> None:
    story = whole_story()
    story.asked("web:c", "ClaimRequested", epoch=2, agent="ada")
    assert story.report().problems == []
    assert outstanding(story.log(), story.sent) == 0
    story.asked("web:c", "ClaimRequested", epoch=2, agent="eve")
    assert outstanding(story.log(), story.sent) == 1


def test_a_message_taken_along_by_a_later_one_is_attributed_by_its_words() -> None:
    """The first waits for a reply; the human button takes it along: both name the button as their cause."""
    story = Story()
    first, second = story.message("web:a"), story.message("web:a", "CustomerMessage")
    both = story.find("CustomerMessage", 2)
    story.find("CustomerMessage", 1)["data"]["text"] = first["data"]["text"] = "the first"
    first["causationid"] = identity(both)
    assert not any("accepted" in problem for problem in story.report().problems)
    second["data"]["text"], first["data"]["text"] = first["data"]["text"], "what else?"
    assert any("is accepted a second time" in problem for problem in story.report().problems)


def test_a_human_who_simply_speaks_takes_over() -> None:
    story = Story()
    turn = story.message("web:a")
    story.evidence(turn, "AnswerWithheld", reason="low_confidence")
    seen = story.inbound("web:a", "AgentMessageSeen", message_id="a1", text="Hello")
    accepted = story.write(
        "chat.messages", "baton/ingest", "AgentMessageSeenAccepted", "web:a", identity(seen), text="Hello"
    )
    story.decide(turn, identity(accepted), "suppress", owner="ai", epoch=0)
    of = {"agent": "ada", "epoch": 1, "took_over": True, "handoff": "EscalationClaimed-1"}
    claimed = story.router("support.escalations", "EscalationClaimed", "web:a", identity(accepted), **of)
    assert claimed["source"] == ROUTER
    assert story.report().problems == []
    claimed["data"]["took_over"] = False
    assert any("claims where no handoff is open" in problem for problem in story.report().problems)


def test_a_closed_queue_ends_as_cancelled() -> None:
    story = Story()
    turn = story.message("web:a", contained="b2b_deal")
    raised = story.escalated(turn, identity(turn), "b2b_deal", epoch=0)
    closing = story.inbound("web:a", "ConversationClosed", by="customer")
    closed = story.write("chat.messages", "baton/ingest", "ConversationClosedAccepted", "web:a", identity(closing))
    of = {"handoff": raised["id"], "epoch": 2, "by": "closed"}
    cancelled = story.router("support.escalations", "EscalationCancelled", "web:a", identity(closed), **of)
    ended = story.router(
        "support.outcomes", "ConversationEnded", "web:a", identity(closed), outcome="abandoned_waiting"
    )
    story.answered("web:a", epoch=3)
    assert story.report().problems == []
    story.forget(ended)
    assert any("led to ['EscalationCancelled']" in problem for problem in story.report().problems)
    assert cancelled["data"]["by"] == "closed"


def _left_a_contact(*, noted: bool) -> Story:
    """While the shopper waits."""
    story = Story()
    turn = story.message("web:a", contained="b2b_deal")
    story.escalated(turn, identity(turn), "b2b_deal", epoch=0)
    left = story.inbound("web:a", "ContactLeft", message_id="k1", email="x")
    accepted = story.write("chat.messages", "baton/ingest", "ContactLeftAccepted", "web:a", identity(left))
    if noted:
        story.router("chat.replies", "NoticeSent", "web:a", identity(accepted), notice="contact_noted")
    return story


def test_a_contact_is_noted_where_the_shopper_waits() -> None:
    assert _left_a_contact(noted=True).report().problems == []
    (problem,) = _left_a_contact(noted=False).report().problems
    assert "is to be answered with a notice, under queued" in problem


def test_a_contact_is_not_noted_elsewhere() -> None:
    story = Story()
    story.answered("web:a", epoch=0)
    left = story.inbound("web:a", "ContactLeft", message_id="k1", email="x")
    accepted = story.write("chat.messages", "baton/ingest", "ContactLeftAccepted", "web:a", identity(left))
    story.answered("web:a", epoch=0)
    assert story.report().problems == []
    story.router("chat.replies", "NoticeSent", "web:a", identity(accepted), notice="contact_noted")
    assert "was answered with a notice, under ai" in story.report().problems[0]
