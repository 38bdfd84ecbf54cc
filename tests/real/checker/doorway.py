"""`doorway`: what was sent came in, once and in order. Rules of ingest, seen from outside.

An inbound `X` becomes one `XAccepted`, or one `MessageRejected`, or a dead letter. A second event with a message id
that was accepted before is dropped. An accepted event names as its cause the inbound event, or, where the message had
to wait for a reply of ours, what ended the wait: the reply, a timer, or a later message that took it along.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.real.checker.log import OPENS_TURN, TURNS, Event, Sent, View


def doorway(view: View, sent: Sent | None) -> Iterator[str]:
    if sent is not None:
        yield from _arrived(view, sent)
        inbound, messages = view.by_key("chat.inbound"), view.by_key("chat.messages")
        for key in sorted({*inbound, *messages}):
            yield from _passed(view, key, inbound.get(key, []), messages.get(key, []))
    for key, turns in view.by_key("chat.messages", *OPENS_TURN).items():
        positions = [turn.position for turn in turns]
        if positions != list(range(1, len(turns) + 1)):
            yield f"{key}: the positions of its turns are {positions}"


def waiting_at_the_door(view: View, sent: Sent) -> int:
    """How many inbound events that must come to something have not."""
    inbound, messages = view.by_key("chat.inbound"), view.by_key("chat.messages")
    there = {event.identity for events in inbound.values() for event in events}
    missing = sum(said.identity not in there for of_one in sent.conversations.values() for said in of_one)
    for key, events in inbound.items():
        expected = _expected(view, events, messages.get(key, []))
        accepted = [event for event in messages.get(key, []) if event.type != "MessageRejected"]
        missing += max(0, sum(event.identity not in view.dead for event in expected) - len(accepted))
    return missing


def _arrived(view: View, sent: Sent) -> Iterator[str]:
    """Kafka kept what it acknowledged, in order."""
    for key, of_one in sent.conversations.items():
        offsets = []
        for said in of_one:
            event = view.by_identity.get(said.identity)
            if event is None:
                yield f"{key}: {said.type} {said.id} was acknowledged and is not on chat.inbound"
            else:
                offsets.append(event.place)
        if offsets != sorted(offsets):
            yield f"{key}: its inbound events lie on chat.inbound in another order than they were sent"


def _expected(view: View, inbound: list[Event], messages: list[Event]) -> list[Event]:
    """The inbound events that must have been accepted, or are dead letters, in the order of their coming."""
    rejected = Counter(_rejected_as(event) for event in messages if event.type == "MessageRejected")
    known: set[tuple[str, str]] = set()
    expected = []
    for event in inbound:
        id_ = event.data.get("message_id")
        space = "turn" if event.type in TURNS else event.type
        if id_ is not None and (space, id_) in known:
            continue
        refused = event.identity if id_ is None else str(id_)
        if rejected[refused]:
            rejected[refused] -= 1
            continue
        if id_ is not None and event.identity not in view.dead:
            known.add((space, id_))
        expected.append(event)
    return expected


def _rejected_as(event: Event) -> str:
    """The message id of what was rejected; its identity where it has none."""
    return str(event.data.get("message_id") or event.cause)


def _passed(view: View, key: str, inbound: list[Event], messages: list[Event]) -> Iterator[str]:
    expected = _expected(view, inbound, messages)
    order = {event.identity: number for number, event in enumerate(expected)}
    accepted = [event for event in messages if event.type != "MessageRejected"]
    yield from _rejections(key, inbound, messages)
    pairs: dict[str, list[Event]] = defaultdict(list)
    waited: list[Event] = []
    own = {(event.cause, event.type): event for event in accepted}  # of several, the last is the cause's own
    for event in accepted:
        cause = view.by_identity.get(event.cause or "")
        direct = cause is not None and cause.identity in order and event.type == f"{cause.type}Accepted"
        if direct and own[event.cause, event.type] is event:
            pairs[str(event.cause)].append(event)
        else:
            waited.append(event)
    for event in waited:
        candidates = (e for e in expected if not pairs[e.identity] and event.type == f"{e.type}Accepted")
        meant = next((e for e in candidates if _same_words(e, event)), None)
        if meant is None:
            yield f"{key}: {event} (cause {event.cause}) is accepted a second time, or nobody sent it"
        else:
            pairs[meant.identity].append(event)
    for event in expected:
        if not pairs[event.identity] and event.identity not in view.dead:
            yield f"{key}: {event} was sent, and neither accepted nor rejected nor put aside: it is lost"
    numbers = {e.identity: order[i] for i, of_one in pairs.items() for e in of_one}
    came = [numbers[event.identity] for event in accepted if event.identity in numbers]
    if came != sorted(came):
        yield f"{key}: its events were accepted in another order than they were sent: {came}"


def _rejections(key: str, inbound: list[Event], messages: list[Event]) -> Iterator[str]:
    rejected = Counter(_rejected_as(event) for event in messages if event.type == "MessageRejected")
    sent = Counter(str(event.data.get("message_id") or event.identity) for event in inbound)
    for id_, times in rejected.items():
        if times > sent[id_]:
            yield f"{key}: message {id_} was sent {sent[id_]} times and rejected {times} times"


def _same_words(sent: Event, accepted: Event) -> bool:
    """As far as masking and cutting let one see it."""
    words, text = sent.data.get("text", sent.data.get("title")), accepted.data.get("text")
    if words is None or text is None or accepted.data.get("truncated") or "[" in text:
        return True
    return bool(words.strip() == text.strip())
