"""What the router says: answers, notices and rejections in the shopper's language, as pure functions."""

import re
from datetime import datetime
from typing import Any

from babel.dates import format_datetime

from schemas.chat import (
    AcceptedTurn,
    AnswerProposed,
    AnswerSent,
    MessageRejected,
    NoticeSent,
    QuickReply,
    RejectionSent,
)
from schemas.reasons import NO_LLM_EVER, Reason, gravest
from services.escalation_router.notices import Notices, Words
from services.escalation_router.state import Conversation

HUMAN = "human"
"""Id of the quick reply that asks for a person."""
CANCEL = "cancel_handoff"
"""Id of the quick reply that takes the wish back."""
QUOTED = 16_000
"""Characters of a message that a notice quotes: twice that many, in text and plain, still fit into an event."""


def answer(
    state: Conversation, notices: Notices, proposed: AnswerProposed, position: int, *, offer: bool
) -> AnswerSent:
    """The proposed answer as sent; with `offer` the human button comes first."""
    words = notices.of(state.language)
    buttons = proposed.quick_replies
    if offer:
        others = tuple(button for button in buttons if button.id != HUMAN)
        buttons = (QuickReply(id=HUMAN, title=words.quick_replies[HUMAN]), *others)
    return AnswerSent(
        **_address(state),
        language=proposed.language,
        text=_introduced(state, words, proposed.text),
        plain=_with_buttons(_introduced(state, words, proposed.plain), buttons),
        cards=proposed.cards,
        quick_replies=buttons,
        position=position,
        kind=proposed.kind,
        offers_human=offer,
    )


def handoff_notice(
    state: Conversation,
    notices: Notices,
    reason: Reason,
    position: int,
    *,
    turn: AcceptedTurn | None = None,
    carried: AnswerProposed | None = None,
) -> NoticeSent:
    """The notice of an escalation. `turn` is quoted where the reason asks for it, or else what is kept of it;
    `carried` is a proven answer that the shopper gets although a human was called."""
    words = notices.of(state.language)
    text = words.reasons[reason]
    if reason is Reason.WITHDRAWAL_NOTICE:
        text = _filled(text, _quoted(state, turn, notices.speaks(state.language)))
    plain = text
    if carried is not None:
        text, plain = f"{text}\n\n{carried.text}", f"{plain}\n\n{carried.plain}"
    buttons: tuple[QuickReply, ...] = ()
    waits_for = gravest(reason, state.handoff.reason if state.handoff else None)
    if waits_for not in NO_LLM_EVER:  # those the shopper cannot cancel
        buttons = (QuickReply(id=CANCEL, title=words.quick_replies[CANCEL]),)
    return NoticeSent(
        **_address(state),
        language=notices.speaks(state.language),
        text=_introduced(state, words, text),
        plain=_with_buttons(_introduced(state, words, plain), buttons),
        cards=carried.cards if carried is not None else (),
        quick_replies=buttons,
        notice=reason.value,
        position=position,
        reason=reason,
    )


def notice(state: Conversation, notices: Notices, name: str, position: int | None = None) -> NoticeSent:
    words = notices.of(state.language)
    text = words.notices[name]
    if position is not None:
        text = _introduced(state, words, text)
    return NoticeSent(
        **_address(state),
        language=notices.speaks(state.language),
        text=text,
        plain=text,
        notice=name,
        position=position,
    )


def rejection(state: Conversation, notices: Notices, rejected: MessageRejected) -> RejectionSent:
    words = notices.of(rejected.language)
    text = _introduced(state, words, words.rejections[rejected.cause])
    return RejectionSent(
        **_address(state),
        language=notices.speaks(rejected.language),
        text=text,
        plain=text,
        message_id=rejected.message_id,
        cause=rejected.cause,
    )


def original(turn: AcceptedTurn) -> str:
    """The message as it was written, as far as ingest may hand it on. Never kept."""
    text = turn.text
    if turn.private:
        # In one pass: what a placeholder stands for may look like another one.
        names = "|".join(re.escape(name) for name in sorted(turn.private, key=len, reverse=True))
        text = re.sub(names, lambda found: turn.private[found.group()], text)
    whole = len(text) <= QUOTED and not turn.truncated
    return text if whole else f"{text[:QUOTED]} […]"


def _quoted(state: Conversation, turn: AcceptedTurn | None, language: str) -> dict[str, str]:
    """What is filled into a notice that confirms a message: its words and its time."""
    if turn is not None:
        return {"quote": original(turn), "time": _moment(turn.accepted_at, language)}
    if state.open is None:
        raise ValueError("nothing to quote")
    return {"quote": state.open.text[:QUOTED], "time": _moment(state.open.accepted_at, language)}


def _filled(text: str, fields: dict[str, str]) -> str:
    """In one pass: a quote may well contain a brace."""
    return re.sub(r"\{(time|quote)\}", lambda found: fields[found[1]], text)


def _moment(at: datetime, language: str) -> str:
    return f"{format_datetime(at, 'd MMMM y, HH:mm:ss', locale=language)} UTC"


def _address(state: Conversation) -> dict[str, Any]:
    return {"gateway": state.gateway, "conversation": state.conversation}


def _introduced(state: Conversation, words: Words, text: str) -> str:
    """The first thing the machine says begins with saying that it is one (EU AI Act, article 50)."""
    return text if state.disclosed else f"{words.disclosure}\n\n{text}"


def _with_buttons(text: str, buttons: tuple[QuickReply, ...]) -> str:
    if not buttons:
        return text
    return text + "\n\n" + "\n".join(f"- {button.title}" for button in buttons)
