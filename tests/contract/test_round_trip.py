"""Whatever a JSON Schema allows the codec reads, and writes again as the same event, within the schema.

Events are drawn from the generated JSON Schemas, not from the models: that holds the two against each other.
"""

import functools
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from schemas.codec import decode, encode
from schemas.event import Data, Event
from schemas.json_schema import json_schema
from schemas.topics import TOPICS, Topic

TYPES = [pytest.param(topic, type_, id=type_.__name__) for topic in TOPICS for type_ in topic.types]
DOCUMENTS = {document["$id"]: document for document in map(json_schema, TOPICS)}
STRANGER = "x_from_a_later_version"
Schema = dict[str, Any]

_quick = settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking events this wide takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
_offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_moments = st.datetimes(datetime(1970, 1, 2), datetime(2199, 1, 1), timezones=_offsets)  # noqa: DTZ001  # zones apart
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def instances(document: Schema, schema: Schema) -> st.SearchStrategy[Any]:
    """JSON values that `schema` allows, for the keywords that our generator writes; others are an error here."""
    if "$ref" in schema:
        return _named(document["$id"], schema["$ref"].removeprefix("#/$defs/"))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([instances(document, branch) for branch in schema["anyOf"]])
    if "oneOf" in schema:
        tags = set(schema["required"])
        branches = st.one_of([instances(document, branch) for branch in schema["oneOf"]])
        return branches.filter(lambda value: tags <= value.keys())
    return _OF_TYPE[schema["type"]](document, schema)


@functools.cache
def _named(document_id: str, definition: str) -> st.SearchStrategy[Any]:
    document = DOCUMENTS[document_id]
    return instances(document, document["$defs"][definition])


@functools.cache
def _matching(pattern: str, least: int, most: int) -> st.SearchStrategy[str]:
    # A dollar sign at the end matches before a line feed in Python, and only there.
    strings = st.from_regex(pattern.removesuffix("$") + r"\Z")
    return strings.filter(lambda text: least <= len(text) <= most)


def _text(_: Schema, schema: Schema) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 400)
    if schema.get("format") == "date-time":
        return _moments.map(datetime.isoformat)
    if "pattern" in schema:
        return _matching(schema["pattern"], least, most)
    return st.text(min_size=least, max_size=min(most, 30))


def _array(document: Schema, schema: Schema) -> st.SearchStrategy[list[Any]]:
    if "prefixItems" in schema:
        return st.tuples(*(instances(document, item) for item in schema["prefixItems"])).map(list)
    items = instances(document, schema["items"])
    return st.lists(items, min_size=schema.get("minItems", 0), max_size=min(schema.get("maxItems", 2), 2))


def _object(document: Schema, schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        keys = instances(document, schema["propertyNames"]) if "propertyNames" in schema else st.text(max_size=9)
        rest = schema.get("additionalProperties", True)
        return st.dictionaries(keys, _json if rest is True else instances(document, rest), max_size=2)
    parts = {name: instances(document, part) for name, part in schema["properties"].items()}
    must = set(schema.get("required", []))
    return st.fixed_dictionaries(
        {name: part for name, part in parts.items() if name in must} | {STRANGER: _json},
        optional={name: part for name, part in parts.items() if name not in must},
    )


_OF_TYPE: dict[str, Any] = {
    "null": lambda _, __: st.none(),
    "boolean": lambda _, __: st.booleans(),
    "integer": lambda _, s: st.integers(s.get("minimum", -(2**62)), s.get("maximum", 2**62)),
    "number": lambda _, s: st.floats(s.get("minimum"), s.get("maximum"), allow_nan=False, allow_infinity=False),
    "string": _text,
    "array": _array,
    "object": _object,
}


def document_of(topic: Topic) -> Schema:
    return DOCUMENTS[f"urn:baton:schema:{topic.short}.v{topic.version}"]


def without_strangers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_strangers(part) for name, part in value.items() if name != STRANGER}
    return [without_strangers(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("topic", "type_"), TYPES)
def test_what_the_schema_allows_is_read_and_written_the_same(topic: Topic, type_: type[Data]) -> None:
    document = document_of(topic)
    validator = Draft202012Validator(document)

    @_quick
    @given(instances(document, {"$ref": f"#/$defs/{type_.__name__}Event"}))
    def check(drawn: dict[str, Any]) -> None:
        if topic.key == "conversation":
            drawn["subject"] = f"{drawn['data']['gateway']}:{drawn['data']['conversation']}"
        key = drawn["subject"].encode()
        event = decode(topic, key, json.dumps(drawn).encode())
        assert type(event.data) is type_
        # Unknown fields, at every depth, say nothing to this reader.
        assert decode(topic, key, json.dumps(without_strangers(drawn)).encode()) == event
        body = encode(topic, event)
        again = decode(topic, key, body)
        assert again.model_copy(update={"dataschema": event.dataschema}) == event
        assert encode(topic, again) == body
        assert [error.message for error in validator.iter_errors(json.loads(body))] == []

    check()


@pytest.mark.parametrize(("topic", "type_"), TYPES)
def test_unknown_fields_are_refused_where_an_event_is_made(topic: Topic, type_: type[Data]) -> None:
    @settings(_quick, max_examples=2)
    @given(instances(document_of(topic), {"$ref": f"#/$defs/{type_.__name__}"}))
    def check(drawn: dict[str, Any]) -> None:
        data = type_.model_validate(without_strangers(drawn))
        with pytest.raises(ValidationError, match=f"{STRANGER}\n  Extra inputs are not permitted"):
            type_.model_validate(without_strangers(drawn) | {STRANGER: 1})
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            Event(id="1", source="s", type=type_.__name__, subject="k", time=datetime.now(UTC), data=data, extra=1)

    check()
