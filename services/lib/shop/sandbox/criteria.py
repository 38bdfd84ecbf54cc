"""`SearchCriteria`: Magento's query language of filter groups, sort orders and paging, from a query string.

`searchCriteria[filter_groups][0][filters][0][field]=sku&...`: filters inside a group are OR, groups are
AND, the default condition is `eq`. Keys may be camelCase or snake_case, `searchCriteria` or
`search_criteria`, as Magento accepts both. Pure.

Limits are PHP's: at most 1,000 variables are read and deeper than 64 brackets is dropped, both silently
(`max_input_vars`, `max_input_nesting_level`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.lib.shop.sandbox.errors import MagentoError, wrong_type

MAX_VARS = 1000
MAX_DEPTH = 64
_INT = re.compile(r"[+-]?\d{1,18}")


class Condition(StrEnum):
    EQ = "eq"
    NEQ = "neq"
    LIKE = "like"
    IN = "in"
    NIN = "nin"
    GT = "gt"
    GTEQ = "gteq"
    LT = "lt"
    LTEQ = "lteq"
    FROM = "from"
    TO = "to"
    NULL = "null"
    NOTNULL = "notnull"
    FINSET = "finset"


@dataclass(frozen=True)
class Filter:
    field: str
    value: str
    condition: Condition = Condition.EQ


@dataclass(frozen=True)
class SortOrder:
    field: str
    descending: bool = True
    """Magento sorts downwards where no direction is given (`SortOrder::SORT_DESC`)."""


@dataclass(frozen=True)
class SearchCriteria:
    groups: tuple[tuple[Filter, ...], ...] = ()
    sort_orders: tuple[SortOrder, ...] = ()
    page_size: int | None = None
    """None or not positive: everything on one page."""
    current_page: int = 1

    def echo(self) -> dict[str, Any]:
        """The criteria as Magento repeats them in a search result."""
        body: dict[str, Any] = {
            "filter_groups": [
                {
                    "filters": [
                        {"field": f.field, "value": f.value, "condition_type": f.condition.value} for f in group
                    ]
                }
                for group in self.groups
            ]
        }
        if self.sort_orders:
            body["sort_orders"] = [
                {"field": s.field, "direction": "DESC" if s.descending else "ASC"} for s in self.sort_orders
            ]
        if self.page_size is not None:
            body["page_size"] = self.page_size
            body["current_page"] = self.current_page
        return body


def parse_brackets(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nest `a[b][0]=c` as PHP does; a later value replaces an earlier one, `[]` appends.

    A scalar given where an array is needed (`a=1&a[b]=2`) is replaced by the array.
    """
    root: dict[str, Any] = {}
    for count, (name, value) in enumerate(pairs):
        if count >= MAX_VARS:
            break
        path = _path(name)
        if not path or len(path) > MAX_DEPTH:
            continue
        node = root
        for key in path[:-1]:
            child = node.get(key := _slot(node, key))
            if not isinstance(child, dict):
                child = {}
                node[key] = child
            node = child
        node[_slot(node, path[-1])] = value
    return root


def parse_criteria(pairs: Iterable[tuple[str, str]]) -> SearchCriteria:
    """The criteria of a decoded query string.

    Raises MagentoError 400 where `searchCriteria` is missing, a filter has no field, a condition is
    unknown, a direction is neither ASC nor DESC, or a page is not an integer.
    """
    tree = _snake(parse_brackets(pairs))
    if "search_criteria" not in tree:
        raise MagentoError(400, '"%fieldName" is required. Enter and try again.', {"fieldName": "searchCriteria"})
    criteria = tree["search_criteria"]
    if not isinstance(criteria, dict):
        return SearchCriteria()
    size = _integer(criteria.get("page_size"))
    page = _integer(criteria.get("current_page"))
    return SearchCriteria(
        groups=tuple(
            group
            for node in _list(criteria.get("filter_groups"))
            if (group := tuple(_filter(f) for f in _list(node.get("filters"))))
        ),
        sort_orders=tuple(_sort(node) for node in _list(criteria.get("sort_orders"))),
        page_size=size,
        current_page=1 if page is None else page,
    )


def _path(name: str) -> list[str]:
    """`a[b][c]` → [a, b, c]. What follows an unbalanced bracket is dropped, as PHP drops it."""
    head, bracket, rest = name.partition("[")
    if not head:
        return []
    path = [head]
    while bracket:
        key, closing, tail = rest.partition("]")
        if not closing:
            break
        path.append(key)
        if not tail.startswith("["):
            break
        bracket, rest = "[", tail[1:]
        if len(path) > MAX_DEPTH:
            break
    return path


def _slot(node: Mapping[str, Any], key: str) -> str:
    if key:
        return key
    taken = [int(k) for k in node if k.isdecimal() and len(k) < 10]
    return str(max(taken) + 1 if taken else 0)


def _snake(tree: dict[str, Any]) -> dict[str, Any]:
    """Rename camelCase keys; the tree is at most MAX_DEPTH deep, so the recursion is bounded."""
    return {
        re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower(): _snake(value) if isinstance(value, dict) else value
        for key, value in tree.items()
    }


def _list(node: Any) -> list[dict[str, Any]]:
    """The members of a PHP array in the order of their first appearance; scalars are no members."""
    return [value for value in node.values() if isinstance(value, dict)] if isinstance(node, dict) else []


def _scalar(node: Any) -> str:
    """A value given as a list (`[value][]=a`) is joined by commas, which is what `in` splits on."""
    if isinstance(node, dict):
        return ",".join(value for value in node.values() if isinstance(value, str))
    return node if isinstance(node, str) else ""


def _filter(node: dict[str, Any]) -> Filter:
    field = _scalar(node.get("field"))
    if not field:
        raise MagentoError(400, '"%fieldName" is required. Enter and try again.', {"fieldName": "field"})
    condition = _scalar(node.get("condition_type")) or Condition.EQ.value
    if condition not in {member.value for member in Condition}:
        raise MagentoError(400, "Condition type %1 is not supported.", [condition])
    return Filter(field, _scalar(node.get("value")), Condition(condition))


def _sort(node: dict[str, Any]) -> SortOrder:
    direction = _scalar(node.get("direction")).upper() or "DESC"
    if direction not in {"ASC", "DESC"}:
        raise MagentoError(
            400,
            "The sort order has to be specified as %1 for ascending order or %2 for descending order.",
            ["ASC", "DESC"],
        )
    field = _scalar(node.get("field"))
    if not field:
        raise MagentoError(400, '"%fieldName" is required. Enter and try again.', {"fieldName": "field"})
    return SortOrder(field, direction == "DESC")


def _integer(node: Any) -> int | None:
    if node is None:
        return None
    text = _scalar(node).strip()
    if not _INT.fullmatch(text):
        raise wrong_type(text, "int")
    return int(text)
