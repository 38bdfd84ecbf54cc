"""`remembered`: what came since the last decision, as the decision records it for a replay.

From a conversation's recorded inputs, in order, the fold comes to the same decisions again: everything else it
knows it worked out of them. Masked text only: ingest masked what shoppers and channels wrote, and what an agent wrote
at a desk, which nobody masks, is left out; so are files, whose names and links may name a person.
"""

from datetime import datetime
from typing import Any

from schemas.chat import AcceptedTurn
from schemas.support import AgentRequest, RecordedInput, ReplyRequested
from services.escalation_router.state import Conversation
from services.lib.kit.fold import Arrival, Timer

INPUTS_KEPT = 100
INPUTS_LIMIT = 192 * 1024
"""Bytes of JSON that the inputs of one decision may take: with its evidence it stays under an event's limit."""

TIMER = "Timer"
"""Type of a recorded timer, which is no event: its kind, turn and epoch are the data."""
UNKEPT = "[not kept]"
"""In place of an agent's words."""


def remembered(state: Conversation, arrival: Arrival | Timer, now: datetime) -> dict[str, Any]:
    """The fields of `state` that change when an input is recorded. A flood keeps its newest part, and says so."""
    recorded = _recorded(arrival, now)
    cut = state.inputs_cut
    if _size(recorded) > INPUTS_LIMIT:
        recorded, cut = recorded.model_copy(update={"data": {}}), True
    inputs = (*state.inputs, recorded)[-INPUTS_KEPT:]
    room, first = INPUTS_LIMIT, len(inputs)
    while first and (room := room - _size(inputs[first - 1])) >= 0:
        first -= 1
    kept = inputs[first:]
    return {"inputs": kept, "inputs_cut": cut or len(kept) <= len(state.inputs)}


def _recorded(arrival: Arrival | Timer, now: datetime) -> RecordedInput:
    if isinstance(arrival, Timer):
        data: dict[str, Any] = {"kind": arrival.kind, "turn": arrival.turn, "epoch": arrival.epoch}
        return RecordedInput(id=arrival.identity, type=TIMER, at=now, data=data)
    said = arrival.event.data
    hidden = {"private"}
    if isinstance(said, AcceptedTurn):
        hidden |= {"history", "attachments"}
    elif isinstance(said, AgentRequest):
        hidden |= {"text", "comment"}
    data = said.model_dump(mode="json", exclude=hidden, exclude_none=True)
    if isinstance(said, ReplyRequested):
        data["text"] = UNKEPT if said.text.strip() else ""
    return RecordedInput(id=arrival.identity, type=arrival.event.type, at=now, data=data)


def _size(recorded: RecordedInput) -> int:
    return len(recorded.model_dump_json().encode())
