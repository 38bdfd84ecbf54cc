"""A chat gateway in one file: somebody else's program, which knows Baton's topics and nothing of its code.

    python docs/examples/gateway.py localhost:9092
    python docs/examples/gateway.py kafka.example:9093 -X security.protocol=SASL_SSL -X sasl.mechanism=... -X ...

Type as the shopper. A number presses a button that was offered, `/human` asks for a person, the end of the input
(Ctrl-D) closes the conversation. Needs confluent-kafka alone.

What it does that every gateway must do:
  - CloudEvents 1.0, structured JSON mode, keyed `gateway:conversation`;
  - ids that stay the same when a message is sent again (here they come from the message's own id);
  - replies that were seen are dropped by (source, id): delivery is at least once;
  - `last_reply_sequence` says which reply the shopper had seen when writing;
  - offsets are committed after a reply was shown, not before;
  - when nothing has come for 30 seconds the shop's own contact route is shown.
"""

import argparse
import json
import queue
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

INBOUND = "baton.chat.inbound.v1"
REPLIES = "baton.chat.replies.v1"
SILENCE_S = 30.0
AFTER_INPUT_S = 3.0
"""Seconds without a further reply after which the conversation is over, once the input has ended."""

Json = dict[str, Any]


# --- what is published: pure ----------------------------------------------------------------------------------


def conversation_started(gateway: str, conversation: str, **known: Any) -> Json:
    """`known`: store, locale, visitor, page_sku, identity_token - whatever the gateway knows."""
    return _event("ConversationStarted", "started", gateway, conversation, known)


def customer_message(
    gateway: str, conversation: str, message_id: str, text: str, last_reply: int | None = None, **known: Any
) -> Json:
    """`message_id` is the gateway's own and the same when the message is sent again."""
    data = {"message_id": message_id, "text": text, **_seen(last_reply), **known}
    return _event("CustomerMessage", message_id, gateway, conversation, data)


def human_requested(
    gateway: str, conversation: str, message_id: str, last_reply: int | None = None, **known: Any
) -> Json:
    """The human button."""
    data = {"message_id": message_id, **_seen(last_reply), **known}
    return _event("HumanRequested", message_id, gateway, conversation, data)


def quick_reply_chosen(
    gateway: str,
    conversation: str,
    message_id: str,
    button: Mapping[str, str],
    last_reply: int | None = None,
    **known: Any,
) -> Json:
    """`button` is one of the `quick_replies` of a reply."""
    chosen = {"quick_reply": button["id"], "title": button["title"]}
    data = {"message_id": message_id, **chosen, **_seen(last_reply), **known}
    return _event("QuickReplyChosen", message_id, gateway, conversation, data)


def conversation_closed(gateway: str, conversation: str) -> Json:
    return _event("ConversationClosed", "closed", gateway, conversation, {"by": "customer"})


def record(event: Json) -> tuple[bytes, bytes]:
    """Key and value of the Kafka record."""
    return event["subject"].encode(), json.dumps(event, ensure_ascii=False).encode()


def _event(type_: str, id_: str, gateway: str, conversation: str, data: Json) -> Json:
    return {
        "specversion": "1.0",
        "id": f"{conversation}:{id_}",  # (source, id) is unique over all conversations of this gateway
        "source": f"gateway/{gateway}",
        "type": type_,
        "subject": f"{gateway}:{conversation}",
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {"gateway": gateway, "conversation": conversation, **data},
    }


def _seen(last_reply: int | None) -> Json:
    return {} if last_reply is None else {"last_reply_sequence": last_reply}


# --- what is read: pure ---------------------------------------------------------------------------------------


