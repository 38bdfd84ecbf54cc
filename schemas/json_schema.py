"""`json_schema`: the JSON Schema (draft 2020-12) of one topic, made from its models.

The document describes what a *reader* accepts, and the codec of Baton accepts all of it. It is therefore
open: no `additionalProperties: false`, although the models refuse unknown fields when written. A closed
schema would make every added optional field an incompatible change for whoever validates with yesterday's
copy. A writer in another language keeps the stricter half itself: it sends no field that is not named here.

A document is the whole envelope: `oneOf` over the topic's types, told apart by `type`, which is a constant
in each. What Kafka must know (key, partitions, retention, limits) stands in `x-baton`, so that a change of it
shows where a change of a field shows.
"""

import ast
import inspect
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from schemas import catalog, chat, event, money, support
from schemas.event import Data, Event
from schemas.topics import Key, Topic

DIALECT = "https://json-schema.org/draft/2020-12/schema"

KEY_FORMS: dict[Key, str] = {
    "conversation": "`gateway:conversation`, as in the data",
    "agent": "the agent's name",
    "name": "the lever's name",
    "entity": "`sku:` and the SKU, or `page:` and the identifier",
    "customer": "`customer:` and the number, or the conversation where the shopper is a guest",
}
"""What key and subject are made of. Readers hold the first against the data."""


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, less its repetitions, and exact where it is loose."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """A title that repeats the field's name says nothing."""
        return False

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Without the number, which pydantic offers too: money is a string."""
        return {"type": "string"}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """With the pattern of keys as a rule: `patternProperties` lets every other key pass."""
        mapping = super().dict_schema(schema)
        if "patternProperties" in mapping:
            [(pattern, values)] = mapping.pop("patternProperties").items()
            mapping |= {"propertyNames": {"type": "string", "pattern": pattern}, "additionalProperties": values}
        return mapping

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """With the tag required, in place of OpenAPI's `discriminator`, which JSON Schema does not know."""
        union = super().tagged_union_schema(schema)
        tag = union.pop("discriminator")["propertyName"]
        return {"type": "object", "required": [tag], "oneOf": union["oneOf"]}


def json_schema(topic: Topic) -> dict[str, Any]:
    """The document of one topic, ready to be written as JSON. Pure, and the same on every run."""
    models = [(Event[t], "validation") for t in topic.types]  # type: ignore[valid-type]  # run-time generics
    refs, generated = models_json_schema(
        models,  # type: ignore[arg-type]  # a Literal in a comprehension
        ref_template="#/$defs/{model}",
        schema_generator=_Generator,
    )
    definitions: dict[str, Any] = generated["$defs"]
    for name, definition in definitions.items():
        _finish(definition, _FIELD_DOCS.get(name, {}))
    for type_, ref in zip(topic.types, refs.values(), strict=True):
        envelope = definitions.pop(ref["$ref"].removeprefix("#/$defs/"))
        definitions[f"{type_.__name__}Event"] = _envelope(topic, type_, envelope)
    return {
        "$schema": DIALECT,
        "$id": f"urn:baton:schema:{topic.short}.v{topic.version}",
        "title": topic.name,
        "description": topic.about,
        "x-baton": {
            "key": topic.key,
            "partitions": topic.partitions,
            "compacted": topic.compacted,
            "retention_hours": retention_hours(topic),
            "max_bytes": topic.max_bytes,
            "dead_letters": topic.dead_letters,
            "producers": list(topic.producers),
            "consumers": list(topic.consumers),
        },
        "type": "object",
        "required": ["type"],
        "oneOf": [{"$ref": f"#/$defs/{t.__name__}Event"} for t in topic.types],
        "$defs": dict(sorted(definitions.items())),
    }


def retention_hours(topic: Topic) -> int | None:
    """None for a compacted topic."""
    return None if topic.retention is None else int(topic.retention.total_seconds() // 3600)


def title_of(type_name: str) -> str:
    """`CustomerMessage` → `Customer message`."""
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in type_name).strip()
    return words[:1].upper() + words[1:]


def _envelope(topic: Topic, type_: type[Data], definition: dict[str, Any]) -> dict[str, Any]:
    """The generic envelope, narrowed to one type of one topic."""
    _finish(definition, _FIELD_DOCS["Event"])
    properties = definition["properties"]
    properties["type"] = {"const": type_.__name__}
    properties["subject"]["description"] = f"The Kafka key: {KEY_FORMS[topic.key]}."
    properties["dataschema"]["anyOf"][0] = {"const": topic.schema_urn(type_)}
    properties["dataschema"]["description"] = "May be left out; any other value is another version."
    title = f"{title_of(type_.__name__)}, in its envelope"
    # The model fills specversion in where an event is made; a record must say it.
    return definition | {"title": title, "required": ["specversion", *definition["required"]]}


def _finish(definition: dict[str, Any], docs: dict[str, str]) -> None:
    """Opens one definition to fields unknown, describes its fields, and spells out decimals."""
    if "properties" in definition:
        definition.pop("additionalProperties", None)
    for name, schema in definition.get("properties", {}).items():
        if name in docs:
            schema["description"] = docs[name]
        if "max_digits" in schema:  # JSON Schema has no such keyword: pydantic hands it through
            places = schema.pop("decimal_places")
            whole = schema.pop("max_digits") - places
            schema["pattern"] = rf"^-?[0-9]{{1,{whole}}}(\.[0-9]{{1,{places}}})?$"


def _string_after(body: list[ast.stmt]) -> dict[str, tuple[str, str]]:
    """Annotated (or plainly assigned) name → its annotation's source and the string literal after it."""
    found: dict[str, tuple[str, str]] = {}
    for index, statement in enumerate(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name, annotation = statement.target.id, ast.unparse(statement.annotation)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name, annotation = statement.targets[0].id, ""
        else:
            continue
        after = body[index + 1] if index + 1 < len(body) else None
        said = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            said = inspect.cleandoc(str(after.value.value)).replace("\n", " ")
        found[name] = (annotation, said)
    return found


def _field_docs() -> dict[str, dict[str, str]]:
    """Model name → field → docstring: the field's own, else that of the type alias it is annotated with.

    Pydantic's `use_attribute_docstrings` would do the first half, at every start of every service.
    """
    modules = (event, money, chat, support, catalog)
    trees = {module: ast.parse(inspect.getsource(module)) for module in modules}
    aliases = {
        name: said
        for tree in trees.values()
        for name, (annotation, said) in _string_after(tree.body).items()
        if said and not annotation
    }
    own = {
        node.name: _string_after(node.body)
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    docs: dict[str, dict[str, str]] = {}
    for module in modules:
        for model in vars(module).values():
            if not (isinstance(model, type) and issubclass(model, BaseModel)):
                continue
            fields: dict[str, str] = {}
            for base in reversed(model.__mro__):
                for name, (annotation, said) in own.get(base.__name__, {}).items():
                    if text := said or aliases.get(annotation.removesuffix(" | None"), ""):
                        fields[name] = text
            docs[model.__name__] = fields
    return docs


_FIELD_DOCS = _field_docs()
