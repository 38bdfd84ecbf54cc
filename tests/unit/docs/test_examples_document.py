"""The examples keep to schemas/asyncapi.json, which is all that other people have: topics, types, fields, values."""

import ast
import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.unit.docs.conftest import ROOT, example

DOCUMENT = json.loads((ROOT / "schemas" / "asyncapi.json").read_text("utf-8"))
gateway, desk = example("gateway"), example("desk")
HANDOFF = desk.Handoff("web:c1", 3)
KNOWN = {"store": "de", "locale": "de_DE", "visitor": "v1", "page_sku": "MUG", "identity_token": "a.b.c"}
BUTTON = {"id": "human", "title": "Talk to a person"}

PUBLISHED = [
    ("gateways", gateway.INBOUND, gateway.conversation_started("web", "c1", **KNOWN)),
    ("gateways", gateway.INBOUND, gateway.customer_message("web", "c1", "m1", "Grüße 🎁", 4, **KNOWN)),
    ("gateways", gateway.INBOUND, gateway.human_requested("web", "c1", "m2", 4, **KNOWN)),
    ("gateways", gateway.INBOUND, gateway.quick_reply_chosen("web", "c1", "m3", BUTTON, 5, **KNOWN)),
    ("gateways", gateway.INBOUND, gateway.conversation_closed("web", "c1")),
    ("desks", desk.ACTIONS, desk.claim("first", "ann", HANDOFF)),
    ("desks", desk.ACTIONS, desk.reply("first", "ann", HANDOFF, "Hello", "edited")),
    ("desks", desk.ACTIONS, desk.give_back("first", "ann", HANDOFF)),
    ("desks", desk.ACTIONS, desk.resolve("first", "ann", HANDOFF)),
]
READ = {
    "gateway": ("gateways", (gateway.REPLIES,)),
    "desk": ("desks", (desk.ESCALATIONS, desk.BRIEFS)),
}


def followed(reference: str) -> Any:
    """What `#/a/b` names in the document."""
    found = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def messages(who: str, action: str, topic: str) -> dict[str, Any]:
    """Payload schemas, by type, of what `who` sends to a topic or receives from it."""
    found: dict[str, Any] = {}
    for operation in DOCUMENT["operations"].values():
        channel = followed(operation["channel"]["$ref"])
        if operation["action"] == action and channel["address"] == topic and {"name": who} in operation["tags"]:
            for one in operation["messages"]:
                message = followed(followed(one["$ref"])["$ref"])
                found[message["name"]] = message["payload"]
    return found


def problems(schema: dict[str, Any], event: Any) -> list[str]:
    """What an event has against its schema, in which a field that the document does not name is a problem as well:
    readers of Baton pass over it, and who wrote it would believe that it does something."""
    whole = {"$ref": schema["$ref"], "components": strict(DOCUMENT["components"])}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(event)]


def strict(schema: Any) -> Any:
    if isinstance(schema, dict):
        closed = {name: strict(value) for name, value in schema.items()}
        if isinstance(closed.get("properties"), dict) and "additionalProperties" not in closed:
            closed["additionalProperties"] = False
        return closed
    return [strict(one) for one in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize(("who", "topic", "event"), PUBLISHED, ids=[event["type"] for _, _, event in PUBLISHED])
def test_what_is_published_is_in_the_document(who: str, topic: str, event: dict[str, Any]) -> None:
    assert problems(messages(who, "send", topic)[event["type"]], event) == []


def test_what_is_not_would_be_noticed() -> None:
    who, topic, event = PUBLISHED[1]
    schema = messages(who, "send", topic)[event["type"]]
    for path, value in {
        ("data", "txt"): "x",
        ("data", "message_id"): 7,
        ("data", "text"): None,
        ("time",): 1,
    }.items():
        wrong = copy.deepcopy(event)
        inner = wrong["data"] if len(path) == 2 else wrong
        inner[path[-1]] = value
        assert problems(schema, wrong), path
    assert "AgentPresent" not in messages(who, "send", topic)
    assert messages("desks", "send", topic) == {}


# --- what is read -------------------------------------------------------------------------------------------------


def properties(schema: Any, seen: set[str] | None = None) -> Iterator[str]:
    """Names of all fields, to any depth."""
    seen = set() if seen is None else seen
    if isinstance(schema, list):
        for one in schema:
            yield from properties(one, seen)
    elif isinstance(schema, dict):
        reference = schema.get("$ref")
        if reference is not None and reference not in seen:
            seen.add(reference)
            yield from properties(followed(reference), seen)
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from properties(value, seen)


def fields_read(source: str) -> set[str]:
    """Names in `x["name"]` that are read, `x.get("name")` and `"name" in x`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Subscript(slice=ast.Constant(value=str(name)), ctx=ast.Load()):
                found.add(name)
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
                found.add(name)
            case ast.Compare(left=ast.Constant(value=str(name)), ops=[ast.In() | ast.NotIn()]):
                found.add(name)
    return found


OTHERS = {"gateway": set(), "desk": {"BATON_TRANSCRIPT_TOKEN", "lines"}}
"""A variable of the environment, and the transcript that ingest serves over HTTP."""


@pytest.mark.parametrize("name", READ)
def test_every_field_that_is_read_is_in_the_document(name: str) -> None:
    who, topics = READ[name]
    schemas = [schema for topic in topics for schema in messages(who, "receive", topic).values()]
    assert schemas
    read = fields_read((ROOT / f"docs/examples/{name}.py").read_text("utf-8")) - OTHERS[name]
    assert {"source", "id", "data"} <= read
    assert read - set(properties(schemas)) == set()


def test_a_field_that_is_nowhere_would_be_noticed() -> None:
    source = "a['one']; b.get('two', 3); 'three' in c; d['four'] = 5"
    assert fields_read(source) == {"one", "two", "three"}
    assert "one" not in set(properties(list(messages("gateways", "receive", gateway.REPLIES).values())))


@pytest.mark.parametrize("name", READ)
def test_every_type_that_is_named_is_in_the_document(name: str) -> None:
    who, topics = READ[name]
    known = {type_ for topic in topics for type_ in messages(who, "receive", topic)}
    known |= {event["type"] for sender, _, event in PUBLISHED if sender == who}
    source = (ROOT / f"docs/examples/{name}.py").read_text("utf-8")
    constants = {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {one for one in constants if re.fullmatch(r"(?:[A-Z][a-z]+){2,}", one)}
    assert named
    assert named <= known
    addresses = {one for one in constants if re.fullmatch(r"baton\.[\w.-]+", one)}
    assert addresses == set(topics) | {topic for sender, topic, _ in PUBLISHED if sender == who}
    assert addresses <= {channel["address"] for channel in DOCUMENT["channels"].values()}
