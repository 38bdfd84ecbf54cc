"""`accept`: one inbound event passes the door, or is told why not.

Every inbound `X` becomes one `XAccepted`, with what the rest of the line needs to decide without asking:
where the shopper is, in which language, who the shop says it is, who speaks, what was said before. A message, a
human button and a quick reply open a turn; the turn takes the next position and covers every older turn that
is still open.
"""

from datetime import datetime, timedelta

from schemas import chat
from schemas.event import Data
from schemas.reasons import Owner, Reason
from services.ingest.found import MODEL_CHARACTERS
from services.ingest.ledger import Ledger
from services.ingest.limits import announces, counted, is_known, refusal
from services.ingest.rows import LogLine, Role
from services.ingest.state import Conversation, Item
from services.ingest.whereabouts import arrived_from, bucket, language_of_turn

ANSWER_WITHIN = timedelta(seconds=30)
"""A shopper waits about half a minute before giving up on a chat; within it the turn is decided."""
LINE_CHARACTERS = 2_000
"""Of a line in history or of an open turn: an event with all of them stays under its size limit."""
HISTORY_LINES = 8
"""Four exchanges: further back "it" and "the cheaper one" point at nothing."""
UNDECIDED_MOST = 12
"""Open turns that an event carries. Of more, the oldest (the deadline counts from it) and the newest."""
SKUS_MOST = 8


def accept(state: Conversation, item: Item, ledger: Ledger, now: datetime) -> Conversation:
    """The state after `item`; what follows from it goes into the ledger."""
    data = item.data
    if is_known(state, data):
        return state
    cause = refusal(state, item, now)
    if cause is not None:
        return reject(state, item, cause, ledger, now)
    state = counted(arrived_from(state, item, now), item, now)
    if isinstance(data, chat.InboundMessage):
        return _turn(state, item, ledger, now)
    return _other(state, item, ledger, now)


def reject(
    state: Conversation, item: Item, cause: chat.RejectionCause, ledger: Ledger, now: datetime
) -> Conversation:
    """Say that the message was not accepted. Its id stays unknown: the shopper may send it again."""
    announce = announces(state, cause, now)
    ledger.publish(
        chat.MessageRejected(
            gateway=item.data.gateway,
            conversation=item.data.conversation,
            message_id=getattr(item.data, "message_id", None),
            cause=cause,
            language=language_of_turn(state, item),
            announce=announce,
        )
    )
    return state.model_copy(update={"announced": {**state.announced, cause: now}}) if announce else state


def pass_unscreened(state: Conversation, item: Item, ledger: Ledger, now: datetime) -> Conversation:
    """The shortest way through where the rules raised. It never raises.

    A message passes unscreened, so that whoever reads it escalates; of the rest only what is certain: no history, no
    open turns, a guest. Other events pass where they can, and are left to the dead letters where not.
    """
    if is_known(state, item.data):
        return state
    if state.bucket is None:
        state = state.model_copy(update={"bucket": bucket(state)})
    counting = counted(state, item, now)
    if not isinstance(item.data, chat.InboundMessage):
        before = ledger.mark()
        try:
            return _other(counting, item, ledger, now)
        except Exception:  # it may be the rule that raised
            ledger.undo(before)
            return state
    state = counting.model_copy(update={"position": state.position + 1})
    fields = {
        **_common(state, item, now),
        "identity": chat.Identity(),
        **_said(item),
        "screening": item.found.screening.model_copy(update={"complete": False}),
        "position": state.position,
        "answer_by": now + ANSWER_WITHIN,
    }
    ledger.publish(_ACCEPTED[type(item.data)].model_validate(fields))
    return _write_item(state, item, ledger, "customer", state.position)


def write(state: Conversation, ledger: Ledger, line: LogLine) -> Conversation:
    """A line in the conversation log, with the next number."""
    n = state.lines + 1
    ledger.log(line.model_copy(update={"n": n}))
    return state.model_copy(update={"lines": n})


def heard(state: Conversation, utterance: chat.Utterance) -> Conversation:
    """A line in what the models see of the conversation; one without words or products says nothing."""
    if not utterance.text and not utterance.skus:
        return state
    short = utterance.model_copy(update={"text": cut(utterance.text, LINE_CHARACTERS)})
    return state.model_copy(update={"history": (*state.history, short)[-HISTORY_LINES:]})


def cut(text: str, characters: int) -> str:
    """At most so many characters, and no half of a placeholder at the end."""
    if len(text) <= characters:
        return text
    kept = text[:characters]
    opened = kept.rfind("[")
    halved = opened > kept.rfind("]") and "]" in text[characters : characters + 32] and characters - opened <= 32
    return kept[:opened] if halved else kept


