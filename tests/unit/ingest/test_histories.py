"""Random histories: whatever comes in whatever order, what the line rests on holds."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import chat, support
from schemas.reasons import Owner, Reason

SEQUENCES = st.none() | st.integers(0, 6)
IDS = st.integers(1, 12).map(lambda n: f"m{n}")
REASONS = st.none() | st.sampled_from([Reason.LEGAL_THREAT, Reason.ORDER_CHANGE])

MESSAGES = st.one_of(
    st.tuples(st.just("say"), IDS, SEQUENCES, REASONS, st.booleans()),
    st.tuples(st.just("blank"), IDS, SEQUENCES),
    st.tuples(st.just("button"), IDS, SEQUENCES),
    st.tuples(st.just("quick"), IDS, SEQUENCES),
)
OTHERS = st.one_of(
    st.tuples(st.just("answer"), st.integers(1, 12), st.integers(1, 8)),
    st.tuples(st.just("notice"), st.sampled_from(["one_moment", "waiting"]), st.none() | st.integers(1, 12)),
    st.tuples(
        st.just("handoff"),
        st.sampled_from(["raised", "claimed", "returned", "resolved", "cancelled"]),
        st.integers(0, 6),
    ),
    st.tuples(st.just("time"), st.sampled_from([0.1, 0.5, 0.8, 1.0, 70.0, 4000.0])),
    st.tuples(
        st.just("event"), st.sampled_from(["start", "agent", "echo", "contact", "feedback", "logout", "closed"])
    ),
)


def play(line, tools, history):
    """Plays it; gives what was sent and not refused for its own sake: (id, type, text, when), in order."""
    sent = []
    for number, (kind, *rest) in enumerate(history):
        text = f"line {number}"
        names = line.names
        if kind == "say":
            message_id, sequence, reason, complete = rest
            data = chat.CustomerMessage(**names, message_id=message_id, text=text, last_reply_sequence=sequence)
            screening = chat.Screening(complete=complete, reason=reason, version="v")
            sent.append((message_id, "CustomerMessageAccepted", text, line.now))
            line.inbound(data, tools.plain(data, screening=screening))
        elif kind == "blank":
            line.say(" \u200b", message_id=rest[0], last_reply_sequence=rest[1])
        elif kind == "button":
            sent.append((rest[0], "HumanRequestedAccepted", "", line.now))
            line.button(rest[0], last_reply_sequence=rest[1])
        elif kind == "quick":
            data = chat.QuickReplyChosen(
                **names, message_id=rest[0], quick_reply="q", title=text, last_reply_sequence=rest[1]
            )
            sent.append((rest[0], "QuickReplyChosenAccepted", text, line.now))
            line.inbound(data)
        elif kind == "answer":
            line.reply(position=rest[0], sequence=rest[1])
        elif kind == "notice":
            line.reply(chat.NoticeSent, notice=rest[0], position=rest[1])
        elif kind == "handoff":
            handoff(line, *rest)
        elif kind == "time":
            line.pass_time(rest[0])
        else:
            other(line, rest[0], str(number))
    line.pass_time(1)
    return sent


def handoff(line, kind, epoch):
    match kind:
        case "raised":
            line.handoff(support.EscalationRaised, epoch)
        case "claimed":
            line.handoff(support.EscalationClaimed, epoch, agent="kim")
        case "returned":
            line.handoff(support.EscalationReturned, epoch, agent="kim")
        case "resolved":
            line.handoff(support.EscalationResolved, epoch, agent="kim")
        case "cancelled":
            line.handoff(support.EscalationCancelled, epoch, by="customer")


def other(line, kind, number):
    names = line.names
    match kind:
        case "start":
            data = chat.ConversationStarted(**names)
        case "agent":
            data = chat.AgentMessageSeen(**names, message_id=number, text="agent speaks")
        case "echo":
            data = chat.AgentMessageSeen(**names, message_id=number, text="echo", reply_id="r")
        case "contact":
            data = chat.ContactLeft(**names, message_id=number, email="someone@example.org")
        case "feedback":
            data = chat.FeedbackGiven(**names, message_id=number, helpful=True)
        case "logout":
            data = chat.IdentityChanged(**names)
        case _:
            data = chat.ConversationClosed(**names, by="gateway")
    line.inbound(data)


@settings(max_examples=120, deadline=None)
@given(history=st.lists(MESSAGES | OTHERS, max_size=40))
def test_what_holds_in_every_history(new_line, tools, history):
    line = new_line()
    sent = play(line, tools, history)
    turns = line.turns

    # Positions have no gap, and each says of older turns what is true.
    assert [turn.position for turn in turns] == list(range(1, len(turns) + 1))
    identities = {event.data.position: event.identity for event in line.published if hasattr(event.data, "position")}
    for turn in turns:
        covered = [open_.position for open_ in turn.undecided]
        assert covered == sorted(set(covered))
        assert all(position < turn.position for position in covered)
        assert all(identities[open_.position] == open_.message for open_ in turn.undecided)
        oldest = min([turn.accepted_at, *(open_.accepted_at for open_ in turn.undecided)])
        assert turn.answer_by == oldest + timedelta(seconds=30)
        assert turn.owner is not Owner.CLOSED
        assert len(turn.history) <= 8

    # Every message id is in exactly one turn: its first content, in the order of arrival.
    first = {}
    for message_id, *message in sent:
        first.setdefault(message_id, message)
    accepted = [(type(turn).__name__, turn.text) for turn in turns]
    assert accepted == [(kind, text) for kind, text, _ in first.values()]

    # Nothing was held for longer than a second, nothing is held still, and no timer is left behind.
    for turn, (_, _, when) in zip(turns, first.values(), strict=True):
        assert turn.accepted_at - when <= timedelta(seconds=1)
    assert line.state.waiting == ()
    assert line.timers == {}

    # No event has the id of another, and the log numbers its lines without gaps.
    assert len({event.identity for event in line.published}) == len(line.published)
    assert [row.n for row in line.log] == list(range(1, len(line.log) + 1))
    assert len({row.event for row in line.log}) == len(line.log)


@settings(max_examples=40, deadline=None)
@given(history=st.lists(MESSAGES | OTHERS, max_size=25))
def test_the_same_history_gives_the_same_events(new_line, tools, history):
    one, other_ = new_line(), new_line()
    play(one, tools, history)
    play(other_, tools, history)
    assert one.published == other_.published
    assert one.state == other_.state


@settings(max_examples=40, deadline=None)
@given(history=st.lists(MESSAGES, max_size=25), at=st.integers(0, 24))
def test_a_rule_that_raises_loses_no_message(new_line, tools, history, at):
    """One message comes unprepared, so that deciding raises: it and all that waited pass, none twice."""
    line = new_line()
    before = play(line, tools, history[:at])
    data = chat.CustomerMessage(**line.names, message_id="odd", text="odd one")
    line.inbound_broken(data)
    after = play(line, tools, history[at:])
    ids = dict.fromkeys([m for m, *_ in before] + ["odd"] + [m for m, *_ in after])
    assert [turn.position for turn in line.turns] == list(range(1, len(ids) + 1))
    odd = [turn for turn in line.turns if "[message]" in turn.private]
    assert [(turn.text, turn.screening.complete) for turn in odd] == [("", False)]
