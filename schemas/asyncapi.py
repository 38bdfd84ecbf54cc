"""`asyncapi`: the AsyncAPI 3.0 document of the whole line, made from the registry.

Servers are left out: they are the user's. Each topic is a channel, each service's part in it an operation
(`send` or `receive`), each type a message whose payload is the whole envelope. Payloads are AsyncAPI Schema
Objects, that is draft 7: what the JSON Schemas say in draft 2020-12 is said here in the older words, and
definitions are shared under `components`, so that the document stands alone.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from schemas.json_schema import KEY_FORMS, json_schema, title_of
from schemas.topics import DEAD_LETTER_LIMIT, Service, Topic

BINDING = "0.5.0"
"""Of the Kafka bindings."""

KAFKA_BATCH = 1_048_588
"""Kafka's default `max.message.bytes`. It limits a compressed *batch*, so a topic's own limit must not lower it:
librdkafka fills batches up to a million bytes. The size of one event is held by writers and readers."""

OVERHEAD = 64 * 1024
"""What key, headers and batch add to a value, amply."""

DESCRIPTION = """\
Baton is an event-driven support line for Magento 2 shops. Every value is a CloudEvents 1.0 event in structured
JSON mode; the Kafka key equals the event's `subject`. Readers ignore fields they do not know and skip types they
do not know; they drop an event whose `source` and `id` they have seen. Writers send no field that is not named
here. Generated; each topic's JSON Schema stands in `schemas/json`."""

ABOUT: dict[Service, str] = {
    "gateways": "Chat channels: publish what shoppers do, show what they get",
    "desks": "Where agents work",
    "edge": "HTTP for gateways and desks that speak no Kafka",
    "ingest": "The door: validates, masks, screens, gives positions",
    "sentiment": "Scores messages",
    "retrieval-answer": "Proposes answers with proofs",
    "escalation-router": "Decides, and owns the handoff",
    "copilot-drafter": "Prepares briefs for agents",
    "catalog-indexer": "Keeps the search index in step with the shop",
    "baton": "The command line of those who run the line",
    "magento": "The shop",
    "reports": "Replay, gaps and rates",
}


def asyncapi(topics: Sequence[Topic], examples: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The document. `examples` holds one event per type name; a type without one has none shown.

    Raises ValueError where two topics define one name differently.
    """
    schemas: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for topic in topics:
        for name, definition in json_schema(topic)["$defs"].items():
            older = _draft_7(definition)
            if schemas.setdefault(name, older) != older:
                raise ValueError(f"{name} means two things: its definition in {topic.name} is another")
        channels[topic.short] = _channel(topic)
        channels[f"{topic.short}.dlq"] = _dead_letters(topic)
        for type_ in topic.types:
            messages[type_.__name__] = _message(topic, type_.__name__, type_.__doc__, examples)
        for service in topic.producers:
            operations |= _operation(topic, service, "send")
        for service in topic.consumers:
            operations |= _operation(topic, service, "receive")
    messages["DeadLetter"] = _dead_letter()
    used = {service for topic in topics for service in (*topic.producers, *topic.consumers)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Baton",
            "version": f"v{max(topic.version for topic in topics)}",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0"},
            "tags": [{"name": s, "description": ABOUT[s]} for s in get_args(Service) if s in used],
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }


def broker_limit(event_bytes: int) -> int:
    """`max.message.bytes` of a topic whose largest value has `event_bytes`."""
    return max(KAFKA_BATCH, event_bytes + OVERHEAD)


def _channel(topic: Topic) -> dict[str, Any]:
    if topic.retention is None:
        kept: dict[str, Any] = {"cleanup.policy": ["compact"]}
        said = "Compacted: the last event of each key is kept, and a record without a value takes the key back."
    else:
        kept = {"cleanup.policy": ["delete"], "retention.ms": int(topic.retention.total_seconds() * 1000)}
        said = f"Kept {int(topic.retention.total_seconds() // 3600)} hours."
    return {
        "address": topic.name,
        "title": topic.short,
        "summary": topic.about,
        "description": f"{topic.about}. Key: {KEY_FORMS[topic.key]}. {said}",
        "x-max-event-bytes": topic.max_bytes,
        "messages": {t.__name__: {"$ref": f"#/components/messages/{t.__name__}"} for t in topic.types},
        "bindings": _kafka_channel(topic.name, topic, kept | {"max.message.bytes": broker_limit(topic.max_bytes)}),
    }


def _dead_letters(topic: Topic) -> dict[str, Any]:
    """Kept as its topic is; under a compacted one it deletes all the same, since a bad record may have no key."""
    kept: dict[str, Any] = {"cleanup.policy": ["delete"]}
    if topic.retention is not None:
        kept["retention.ms"] = int(topic.retention.total_seconds() * 1000)
    return {
        "address": topic.dead_letters,
        "title": f"{topic.short}, dead letters",
        "summary": f"What a consumer of {topic.short} could not process",
        "messages": {"DeadLetter": {"$ref": "#/components/messages/DeadLetter"}},
        "bindings": _kafka_channel(
            topic.dead_letters, topic, kept | {"max.message.bytes": broker_limit(DEAD_LETTER_LIMIT)}
        ),
    }


def _kafka_channel(name: str, topic: Topic, configuration: dict[str, Any]) -> dict[str, Any]:
    return {
        "kafka": {
            "topic": name,
            "partitions": topic.partitions,
            "topicConfiguration": configuration,
            "bindingVersion": BINDING,
        }
    }


def _operation(topic: Topic, service: Service, action: str) -> dict[str, Any]:
    verb = "sends" if action == "send" else "receives"
    channel = f"#/channels/{topic.short}"
    return {
        f"{service}.{verb}.{topic.short}": {
            "action": action,
            "channel": {"$ref": channel},
            "summary": f"{service} {verb} {topic.short}",
            "tags": [{"name": service}],
            "messages": [{"$ref": f"{channel}/messages/{t.__name__}"} for t in topic.types],
        }
    }


def _message(topic: Topic, name: str, doc: str | None, examples: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"name": name, "title": title_of(name)}
    if doc:
        message["description"] = inspect.cleandoc(doc)
    message["contentType"] = "application/cloudevents+json"
    message["payload"] = {"$ref": f"#/components/schemas/{name}Event"}
    message["bindings"] = {
        "kafka": {
            "key": {"type": "string", "description": f"The event's subject: {KEY_FORMS[topic.key]}"},
            "bindingVersion": BINDING,
        }
    }
    if name in examples:
        message["examples"] = [{"name": name, "payload": examples[name]}]
    return message


def _dead_letter() -> dict[str, Any]:
    return {
        "name": "DeadLetter",
        "title": "Dead letter",
        "description": "The record's original bytes, sealed, with its key; headers say origin, group and cause.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
    }


def _draft_7(schema: Any) -> Any:
    """The same rules in the words of draft 7, with references into `components`."""
    if isinstance(schema, list):
        return [_draft_7(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    older = {key: _draft_7(value) for key, value in schema.items()}
    if "$ref" in older:
        older["$ref"] = older["$ref"].replace("#/$defs/", "#/components/schemas/")
    if "prefixItems" in older:
        older["items"] = older.pop("prefixItems")
    return older