def _turn(state: Conversation, item: Item, ledger: Ledger, now: datetime) -> Conversation:
    position = state.position + 1
    owner = Owner.AI if state.owner is Owner.CLOSED else state.owner  # a message reopens the conversation
    undecided = state.undecided
    screening = _screened(item)
    fields = {
        **_common(state, item, now),
        **_said(item),
        "owner": owner,
        "position": position,
        "screening": screening,
        "page_sku": state.page_sku,
        "answer_by": min([now, *(turn.accepted_at for turn in undecided)]) + ANSWER_WITHIN,
        "undecided": undecided,
        "history": state.history,
    }
    identity = ledger.publish(_ACCEPTED[type(item.data)].model_validate(fields))
    contained = screening.reason or (None if screening.complete else Reason.AI_UNAVAILABLE)
    # The next turn may come before the handoff of this one is read here: it must not bring it to an LLM.
    text = "" if contained else cut(item.found.masked, LINE_CHARACTERS)
    open_ = chat.Undecided(position=position, message=identity, accepted_at=now, text=text)
    state = state.model_copy(
        update={
            "position": position,
            "owner": owner,
            # Where a human speaks or is called, the router suppresses the turn at once.
            "undecided": _capped((*undecided, open_)) if owner is Owner.AI else (),
        }
    )
    if isinstance(item.data, chat.HumanRequested):
        return state  # it has no words
    utterance = chat.Utterance(
        role="customer", text=item.found.masked, at=now, position=position, contained=contained
    )
    return _write_item(heard(state, utterance), item, ledger, "customer", position)


def _other(state: Conversation, item: Item, ledger: Ledger, now: datetime) -> Conversation:
    """An event that opens no turn."""
    data, found = item.data, item.found
    fields = _common(state, item, now)
    masked = cut(found.masked, MODEL_CHARACTERS)
    if isinstance(data, chat.ConversationStarted):
        fields["page_sku"] = state.page_sku
    elif isinstance(data, chat.AgentMessageSeen):
        fields |= {"text": masked, "agent": data.agent, "reply_id": data.reply_id}
    elif isinstance(data, chat.ContactLeft):
        fields |= {"note": masked, "private": found.private}
    elif isinstance(data, chat.FeedbackGiven):
        fields |= {"helpful": data.helpful, "reply_id": data.reply_id, "comment": masked}
    elif isinstance(data, chat.ConversationClosed):
        fields["by"] = data.by
    ledger.publish(_ACCEPTED[type(data)].model_validate(fields))
    if isinstance(data, chat.ConversationClosed) and state.owner is Owner.AI:
        # The router says nothing of it: under `queued` and `human` it does, and may keep the shopper waiting.
        return state.model_copy(update={"owner": Owner.CLOSED, "undecided": ()})
    if isinstance(data, chat.AgentMessageSeen) and data.reply_id is None:
        state = heard(state, chat.Utterance(role="agent", text=found.masked, at=now))
        return _write_item(state, item, ledger, "agent")
    if isinstance(data, chat.ContactLeft):
        return _write_item(state, item, ledger, "customer")
    return state


def _said(item: Item) -> dict[str, object]:
    """The words of a turn, as far as the models may see them, and what else its type carries."""
    found, data = item.found, item.data
    fields: dict[str, object] = {
        "text": cut(found.masked, MODEL_CHARACTERS),
        "truncated": found.truncated or len(found.masked) > MODEL_CHARACTERS,
        "private": found.private,
    }
    if isinstance(data, chat.CustomerMessage):
        fields["attachments"] = data.attachments
    elif isinstance(data, chat.QuickReplyChosen):
        fields["quick_reply"] = data.quick_reply
    return fields


def _write_item(
    state: Conversation, item: Item, ledger: Ledger, role: Role, position: int | None = None
) -> Conversation:
    attachments = item.data.attachments if isinstance(item.data, chat.CustomerMessage) else ()
    if not item.found.original and not attachments:
        return state
    line = LogLine(
        role=role,
        text=item.found.original,
        masked=item.found.masked,
        at=item.said_at,
        received_at=item.arrived_at,
        event=item.identity,
        position=position,
        attachments=attachments,
    )
    return write(state, ledger, line)


def _common(state: Conversation, item: Item, now: datetime) -> dict[str, object]:
    return {
        "gateway": item.data.gateway,
        "conversation": item.data.conversation,
        "store": state.store,
        "language": language_of_turn(state, item),
        "bucket": state.bucket,
        "identity": state.identity or chat.Identity(),
        "owner": state.owner,
        "accepted_at": now,
    }


def _screened(item: Item) -> chat.Screening:
    """What was found at the door. The human button needs no words to be screened."""
    if not isinstance(item.data, chat.HumanRequested):
        return item.found.screening
    button = chat.Evidence(source="button", reason=Reason.HUMAN_REQUEST)
    return chat.Screening(
        complete=True,
        reason=Reason.HUMAN_REQUEST,
        evidence=(button,),
        version=item.found.screening.version,
    )


def _capped(turns: tuple[chat.Undecided, ...]) -> tuple[chat.Undecided, ...]:
    return turns if len(turns) <= UNDECIDED_MOST else (turns[0], *turns[-(UNDECIDED_MOST - 1) :])


_ACCEPTED: dict[type[chat.Inbound], type[Data]] = {
    chat.ConversationStarted: chat.ConversationStartedAccepted,
    chat.CustomerMessage: chat.CustomerMessageAccepted,
    chat.HumanRequested: chat.HumanRequestedAccepted,
    chat.QuickReplyChosen: chat.QuickReplyChosenAccepted,
    chat.AgentMessageSeen: chat.AgentMessageSeenAccepted,
    chat.ContactLeft: chat.ContactLeftAccepted,
    chat.FeedbackGiven: chat.FeedbackGivenAccepted,
    chat.IdentityChanged: chat.IdentityChangedAccepted,
    chat.ConversationClosed: chat.ConversationClosedAccepted,
}
