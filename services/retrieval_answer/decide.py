"""`covering`: the question a turn asks, with the older texts that nobody has decided about yet. Pure.

People write in bursts: "where is", "my order", "000000091?". Each text opens a turn and ends the one before it, so
the newest turn must answer them all.
"""

from schemas.chat import AcceptedTurn, CustomerMessageAccepted

LONGEST = 8_000
"""Characters handed on: as many as the models may see of one message."""


def covering(message: AcceptedTurn) -> AcceptedTurn:
    """The message with the undecided texts before its own, oldest first, a line each.

    Left out are texts a human must decide about, as far as the event tells (ingest leaves their text empty, and
    history may name them), and the oldest where not all fit into `LONGEST`. What became part of the question is no
    history any more. A picture without words stays alone: what it shows is not known here, and the texts before it
    may be about it.
    """
    if isinstance(message, CustomerMessageAccepted) and message.attachments and not message.text.strip():
        return message
    contained = {line.position for line in message.history if line.contained is not None}
    older = [turn for turn in message.undecided if turn.text.strip() and turn.position not in contained]
    texts = [message.text[:LONGEST]]
    covered: set[int | None] = set()
    room = LONGEST - len(texts[0])
    for turn in reversed(older):
        room -= len(turn.text) + 1
        if room < 0:
            break
        texts.insert(0, turn.text)
        covered.add(turn.position)
    whole = len(covered) == len(older) and len(message.text) <= LONGEST
    if whole and not older:
        return message
    return message.model_copy(
        update={
            "text": "\n".join(texts),
            "truncated": message.truncated or not whole,
            "history": tuple(
                line for line in message.history if line.role != "customer" or line.position not in covered
            ),
        }
    )
