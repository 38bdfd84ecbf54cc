"""`encode` and `decode`: events to Kafka records and back, with an error that says which rule was broken."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from schemas.event import Data, Event
from schemas.money import Money
from schemas.topics import Topic

Cause = Literal[
    "empty",
    "too_large",
    "not_utf8",
    "not_json",
    "not_an_event",
    "wrong_version",
    "unknown_type",
    "invalid_data",
    "missing_key",
    "key_mismatch",
]


class Undecodable(Exception):
    """A record that is no event of its topic. `cause` is for metrics, the text for a human.

    The text names fields and rules, never values: a record may hold personal data.
    """

    def __init__(self, cause: Cause, detail: str, *, type_: str | None = None) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause: Cause = cause
        self.detail = detail
        self.type = type_


class TooLarge(ValueError):
    """An event over its topic's limit; found before it is written anywhere."""


class _Type(BaseModel):
    """What must be known of an envelope before its data can be read."""

    model_config = ConfigDict(extra="ignore")

    specversion: str
    type: str
    dataschema: str | None = None


def encode(topic: Topic, event: Event[Any]) -> bytes:
    """The event as structured-mode JSON, with `dataschema` filled in.

    Raises `TooLarge` over the topic's limit and `ValueError` for a type that is not the topic's.
    """
    if topic.type_named(event.type) is not type(event.data):
        raise ValueError(f"{event.type} is not a type of {topic.name}")
    sealed = event.model_copy(update={"dataschema": topic.schema_urn(type(event.data))})
    body = sealed.model_dump_json(exclude_none=True).encode()
    if len(body) > topic.max_bytes:
        raise TooLarge(f"{event.type} has {len(body)} bytes, {topic.name} takes {topic.max_bytes}")
    return body


def decode(topic: Topic, key: bytes | None, value: bytes | None, *, limit: int | None = None) -> Event[Any]:
    """The event in a record. `limit` replaces the topic's own size limit, in bytes. Raises `Undecodable`."""
    if not value:
        raise Undecodable("empty", "the record has no value")
    allowed = topic.max_bytes if limit is None else limit
    if len(value) > allowed:
        raise Undecodable("too_large", f"{len(value)} bytes, {topic.name} takes {allowed}")
    if not key:
        raise Undecodable("missing_key", f"the key must be the {topic.key}, as in the subject")
    try:
        value.decode("utf-8")
        key_text = key.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Undecodable("not_utf8", f"byte {error.start} is not UTF-8") from None
    try:
        # Unlike the standard library's: refuses NaN, lone surrogates and nesting that would end the process.
        raw = from_json(value, allow_inf_nan=False)
    except ValueError:
        raise Undecodable("not_json", "the value is not JSON") from None
    return _decode_json(topic, key_text, raw)


def _decode_json(topic: Topic, key: str, raw: object) -> Event[Any]:
    try:
        head = _Type.model_validate(raw)
    except ValidationError as error:
        raise Undecodable("not_an_event", "not a CloudEvents envelope: " + _explain(error)) from None
    if head.specversion != "1.0":
        raise Undecodable("wrong_version", "specversion must be 1.0", type_=head.type)
    type_ = topic.type_named(head.type)
    if type_ is None:
        raise Undecodable("unknown_type", f"the type is not one of {topic.name}", type_=head.type)
    if head.dataschema is not None and head.dataschema != topic.schema_urn(type_):
        raise Undecodable("wrong_version", f"dataschema must be {topic.schema_urn(type_)}", type_=head.type)
    event = _validated(type_, raw)
    if event.subject != key:
        raise Undecodable("key_mismatch", "the key differs from the subject", type_=head.type)
    data_key = getattr(event.data, "key", None)
    if data_key is not None and data_key != key:
        raise Undecodable("key_mismatch", "the key differs from gateway:conversation in the data", type_=head.type)
    return event


def _validated(type_: type[Data], raw: object) -> Event[Any]:
    try:
        # JSON mode through a dump would parse twice; python mode is strict enough with pydantic's coercions.
        return Event[type_].model_validate(raw, extra="ignore")  # type: ignore[valid-type]  # a run-time generic
    except ValidationError as error:
        raise Undecodable("invalid_data", _explain(error), type_=type_.__name__) from None


def _explain(error: ValidationError) -> str:
    """`data.text: string expected; ...`, without the offending values."""
    found = [
        f"{'.'.join(map(_place, e['loc'])) or 'value'}: {_MESSAGES.get(e['type'], e['msg'])}"
        for e in error.errors(include_input=False, include_url=False, include_context=False)[:5]
    ]
    return "; ".join(found)


_MESSAGES = {"union_tag_invalid": "no known kind"}
"""In place of pydantic's, which repeats the value."""


def _fields(model: type[BaseModel]) -> set[str]:
    """Names of the fields of a model and of all that are derived from it."""
    return set(model.model_fields).union(*(_fields(derived) for derived in model.__subclasses__()))


_FIELDS = _fields(Data) | _fields(Money) | _fields(Event) | _fields(_Type)


def _place(part: int | str) -> str:
    """A part of a path; keys of a dict are values, and stay unnamed."""
    return str(part) if isinstance(part, int) or part in _FIELDS else "*"
