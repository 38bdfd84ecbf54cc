"""The fold's rules, one by one, each with an event that it decides."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas import chat, support
from schemas.event import derived_id
from schemas.reasons import Owner, Reason
from services.ingest import accept, limits

GUEST = chat.Identity()


def shopper(customer_id, expires_at):
    return chat.Identity(customer_id=customer_id, website="1", group="1", expires_at=expires_at)


# --- turns ---


def test_a_message_becomes_a_turn_with_everything_the_line_needs(line, tools):
    (turn,) = line.say("Is it blue?", store="de", locale="de_DE", visitor="v1", page_sku="SKU-1")
    assert isinstance(turn, chat.CustomerMessageAccepted)
    assert (turn.position, turn.text, turn.store, turn.page_sku) == (1, "Is it blue?", "de", "SKU-1")
    assert (turn.owner, turn.identity, turn.undecided, turn.history) == (Owner.AI, GUEST, (), ())
    assert turn.accepted_at == line.now
    assert turn.answer_by == line.now + timedelta(seconds=30)
    assert not turn.truncated


def test_open_turns_are_covered_by_the_next_and_the_deadline_counts_from_the_oldest(line):
    line.say("First")
    first = line.now
    line.pass_time(4)
    line.say("Second")
    line.pass_time(4)
    (third,) = line.say("Third")
    assert [(turn.position, turn.text) for turn in third.undecided] == [(1, "First"), (2, "Second")]
    assert [turn.message for turn in third.undecided] == [event.identity for event in line.published[:2]]
    assert third.answer_by == first + timedelta(seconds=30)


def test_an_answer_settles_its_turn_and_all_before(line):
    for text in ("One", "Two", "Three"):
        line.say(text)
    line.reply(position=2)
    (turn,) = line.say("Four")
    assert [open_.position for open_ in turn.undecided] == [3]


def test_one_moment_settles_nothing_and_other_notices_do(line):
    line.say("One")
    line.reply(chat.NoticeSent, notice="one_moment", position=1)
    assert [turn.position for turn in line.say("Two")[0].undecided] == [1]
    line.reply(chat.NoticeSent, notice="damaged_or_wrong_item", position=2, reason=Reason.DAMAGED_OR_WRONG_ITEM)
    assert line.say("Three")[0].undecided == ()


def test_only_so_many_open_turns_travel_but_the_oldest_keeps_the_deadline(line):
    for n in range(1, 31):
        line.say(f"Line {n}")
    turn = line.turns[-1]
    assert [open_.position for open_ in turn.undecided] == [1, *range(19, 30)]
    assert turn.answer_by == line.turns[0].accepted_at + timedelta(seconds=30)


def test_history_has_the_last_eight_lines_with_products_and_contained_subjects(line, tools):
    line.say("Mein Anwalt", found=tools.contained("Mein Anwalt", Reason.LEGAL_THREAT))
    line.reply(cards=(chat.Card(sku="SKU-9", name="Shirt", url="https://shop.example/9", read_at=line.now),))
    (turn,) = line.say("And in red?")
    assert [(u.role, u.text, u.contained, u.skus) for u in turn.history] == [
        ("customer", "Mein Anwalt", Reason.LEGAL_THREAT, ()),
        ("assistant", "Our answer", None, ("SKU-9",)),
    ]
    for n in range(20):
        line.say(f"Line {n}")
    assert [u.text for u in line.turns[-1].history] == [f"Line {n}" for n in range(11, 19)]


@pytest.mark.parametrize("how", ["contained", "unscreened"])
def test_what_no_llm_may_see_is_marked_in_history_and_blank_among_open_turns(line, tools, how):
    found = tools.contained("I sue", Reason.LEGAL_THREAT) if how == "contained" else tools.unscreened("I sue")
    line.say("I sue", found=found)
    (turn,) = line.say("Hello?")
    assert [(open_.position, open_.text) for open_ in turn.undecided] == [(1, "")]
    marked = Reason.LEGAL_THREAT if how == "contained" else Reason.AI_UNAVAILABLE
    assert [(u.text, u.contained) for u in turn.history] == [("I sue", marked)]


def test_long_text_is_cut_for_the_models_and_whole_in_the_log(line):
    text = "word " * 3_000
    (turn,) = line.say(text)
    assert turn.truncated
    assert len(turn.text) == 8_000
    assert line.log[0].text == text
    assert len(line.say("More")[0].history[0].text) == 2_000


def test_no_half_of_a_placeholder_is_left_at_the_cut(line):
    text = "x" * 7_995 + "[email 1] and more"
    (turn,) = line.say(text)
    assert turn.text == "x" * 7_995


def test_an_event_full_of_everything_stays_under_its_limit(line):
    """History, open turns and text at their longest, in characters that take the most bytes."""
    for _ in range(12):
        line.say("x" + "\x01" * 9_000)
    (turn,) = line.say("x" + "\x01" * 9_000)  # `Line` encodes it: over the limit it would raise
    assert len(turn.undecided) == 12


# --- what is not accepted ---


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u200d\ufeff", "\u3164\u2800", "\ufe0f", "\x00\x07", "\u0301"])
def test_nothing_to_see_and_nothing_attached_is_refused(line, text):
    (rejected,) = line.say(text, message_id="m1")
    assert rejected == chat.MessageRejected(
        **line.names, message_id="m1", cause=chat.RejectionCause.EMPTY, language="en", announce=True
    )
    assert line.state.position == 0
    assert line.log == []


@pytest.mark.parametrize("text", ["👍", "❤️", "🏳️‍🌈", "\U0001fae9", "?", "1", "ok", "हाँ", "はい"])
def test_only_emoji_or_a_mark_is_a_message(line, text):
    (turn,) = line.say(text)
    assert turn.text == text


def test_an_image_alone_is_a_message(line):
    picture = chat.Attachment(url="https://cdn.example/1.jpg", media_type="image/jpeg")
    (turn,) = line.say("", attachments=(picture,))
    assert turn.position == 1
    assert turn.attachments == (picture,)
    assert line.log[0].attachments == (picture,)


@pytest.mark.parametrize(("size", "accepted"), [(64 * 1024, True), (64 * 1024 + 1, False), (1_000_000, False)])
def test_over_64_kib_is_refused(line, tools, size, accepted):
    data = chat.CustomerMessage(**line.names, message_id="m1", text="Hello")
    (passed,) = line.inbound(data, tools.plain(data, size=size))
    assert isinstance(passed, chat.CustomerMessageAccepted) is accepted
    if not accepted:
        assert passed.cause is chat.RejectionCause.TOO_LARGE


def test_the_201st_message_of_a_minute_is_refused_and_announced_once(line):
    for n in range(200):
        line.say(f"Line {n}")
    more = [line.say("Again")[0] for _ in range(5)]
    assert {m.cause for m in more} == {chat.RejectionCause.TOO_MANY}
    assert [m.announce for m in more] == [True, False, False, False, False]
    line.pass_time(59)
    assert line.say("Again")[0].announce is False
    line.pass_time(1)
    assert isinstance(line.say("Again")[0], chat.CustomerMessageAccepted)
    assert line.state.position == 201


def test_in_a_flood_the_way_to_a_human_stays_open_once(line, tools):
    for n in range(200):
        line.say(f"Line {n}")
    assert isinstance(line.button()[0], chat.HumanRequestedAccepted)
    assert isinstance(line.button()[0], chat.MessageRejected)
    hurt = tools.contained("I am hurt", Reason.PERSON_AT_RISK)
    assert isinstance(line.say("I am hurt", found=hurt)[0], chat.CustomerMessageAccepted)
    assert isinstance(line.say("I am hurt", found=hurt)[0], chat.MessageRejected)


def test_a_refused_message_may_be_sent_again(line):
    for n in range(200):
        line.say(f"Line {n}")
    assert isinstance(line.say("Please", message_id="again")[0], chat.MessageRejected)
    line.pass_time(61)
    assert isinstance(line.say("Please", message_id="again")[0], chat.CustomerMessageAccepted)


def test_contact_without_contact_is_refused(line):
    (rejected,) = line.inbound(chat.ContactLeft(**line.names, message_id="m1", email=" "))
    assert rejected.cause is chat.RejectionCause.EMPTY


# --- duplicates ---


def test_the_same_message_id_is_dropped_and_the_first_content_wins(line):
    line.say("First", message_id="m1")
    assert line.say("Something else", message_id="m1") == []
    assert line.button(message_id="m1") == []
    assert [line_.text for line_ in line.log] == ["First"]


def test_two_gateways_may_both_number_from_1(new_line):
    web, app = new_line("web:1"), new_line("app:1")
    assert web.say("Hello", message_id="1")[0].position == 1
    assert app.say("Hello", message_id="1")[0].position == 1
    assert web.published[0].identity != app.published[0].identity


def test_ids_of_other_things_are_numbered_apart(line):
    line.say("Hello", message_id="1")
    (seen,) = line.inbound(chat.AgentMessageSeen(**line.names, message_id="1", text="I am here"))
    assert isinstance(seen, chat.AgentMessageSeenAccepted)
    assert line.inbound(chat.AgentMessageSeen(**line.names, message_id="1", text="I am here")) == []


@pytest.mark.parametrize(("days", "dropped"), [(1, True), (9, True), (11, False)])
def test_message_ids_are_known_longer_than_any_copy_lives(line, days, dropped):
    line.say("Hello", message_id="m1")
    line.pass_time(days * 86_400)
    line.say("Something else")
    assert (line.say("Hello", message_id="m1") == []) is dropped


def test_ids_are_never_forgotten_for_their_number(line, monkeypatch):
    monkeypatch.setattr(limits, "REMEMBERED_MOST", 500)
    for n in range(500):
        if n % 200 == 0:
            line.now += timedelta(minutes=70)
        line.say("x", message_id=f"m{n}")
    line.now += timedelta(minutes=2)
    assert line.say("One more")[0].cause is chat.RejectionCause.TOO_MANY
    assert all(line.say("x", message_id=f"m{n}") == [] for n in (0, 250, 499))
    assert sum(len(hour.digests) for hour in line.state.known) == 500 * 12


# --- waiting for a reply ---


def test_a_message_ahead_of_the_log_waits_for_the_reply_and_has_it_in_its_history(line):
    line.say("A shirt?")
    assert line.say("The first one", last_reply_sequence=1) == []
    assert line.say("in red") == []
    released = line.reply(text="Two shirts")
    assert [turn.text for turn in released] == ["The first one", "in red"]
    assert [u.text for u in released[0].history] == ["A shirt?", "Two shirts"]
    assert line.timers == {}


def test_it_waits_no_longer_than_a_second_and_not_again_for_the_same_reply(line):
    assert line.say("The first one", last_reply_sequence=7) == []
    assert [turn.text for turn in line.pass_time(0.9)] == ["The first one"]
    assert line.timers == {}
    assert [turn.text for turn in line.say("Hello?", last_reply_sequence=7)] == ["Hello?"]
    assert line.say("Next", last_reply_sequence=8) == []


def test_each_waits_for_its_own_reply(line):
    line.say("One", last_reply_sequence=1)
    line.pass_time(0.5)
    line.say("Two", last_reply_sequence=2)
    assert [turn.text for turn in line.reply()] == ["One"]
    assert [turn.text for turn in line.pass_time(0.6)] == []
    assert [turn.text for turn in line.pass_time(0.2)] == ["Two"]


@pytest.mark.parametrize("urgent", ["contained", "unscreened", "button"])
def test_what_a_human_must_decide_never_waits_and_takes_along_what_was_before(line, tools, urgent):
    line.say("One", last_reply_sequence=3)
    line.say("Two")
    if urgent == "button":
        released = line.button(last_reply_sequence=9)
    else:
        found = tools.contained("Three", Reason.LEGAL_THREAT) if urgent == "contained" else tools.unscreened("Three")
        released = line.say("Three", found=found, last_reply_sequence=9)
    assert [turn.text for turn in released] == ["One", "Two", "" if urgent == "button" else "Three"]
    assert [turn.position for turn in released] == [1, 2, 3]
    assert line.timers == {}


def test_everything_of_a_conversation_waits_in_line(line):
    line.say("One", last_reply_sequence=1)
    assert line.inbound(chat.ConversationClosed(**line.names, by="customer")) == []
    released = line.reply()
    assert [type(data).__name__ for data in released] == ["CustomerMessageAccepted", "ConversationClosedAccepted"]


def test_a_flood_does_not_wait(line):
    line.say("One", last_reply_sequence=1)
    for n in range(19):
        assert line.say(f"Line {n}") == []
    assert len(line.say("One too many")) == 21


def test_copies_that_wait_together_are_one_message(line):
    line.say("One", message_id="m1", last_reply_sequence=1)
    line.say("One", message_id="m1", last_reply_sequence=1)
    assert len(line.reply()) == 1


def test_the_timer_of_an_earlier_wait_releases_nothing(line):
    line.say("One", last_reply_sequence=1)
    (old,) = line.timers.values()
    line.reply()
    line.say("Two", last_reply_sequence=2)
    assert line.arrive(old) == []
    assert len(line.state.waiting) == 1


def test_the_released_turn_counts_from_its_release(line):
    line.say("One", last_reply_sequence=1)
    (turn,) = line.pass_time(0.7)
    assert turn.accepted_at == line.now
    assert turn.answer_by == line.now + timedelta(seconds=30)


# --- clocks ---


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        (timedelta(days=365), timedelta(0)),
        (timedelta(minutes=4), timedelta(minutes=4)),
        (-timedelta(days=3), -timedelta(days=3)),
    ],
)
def test_events_from_the_future_and_the_past_are_accepted_now(line, said, logged):
    (turn,) = line.say("Hello", time=line.now + said)
    assert turn.accepted_at == line.now
    assert line.log[0].at == line.now + logged


def test_events_out_of_order_keep_the_order_of_arrival(line):
    line.say("Second", time=line.now)
    line.say("First", time=line.now - timedelta(minutes=1))
    assert [(turn.position, turn.text) for turn in line.turns] == [(1, "Second"), (2, "First")]


# --- who, where, which language ---


def test_what_a_gateway_leaves_out_stays_as_it_was(line):
    line.inbound(chat.ConversationStarted(**line.names, store="fr", locale="fr_FR", visitor="v", page_sku="S"))
    (turn,) = line.say("👍")
    assert (turn.store, turn.language, turn.page_sku) == ("fr", "fr", "S")


def test_language_is_the_messages_then_the_last_then_the_locales(line, tools):
    data = chat.CustomerMessage(**line.names, message_id="m1", text="Wo ist es?", locale="en_US")
    assert line.inbound(data, tools.plain(data, language="de"))[0].language == "de"
    assert line.say("👍")[0].language == "de"


def test_without_any_sign_the_language_is_english(line):
    assert line.say("👍")[0].language == "en"


def test_identity_stays_until_it_expires(line, tools):
    until = line.now + timedelta(minutes=10)
    data = chat.IdentityChanged(**line.names, identity_token="t")
    line.inbound(data, tools.plain(data, token="proven", identity=shopper(7, until)))
    assert line.say("One")[0].identity.customer_id == 7
    line.pass_time(600)
    assert line.say("Two")[0].identity == GUEST


def test_logging_out_and_a_refused_token_make_a_guest(line, tools):
    until = line.now + timedelta(minutes=10)
    for change in ("logout", "refused"):
        login = chat.IdentityChanged(**line.names, identity_token="t")
        line.inbound(login, tools.plain(login, token="proven", identity=shopper(7, until)))
        if change == "logout":
            line.inbound(chat.IdentityChanged(**line.names))
            assert line.say("One")[0].identity == GUEST
        else:
            data = chat.CustomerMessage(**line.names, message_id="m9", text="Two", identity_token="forged")
            assert line.inbound(data, tools.plain(data, token="refused"))[0].identity == GUEST


def test_another_customer_at_the_same_screen_does_not_bring_along_what_was_said(line, tools):
    until = line.now + timedelta(minutes=10)
    for customer, text in ((7, "My order 1"), (8, "Hello")):
        data = chat.CustomerMessage(**line.names, message_id=text, text=text, identity_token="t")
        line.inbound(data, tools.plain(data, token="proven", identity=shopper(customer, until)))
    turn = line.turns[-1]
    assert turn.history == ()
    assert [(open_.position, open_.text) for open_ in turn.undecided] == [(1, "")]


def test_the_bucket_is_the_customers_else_the_visitors_else_the_conversations(new_line, tools):
    until = datetime(2030, 1, 1, tzinfo=UTC)

    def bucket(key, visitor=None, customer=None):
        line = new_line(key)
        fields = {} if visitor is None else {"visitor": visitor}
        data = chat.ConversationStarted(**line.names, **fields)
        token = {"token": "proven", "identity": shopper(customer, until)} if customer else {}
        return line.inbound(data, tools.plain(data, **token))[0].bucket

    assert bucket("web:1", "v1", 7) == bucket("app:2", "v2", 7)
    assert bucket("web:1", "v1") == bucket("app:2", "v1")
    assert len({bucket(f"web:{n}") for n in range(200)}) > 150
    assert len({bucket("web:1", "v1", 7), bucket("web:1", "v1"), bucket("web:1")}) == 3


def test_the_bucket_stays_whoever_logs_in(line, tools):
    first = line.say("One", visitor="v1")[0].bucket
    data = chat.CustomerMessage(**line.names, message_id="m9", text="Two", identity_token="t")
    found = tools.plain(data, token="proven", identity=shopper(7, line.now + timedelta(hours=1)))
    assert line.inbound(data, found)[0].bucket == first


# --- owner ---


def test_the_owner_follows_the_handoff_by_its_epoch(line):
    line.say("One")
    line.handoff(support.EscalationRaised, 1)
    assert line.say("Two")[0].owner is Owner.QUEUED
    line.handoff(support.EscalationClaimed, 2, agent="a1")
    assert line.say("Three")[0].owner is Owner.HUMAN
    line.handoff(support.EscalationRaised, 1)
    assert line.say("Four")[0].owner is Owner.HUMAN
    line.handoff(support.EscalationReturned, 3, agent="a1")
    (five,) = line.say("Five")
    assert five.owner is Owner.AI
    assert five.undecided == ()


@pytest.mark.parametrize(("by", "owner"), [("customer", Owner.AI), ("closed", Owner.CLOSED)])
def test_a_cancelled_handoff(line, by, owner):
    line.handoff(support.EscalationRaised, 1)
    line.handoff(support.EscalationCancelled, 2, by=by)
    assert line.state.owner is owner


def test_reminders_change_nobody(line):
    line.handoff(support.EscalationRaised, 1)
    line.handoff(support.EscalationReminded, 1, waiting_seconds=60, priority="normal")
    assert line.state.owner is Owner.QUEUED


def test_turns_under_a_human_are_not_open(line):
    line.handoff(support.EscalationRaised, 1)
    line.say("One")
    assert line.say("Two")[0].undecided == ()


def test_closing_and_reopening(line):
    line.say("One")
    (closed,) = line.inbound(chat.ConversationClosed(**line.names, by="customer"))
    assert (closed.by, closed.owner) == ("customer", Owner.AI)
    assert line.state.owner is Owner.CLOSED
    (turn,) = line.say("One more thing")
    assert (turn.owner, turn.undecided) == (Owner.AI, ())


def test_closing_while_queued_is_the_routers_to_decide(line):
    line.handoff(support.EscalationRaised, 1)
    line.inbound(chat.ConversationClosed(**line.names, by="customer"))
    assert line.state.owner is Owner.QUEUED


# --- the other events ---


def test_the_human_button(line):
    (turn,) = line.button()
    assert isinstance(turn, chat.HumanRequestedAccepted)
    assert (turn.screening.complete, turn.screening.reason) == (True, Reason.HUMAN_REQUEST)
    assert turn.screening.evidence[0].source == "button"


def test_a_quick_reply_opens_a_turn_with_its_title(line):
    (turn,) = line.inbound(chat.QuickReplyChosen(**line.names, message_id="m1", quick_reply="red", title="Red"))
    assert (turn.quick_reply, turn.text, turn.position) == ("red", "Red", 1)


def test_an_agent_in_the_channel_is_heard_and_our_own_echo_is_not(line):
    line.inbound(chat.AgentMessageSeen(**line.names, message_id="1", text="I am Kim", agent="kim"))
    (echo,) = line.inbound(chat.AgentMessageSeen(**line.names, message_id="2", text="Our answer", reply_id="r1"))
    assert echo.reply_id == "r1"
    assert [(u.role, u.text) for u in line.state.history] == [("agent", "I am Kim")]
    assert [(row.role, row.text) for row in line.log] == [("agent", "I am Kim")]


def test_contact_feedback_identity_and_start_pass_on(line):
    passed = [
        *line.inbound(chat.ConversationStarted(**line.names)),
        *line.inbound(chat.ContactLeft(**line.names, message_id="1", email="a@example.org", note="After five")),
        *line.inbound(chat.FeedbackGiven(**line.names, message_id="1", helpful=False, reply_id="r", comment="Meh")),
        *line.inbound(chat.IdentityChanged(**line.names)),
    ]
    assert [type(data).__name__ for data in passed] == [
        "ConversationStartedAccepted",
        "ContactLeftAccepted",
        "FeedbackGivenAccepted",
        "IdentityChangedAccepted",
    ]
    assert line.state.position == 0


def test_the_log_numbers_what_was_said(line):
    line.say("One")
    line.reply(text="Answer")
    line.reply(chat.NoticeSent, text="Notice", notice="waiting")
    line.reply(chat.HumanReplySent, text="Human", agent="kim")
    line.reply(chat.RejectionSent, text="Empty", cause=chat.RejectionCause.EMPTY)
    assert [(row.n, row.role, row.text) for row in line.log] == [
        (1, "customer", "One"),
        (2, "assistant", "Answer"),
        (3, "notice", "Notice"),
        (4, "agent", "Human"),
        (5, "notice", "Empty"),
    ]


# --- broken ---


def test_a_rule_that_raises_lets_the_message_pass_as_unscreened(line):
    line.say("Before", last_reply_sequence=5)
    data = chat.CustomerMessage(**line.names, message_id="m9", text="Card 4111 1111 1111 1111, CVC 123")
    before, turn = line.inbound_broken(data)
    assert (before.text, before.position) == ("Before", 1)
    assert (turn.position, turn.text, turn.screening.complete) == (2, "", False)
    assert turn.private == {"[message]": "Card •••• •••• •••• ••••, CVC •••"}
    assert line.log[-1].text == "Card •••• •••• •••• ••••, CVC •••"
    assert line.state.waiting == ()
    assert line.timers == {}
    assert line.inbound_broken(data) == []
    assert [t.position for t in line.say("After")] == [3]


def test_a_timer_that_raises_lets_go_of_what_waited(line):
    line.say("One", last_reply_sequence=1)
    (timer,) = line.timers.values()
    (turn,) = line.apply(timer, line.fold.broken(line.state, timer, None, line.now))
    assert (turn.text, turn.screening.complete) == ("One", False)
    assert line.state.waiting == ()


def test_what_waits_behind_passes_where_it_can(line, monkeypatch):
    line.say("One", last_reply_sequence=1)
    line.inbound(chat.AgentMessageSeen(**line.names, message_id="a1", text="I am here"))
    line.inbound(chat.ConversationClosed(**line.names, by="agent"))
    (timer,) = line.timers.values()
    # No such rule is known; one that raises for what an agent says stands for it.
    write_item = accept._write_item
    monkeypatch.setattr(accept, "_write_item", lambda *a: 1 / 0 if a[3] == "agent" else write_item(*a))
    with pytest.raises(ZeroDivisionError):
        line.arrive(timer)
    passed = line.apply(timer, line.fold.broken(line.state, timer, None, line.now))
    assert [type(data).__name__ for data in passed] == ["CustomerMessageAccepted", "ConversationClosedAccepted"]
    assert line.state.waiting == ()


def test_identities_of_open_turns_are_those_the_events_get(line):
    line.say("One", last_reply_sequence=1)
    line.say("Two")
    line.reply()
    assert line.turns[1].undecided[0].message == line.published[0].identity
    assert line.published[1].id == derived_id(line.published[1].causationid, "CustomerMessageAccepted", 1)
