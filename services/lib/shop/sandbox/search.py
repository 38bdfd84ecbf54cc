"""`search`: a page of rows that match Magento's search criteria, compared as MySQL compares.

Text compares without case, numbers by value, dates as text (`YYYY-MM-DD HH:MM:SS` sorts as it reads).
A page past the last is the last page again and a page below 1 is the first, as
`Magento\\Framework\\Data\\Collection::getCurPage` has it: a reader that pages until it gets an empty page
never ends, so page by `total_count`. Pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from services.lib.shop.sandbox.criteria import Condition, Filter, SearchCriteria

Row = Mapping[str, Any]
FieldOf = Callable[[Row, str], Any]
"""The value of a field in a row: a scalar, None, or a tuple where one row has several (categories)."""


@dataclass(frozen=True)
class Found:
    rows: tuple[Row, ...]
    """Of the page asked for."""
    total: int
    """Of all pages."""


def search(rows: Iterable[Row], criteria: SearchCriteria, field_of: FieldOf) -> Found:
    """Filter, sort and cut. `field_of` raises where a field does not exist."""
    matching = [
        row
        for row in rows
        if all(any(_matches(field_of(row, f.field), f) for f in group) for group in criteria.groups)
    ]
    for order in reversed(criteria.sort_orders):
        matching.sort(
            key=lambda row, field=order.field: _sort_key(field_of(row, field)),  # type: ignore[misc]
            reverse=order.descending,
        )
    return Found(tuple(page_of(matching, criteria.page_size, criteria.current_page)), len(matching))


def page_of(rows: Sequence[Row], size: int | None, page: int) -> Sequence[Row]:
    """Rows of one page; never empty while there are rows at all."""
    if size is None or size <= 0:
        return rows
    last = max(1, -(-len(rows) // size))
    start = (min(max(page, 1), last) - 1) * size
    return rows[start : start + size]


def like(pattern: str, text: str) -> bool:
    """SQL's LIKE without case: `%` any run, `_` any one character.

    Two pointers and one point of return instead of a regular expression: a hostile pattern costs at
    most len(pattern) * len(text) steps.
    """
    pattern, text = pattern.casefold(), text.casefold()
    p = t = 0
    star, resume = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] == "%":
            star, resume = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in ("_", text[t]):
            p += 1
            t += 1
        elif star >= 0:
            resume += 1
            p, t = star + 1, resume
        else:
            return False
    return not pattern[p:].strip("%")


def _matches(value: Any, wanted: Filter) -> bool:
    if isinstance(value, tuple):
        if wanted.condition in (Condition.NEQ, Condition.NIN):
            return all(_matches(one, wanted) for one in value)
        if not value:
            return wanted.condition is Condition.NULL
        return any(_matches(one, wanted) for one in value)
    if wanted.condition is Condition.NULL:
        return value is None
    if wanted.condition is Condition.NOTNULL:
        return value is not None
    if value is None:  # in SQL, any other comparison with NULL is not true
        return False
    return _compare(value, wanted)


def _compare(value: Any, wanted: Filter) -> bool:
    text = wanted.value
    match wanted.condition:
        case Condition.EQ:
            return _order(value, text) == 0
        case Condition.NEQ:
            return _order(value, text) != 0
        case Condition.GT:
            return _order(value, text) > 0
        case Condition.GTEQ | Condition.FROM:
            return _order(value, text) >= 0
        case Condition.LT:
            return _order(value, text) < 0
        case Condition.LTEQ | Condition.TO:
            return _order(value, text) <= 0
        case Condition.IN:
            return any(_order(value, one.strip()) == 0 for one in text.split(","))
        case Condition.NIN:
            return all(_order(value, one.strip()) != 0 for one in text.split(","))
        case Condition.LIKE:
            return like(text, _text(value))
        case Condition.FINSET:
            return text.casefold() in [one.casefold() for one in _text(value).split(",")]
    return False


def _order(value: Any, text: str) -> int:
    """-1, 0 or 1. A number against text that is none compares with 0, as MySQL casts it."""
    if isinstance(value, bool | int | float | Decimal):
        left, right = Decimal(str(int(value) if isinstance(value, bool) else value)), _decimal(text)
        return (left > right) - (left < right)
    mine, theirs = _text(value).casefold(), text.casefold()
    return (mine > theirs) - (mine < theirs)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text.strip()[:40])
    except InvalidOperation:
        return Decimal(0)
    return number if number.is_finite() else Decimal(0)


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _sort_key(value: Any) -> tuple[int, Decimal, str]:
    """NULL first, then numbers, then text: a total order over mixed values."""
    if isinstance(value, tuple):
        value = value[0] if value else None
    if value is None:
        return (0, Decimal(0), "")
    if isinstance(value, bool | int | float | Decimal):
        return (1, Decimal(str(int(value) if isinstance(value, bool) else value)), "")
    return (2, Decimal(0), _text(value).casefold())
