"""Reading decoded JSON that another system wrote: tolerant of its habits, strict about sense.

Magento sends numbers as numbers or as strings, leaves null fields out or sends null, and writes
times without a zone, in UTC. A value that is none of these raises `Malformed`. Numbers never pass
through a float: JSON numbers are decoded to `Decimal`.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NoReturn

from babel.numbers import get_currency_precision
from pydantic import ValidationError

from schemas.money import Money

Record = Mapping[str, Any]

MAX_EXPONENT = 15
"""Decimal places before and after the point beyond which a number is taken for garbage: a price or
an id of 10^15 is none, and `int(Decimal("1e999999"))` would eat the process."""

_NUMERAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,3})?")


class Malformed(ValueError):
    """The answer is not of the shape that its API promises."""


def decode(body: bytes) -> Any:
    """JSON with exact numbers. NaN and Infinity, which are not JSON, are refused."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise Malformed("not JSON") from error


def number(value: Any) -> Decimal | None:
    """An exact number, given as number or numeral; None for null or an empty string."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Malformed(f"a number was expected, not {type(value).__name__}")
    if isinstance(value, str) and not _NUMERAL.fullmatch(value := value.strip()):
        raise Malformed("a number was expected, not other text")
    parsed = Decimal(value)
    if not parsed.is_finite() or (parsed and abs(parsed.adjusted()) > MAX_EXPONENT):
        raise Malformed("a number out of all bounds")
    return parsed


def quantity(value: Any) -> Decimal:
    """A count of things, 0 where absent, without the zeros that Magento's `1.0000` carries."""
    amount = (number(value) or Decimal(0)).normalize()
    return amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount


def integer(value: Any) -> int | None:
    parsed = number(value)
    if parsed is None:
        return None
    if parsed != parsed.to_integral_value():
        raise Malformed("a whole number was expected")
    return int(parsed)


def text(value: Any) -> str:
    """Text as sent, stripped; numbers in their numerals; empty for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    raise Malformed(f"text was expected, not {type(value).__name__}")


def flag(value: Any) -> bool:
    """True for true, 1 and "1"; Magento uses all three."""
    return value is True or value == 1 or value == "1"


def when(value: Any) -> datetime | None:
    """A time in UTC from `2026-03-01 12:00:00` (Magento's, in UTC) or ISO 8601; None for null."""
    if value is None or value == "":
        return None
    try:
        parsed = datetime.fromisoformat(text(value))
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Malformed("a time was expected") from error


def record(value: Any) -> Record:
    if not isinstance(value, Mapping):
        raise Malformed(f"an object was expected, not {type(value).__name__}")
    return value


def part(value: Record, name: str) -> Record:
    """A nested object, empty where null or absent. PHP writes an empty object as `[]`."""
    inner = value.get(name)
    return {} if inner is None or inner == [] else record(inner)


def records(value: Any) -> tuple[Record, ...]:
    """A list of objects, null entries dropped; empty for null."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(f"a list was expected, not {type(value).__name__}")
    return tuple(record(item) for item in value if item is not None)


def required(value: Any, name: str) -> Any:
    if value is None or value == "":
        raise Malformed(f"{name} is missing")
    return value


def money(value: Any, currency: Any) -> Money:
    """An amount rounded half up to the digits of its currency (CLDR, through babel)."""
    code = text(currency)
    amount = required(number(value), "amount")
    try:
        digits = Decimal(1).scaleb(-get_currency_precision(code))
        return Money(amount=amount.quantize(digits, rounding=ROUND_HALF_UP), currency=code)
    except (InvalidOperation, ValidationError) as error:
        raise Malformed("not an amount of money") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