class Replies:
    """The replies of one conversation, each once.

    This one remembers in memory. A gateway that restarts in the middle of a conversation keeps `seen` and
    `last_sequence` where it keeps the conversation.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.seen: set[tuple[str, str]] = set()
        self.last_sequence: int | None = None
        self.buttons: list[Mapping[str, str]] = []

    def take(self, value: bytes) -> Json | None:
        """The reply in a record's value; None where it is another's, was seen before, or is no event."""
        try:
            event = json.loads(value)
            identity, subject, data = (event["source"], event["id"]), event["subject"], event["data"]
        except (ValueError, KeyError, TypeError):
            return None
        if subject != self.subject or identity in self.seen:
            return None
        self.seen.add(identity)
        if isinstance(event.get("sequence"), int):
            self.last_sequence = max(event["sequence"], self.last_sequence or 0)
        if "text" not in data:
            return None  # a type that did not exist when this was written: a reader skips what it does not know
        self.buttons = list(data.get("quick_replies", []))
        return dict(event)


def shown(event: Json, buttons: Iterable[Mapping[str, str]]) -> str:
    """Text, cards and numbered buttons. A channel that has none of them shows `plain`, which says the same."""
    data = event["data"]
    lines = [f"{data.get('agent') or 'shop'}> {data['text']}"]
    for card in data.get("cards", []):
        price = f"{card['price']['amount']} {card['price']['currency']}" if card.get("price") else "see the page"
        stock = {True: "in stock", False: "out of stock"}.get(card.get("in_stock"), "")
        lines.append(f"    {card['name']}  {price}  {stock}  {card['url']}")
    lines += [f"    [{n}] {button['title']}" for n, button in enumerate(buttons, start=1)]
    return "\n".join(lines)


# --- the program ----------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description="Chat with Baton over Kafka.")
    parser.add_argument("bootstrap", help="host:port of Kafka")
    parser.add_argument("-X", action="append", default=[], metavar="K=V", help="librdkafka setting, e.g. TLS")
    parser.add_argument("--gateway", default="example")
    parser.add_argument("--conversation", default=uuid.uuid4().hex[:12])
    parser.add_argument("--store", default="default", help="Magento's store view code")
    parser.add_argument("--locale", default="en_US")
    parser.add_argument("--identity-token", help="signed by the shop; without one the shopper is a guest")
    parser.add_argument(
        "--contact", default="You can also write to service@shop.example.", help="after 30 s of silence"
    )
    options = parser.parse_args()
    common = {"bootstrap.servers": options.bootstrap, **dict(one.split("=", 1) for one in options.X)}
    known: Json = {"store": options.store, "locale": options.locale}
    if options.identity_token:
        known["identity_token"] = options.identity_token
    try:
        _converse(common, options.gateway, options.conversation, known, options.contact)
    except KafkaException as error:
        sys.exit(f"Kafka at {options.bootstrap}: {error}")
    return 0


def _converse(common: Json, gateway: str, conversation: str, known: Json, contact: str) -> None:
    # acks=all and idempotence: a message that the shopper sees as sent is on all in-sync replicas, once.
    producer = Producer({**common, "enable.idempotence": True, "acks": "all", "message.timeout.ms": 10_000})
    producer.list_topics(INBOUND, timeout=5)  # ends here, with a sentence, where there is no Kafka
    consumer = Consumer(
        {
            **common,
            # One conversation a process, which must read its replies whoever else runs. A gateway that serves many
            # has one group for all, and hands a reply to the instance that has the conversation.
            "group.id": f"gateway-{gateway}-{conversation}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([REPLIES])
    replies = Replies(f"{gateway}:{conversation}")
    said: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read_input, args=(said,), daemon=True).start()
    _publish(producer, conversation_started(gateway, conversation, **known))
    waiting_since: float | None = None
    last_heard = 0.0
    ended = False
    while True:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            reply = replies.take(message.value() or b"")
            if reply is not None:
                sys.stdout.write(shown(reply, replies.buttons) + "\n")
                sys.stdout.flush()
                last_heard = time.monotonic()
                # "One moment" promises an answer; whatever else came is one.
                waiting_since = last_heard if reply["data"].get("notice") == "one_moment" else None
            consumer.commit(message=message, asynchronous=True)
        while not ended and not said.empty():
            line = said.get()
            if line is None:
                ended = True
                last_heard = time.monotonic()
            elif line:
                _publish(producer, _told(line, gateway, conversation, replies, known))
                waiting_since = time.monotonic()
        if waiting_since is not None and time.monotonic() - waiting_since > SILENCE_S:
            sys.stdout.write(f"gateway> {contact}\n")
            waiting_since = None
        if ended and waiting_since is None and time.monotonic() - last_heard > AFTER_INPUT_S:
            break
    _publish(producer, conversation_closed(gateway, conversation))
    consumer.close()


def _told(line: str, gateway: str, conversation: str, replies: Replies, known: Json) -> Json:
    message_id = str(uuid.uuid4())
    about = {"last_reply": replies.last_sequence, **known}
    if line == "/human":
        return human_requested(gateway, conversation, message_id, **about)
    if line.isascii() and line.isdigit() and 1 <= int(line) <= len(replies.buttons):
        return quick_reply_chosen(gateway, conversation, message_id, replies.buttons[int(line) - 1], **about)
    return customer_message(gateway, conversation, message_id, line, **about)


def _publish(producer: Producer, event: Json) -> None:
    """Returns when Kafka has it; a shopper is told "sent" no earlier."""
    failed: list[Any] = []
    key, value = record(event)
    producer.produce(
        INBOUND, key=key, value=value, on_delivery=lambda error, _: failed.append(error) if error else None
    )
    if producer.flush(15) or failed:
        sys.exit(f"Kafka did not take the message: {failed[0] if failed else 'no answer within 15 s'}")


def _read_input(said: "queue.Queue[str | None]") -> None:
    for line in sys.stdin:
        said.put(line.strip())
    said.put(None)


if __name__ == "__main__":
    sys.exit(main())
