"""What the shopper gets to see: the disclosure, buttons, the quoted withdrawal."""

from datetime import UTC, datetime

import pytest

from schemas import chat
from schemas.reasons import NO_LLM_EVER, Owner, Reason
from services.escalation_router import replies
from services.escalation_router.replies import original
from tests.unit.escalation_router.play import (
    CONTEXT,
    NAMES,
    Line,
    accepted,
    event,
    proposed,
    scored,
    turn,
)

DISCLOSURES = {language: CONTEXT.notices.of(language).disclosure for language in ("en", "de", "fr", "es")}


def said(line):
    return [e.data for e in line.published if isinstance(e.data, chat.Reply)]


def discloses(reply):
    found = [text.count(d) for d in DISCLOSURES.values() for text in (reply.text, reply.plain)]
    return sum(found) == 2 and reply.text.startswith(tuple(DISCLOSURES.values()))


@pytest.mark.parametrize("first", ["answer", "doubtful", "question", "escalation", "moment", "rejection"])
def test_the_first_reply_alone_says_that_a_machine_speaks(first):
    line = Line()
    if first == "escalation":
        line.open_turn(Reason.DELIVERY_PROBLEM, text="It never came, never mind")
        line.open_turn(text="never mind")
    elif first == "moment":
        line.open_turn()
        line.wait(9)
    elif first == "rejection":
        line.come(event(chat.MessageRejected(**NAMES, cause="empty", language="fr")))
    else:
        kind = "clarification" if first == "question" else "answer"
        line.answered(confidence=0.6 if first == "doubtful" else 0.95, kind=kind)
    line.answered(text="and gloves?")
    line.answered(text="and blue socks?")
    assert [discloses(reply) for reply in said(line)] == [True] + [False] * (len(said(line)) - 1)
    assert len(said(line)) >= 3


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "pl"])
def test_notices_come_in_the_shoppers_language(language):
    line = Line()
    line.open_turn(Reason.DELIVERY_PROBLEM, language=language)
    (notice,) = said(line)
    speaks = language if language != "pl" else "en"
    assert notice.language == speaks
    assert CONTEXT.notices.of(speaks).reasons[Reason.DELIVERY_PROBLEM] in notice.text


def test_a_doubtful_answer_offers_a_human_first_and_once():
    line = Line()
    made = line.open_turn()
    buttons = (chat.QuickReply(id="red", title="In red"), chat.QuickReply(id=replies.HUMAN, title="Someone"))
    line.come(scored(made), proposed(made, 0.6, quick_replies=buttons))
    (answer,) = said(line)
    assert [b.id for b in answer.quick_replies] == [replies.HUMAN, "red"]
    assert answer.offers_human
    assert answer.plain.endswith("- Talk to a person\n- In red")
    assert line.state.offered_human


@pytest.mark.parametrize("reason", list(Reason))
def test_never_mind_is_offered_where_it_works(reason):
    line = Line()
    line.open_turn(reason)
    (notice,) = said(line)
    assert bool(notice.quick_replies) is (reason not in NO_LLM_EVER)
    line.open_turn(Reason.B2B_DEAL if reason is not Reason.B2B_DEAL else Reason.WARRANTY_CLAIM)
    assert bool(said(line)[1].quick_replies) is (reason not in NO_LLM_EVER)
    line.open_turn(type_=chat.QuickReplyChosenAccepted, text="Never mind", quick_reply=replies.CANCEL)
    assert line.state.owner is (Owner.QUEUED if reason in NO_LLM_EVER else Owner.AI)


AT = datetime(2026, 3, 29, 22, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "time"),
    [
        ("en", "29 March 2026, 22:05:07 UTC"),
        ("de", "29 März 2026, 22:05:07 UTC"),
        ("fr", "29 mars 2026, 22:05:07 UTC"),
        ("es", "29 marzo 2026, 22:05:07 UTC"),
        ("pl", "29 March 2026, 22:05:07 UTC"),
    ],
)
def test_a_withdrawal_is_quoted_word_for_word_with_its_time(language, time):
    text = "I withdraw from order 1001.\n  {quote} {time} {0} %s \\1 \\g<0> – jane [email 1], [email 2]! 😀"
    private = {"[email 1]": "jane@example.com", "[email 2]": "literally [email 1]"}
    line = Line(now=AT)
    line.open_turn(Reason.WITHDRAWAL_NOTICE, text=text, private=private, language=language)
    (notice,) = said(line)
    wanted = (
        text.replace("[email 2]", "\0").replace("[email 1]", "jane@example.com").replace("\0", "literally [email 1]")
    )
    for shown in (notice.text, notice.plain):
        assert wanted in shown
        assert time in shown
        assert shown.count("jane@example.com") == 1
    assert "jane@example.com" not in line.state.model_dump_json()
    kept = [e for e in line.published if not isinstance(e.data, chat.Reply)]
    assert all("jane@example.com" not in e.model_dump_json() for e in kept)


def test_a_withdrawal_while_waiting_is_quoted_too():
    line = Line(now=AT).under(Owner.QUEUED)
    line.open_turn(Reason.WITHDRAWAL_NOTICE, text="I withdraw, [phone 1]", private={"[phone 1]": "+49 151"})
    assert "I withdraw, +49 151" in said(line)[-1].text


def test_what_ingest_cut_is_quoted_as_cut():
    made = turn(1, text="I withdraw", truncated=True)
    assert original(made.data) == "I withdraw […]"
    assert original(turn(1, text="x" * 16_000).data) == "x" * 16_000
    assert original(turn(1, text="x" * 16_001).data) == "x" * 16_000 + " […]"


@pytest.mark.parametrize("name", ["[email 1]", "[x.*", "(", "\\"])
def test_placeholders_are_no_patterns(name):
    assert original(turn(1, text=f"a {name} b", private={name: "\\1 {quote}"}).data) == "a \\1 {quote} b"


def test_braces_in_an_answer_stay_as_they_are():
    line = Line()
    made = line.open_turn()
    line.come(scored(made), proposed(made, text="Use {quote} or {time}", plain="{0} %s"))
    assert "Use {quote} or {time}" in said(line)[0].text
    assert said(line)[0].plain.endswith("{0} %s")


def test_an_agents_reply_is_theirs_alone():
    line = Line().under(Owner.HUMAN)
    line.come(accepted(chat.ContactLeftAccepted, note="call me"))
    assert [type(r).__name__ for r in said(line)] == ["NoticeSent", "NoticeSent"]
