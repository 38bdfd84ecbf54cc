"""`settings_page`: docs/settings.md, made from the settings models, their bounds and their docstrings.

    python -m services.cli.settings_page            write
    python -m services.cli.settings_page --check    write nothing; status 1 where the page differs

Every setting is an environment variable. What pydantic does not keep at run time, the docstring under a field,
is read from the source.
"""

import argparse
import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python
from pydantic_settings import BaseSettings

from services.catalog_indexer.settings import Settings as CatalogIndexer
from services.copilot_drafter.settings import Settings as CopilotDrafter
from services.escalation_router.settings import Settings as EscalationRouter
from services.ingest.settings import Settings as Ingest
from services.lib.kit.settings import Connection, KafkaSettings, ServiceSettings, StatefulSettings
from services.lib.shop.settings import ShopSettings
from services.retrieval_answer.settings import Settings as RetrievalAnswer
from services.sentiment.settings import Settings as Sentiment

PAGE = "docs/settings.md"

SERVICES: dict[str, type[BaseSettings]] = {
    "ingest": Ingest,
    "sentiment": Sentiment,
    "retrieval-answer": RetrievalAnswer,
    "escalation-router": EscalationRouter,
    "copilot-drafter": CopilotDrafter,
    "catalog-indexer": CatalogIndexer,
}

_SHARED: tuple[tuple[str, tuple[type[BaseModel], ...]], ...] = (
    ("Every service", (Connection, ServiceSettings)),
    ("Kafka: every service, and every command that talks to Kafka", (KafkaSettings,)),
    ("Stateful services: ingest, escalation-router", (StatefulSettings,)),
    ("The shop: retrieval-answer, copilot-drafter, catalog-indexer, `baton index`", (ShopSettings,)),
)


class Setting(NamedTuple):
    """One environment variable as one service reads it."""

    name: str
    owner: type[BaseModel]
    """The model whose body declares it."""
    values: str
    default: str
    about: str


def settings_of(model: type[BaseSettings]) -> list[Setting]:
    """All settings of a service, nested ones included, in the order in which they are declared."""
    prefix = str(model.model_config.get("env_prefix", ""))
    return list(_walk(model, prefix, str(model.model_config.get("env_nested_delimiter"))))


def page() -> str:
    lines = [
        "# Settings",
        "",
        "Generated from the settings models by `python -m services.cli.settings_page`; not edited by hand.",
        "",
        "Every setting is an environment variable; `__` goes one level down; lists and objects are JSON. They are",
        "read once, at the start. What is wrong, missing or out of its bounds stops the start with one sentence that",
        "names it and does not repeat its value. `baton up` sets by itself what the embedded line needs.",
    ]
    told: set[str] = set()
    everything = {name: settings_of(model) for name, model in SERVICES.items()}
    for title, owners in _SHARED:
        found = {s.name: s for ones in everything.values() for s in ones if _home(s) in owners}
        lines += _table(title, list(found.values()))
        told |= set(found)
    for service, ones in everything.items():
        # A service may have a default of its own for what all have.
        own = [one for one in ones if one.name not in told or (one.owner is SERVICES[service])]
        if own:
            lines += _table(service, own)
        else:
            lines += ["", f"## {service}", "", "None of its own."]
    return "\n".join(lines) + "\n"


def _home(setting: Setting) -> type[BaseModel]:
    """Models nested in the shop's belong to it."""
    return ShopSettings if setting.name.startswith("BATON_SHOP__") else setting.owner


def _table(title: str, settings: Sequence[Setting]) -> list[str]:
    rows = [f"| `{s.name}` | {s.values} | {s.default} | {s.about} |" for s in settings]
    return ["", f"## {title}", "", "| variable | values | default | meaning |", "|---|---|---|---|", *rows]


def _walk(model: type[BaseModel], prefix: str, delimiter: str, *, optional: bool = False) -> Iterator[Setting]:
    schema = model.model_json_schema()["properties"]
    about = _docstrings(model)
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name}".upper()
        nested = _nested(field)
        if nested is not None:
            yield from _walk(nested, f"{variable}{delimiter}", delimiter, optional=field.default is None)
            continue
        default = _default(field)
        if optional and default == "required":
            default = "required with its siblings"
        # Fields that need no words of their own have their model's.
        words = about.get(name) or (inspect.getdoc(model) or "" if optional else "")
        yield Setting(variable, _declarer(model, name), _values(schema[name]), default, " ".join(words.split()))


def _nested(field: FieldInfo) -> type[BaseModel] | None:
    """The model whose fields are settings of their own: a lone one, not those in a list."""
    alone = field.annotation if get_origin(field.annotation) is None else None
    either = get_args(field.annotation) if get_origin(field.annotation) in (Union, UnionType) else ()
    for one in (alone, *either):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _declarer(model: type[BaseModel], name: str) -> type[BaseModel]:
    return next(c for c in model.__mro__ if issubclass(c, BaseModel) and name in inspect.get_annotations(c))


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Field to the string that stands under it, of the class and those it is derived from."""
    found: dict[str, str] = {}
    for one in reversed([c for c in model.__mro__ if c.__module__.startswith("services.")]):
        body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
        if not isinstance(body, ast.ClassDef):
            continue
        for statement, following in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            ):
                found[statement.target.id] = " ".join(following.value.value.split())
    return found


def _values(schema: dict[str, Any]) -> str:
    branches = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    one = {**schema, **branches[0]}
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    kind = {"integer": "integer", "number": "number", "array": "JSON list", "object": "JSON object"}.get(one["type"])
    if kind is None:
        kind = {"password": "secret", "path": "path"}.get(one.get("format", ""), "text")
    if one.get("minLength", 0) > 1:
        kind += f" of at least {one['minLength']} characters"
    return kind + _bounds(one)


def _bounds(schema: dict[str, Any]) -> str:
    above, least, most = (schema.get(name) for name in ("exclusiveMinimum", "minimum", "maximum"))
    if least is not None and most is not None:
        return f" from {least:.12g} to {most:.12g}"
    parts = [("above", above), ("from", least), ("up to", most)]
    return "".join(f" {word} {bound:.12g}" for word, bound in parts if bound is not None)


def _default(field: FieldInfo) -> str:
    if field.is_required() or field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    if isinstance(field.default, Path) and field.default.is_absolute():
        return "the packaged one"
    value = to_jsonable_python(field.default)
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def main(arguments: Sequence[str] | None = None, root: Path = Path(__file__).parents[2]) -> int:
    """Exit status: 0 where the page is written (or agrees), 1 otherwise, with the reason on standard error."""
    parser = argparse.ArgumentParser("python -m services.cli.settings_page", description="Write docs/settings.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where the page differs")
    options = parser.parse_args(arguments)
    file = root / PAGE
    agrees = file.is_file() and file.read_text("utf-8") == page()
    if options.check:
        if not agrees:
            sys.stderr.write(f"differs: {PAGE}; run python -m services.cli.settings_page\n")
        return 0 if agrees else 1
    if not agrees:
        file.write_text(page(), "utf-8")
        sys.stdout.write(f"wrote {PAGE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
