"""Filters compare as MySQL does; pages behave as Magento's do."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.shop.sandbox.criteria import Condition, Filter, SearchCriteria, SortOrder
from services.lib.shop.sandbox.search import like, page_of, search

ROWS = [
    {"id": 1, "name": "Red Pot", "price": Decimal("49.00"), "tags": "3,5", "day": "2026-01-01 10:00", "cat": (3, 4)},
    {"id": 2, "name": "blue pot", "price": Decimal("9.95"), "tags": "5", "day": "2026-02-01 10:00", "cat": (4,)},
    {"id": 3, "name": "Lamp 100%", "price": Decimal("120"), "tags": None, "day": "2026-03-01 10:00", "cat": ()},
]  # fmt: skip


def ids(*filters: Filter, **more: Any) -> list[int]:
    criteria = SearchCriteria(groups=tuple((one,) for one in filters), **more)
    return [row["id"] for row in search(ROWS, criteria, lambda row, name: row[name]).rows]


@pytest.mark.parametrize(
    ("field", "condition", "value", "expected"),
    [
        ("id", "eq", "2", [2]),
        ("name", "eq", "RED POT", [1]),
        ("name", "neq", "red pot", [2, 3]),
        ("name", "like", "%pot", [1, 2]),
        ("name", "like", "_amp%", [3]),
        ("name", "like", "pot", []),
        ("name", "like", ".*", []),
        ("price", "gt", "9.95", [1, 3]),
        ("price", "gteq", "9.950", [1, 2, 3]),
        ("price", "lt", "49", [2]),
        ("price", "lteq", "49", [1, 2]),
        ("price", "gt", "cheap", [1, 2, 3]),
        ("price", "eq", "NaN", []),
        ("price", "lt", "1e999999999", [1, 2, 3]),
        ("id", "in", "1, 3", [1, 3]),
        ("id", "nin", "1,3", [2]),
        ("day", "from", "2026-02-01", [2, 3]),
        ("day", "to", "2026-02-01", [1]),
        ("tags", "null", "", [3]),
        ("tags", "notnull", "", [1, 2]),
        ("tags", "finset", "5", [1, 2]),
        ("tags", "finset", "35", []),
        ("tags", "neq", "5", [1]),
        ("cat", "eq", "4", [1, 2]),
        ("cat", "nin", "3", [2, 3]),
        ("cat", "null", "", [3]),
        ("name", "eq", "' OR 1=1 --", []),
        ("name", "in", "x') UNION SELECT password FROM admin_user --", []),
    ],
)
def test_conditions(field: str, condition: str, value: str, expected: list[int]) -> None:
    assert ids(Filter(field, value, Condition(condition))) == expected


def test_groups_are_and_and_filters_in_a_group_are_or() -> None:
    either = (Filter("id", "1"), Filter("id", "3"))
    cheap = (Filter("price", "50", Condition.LT),)
    found = search(ROWS, SearchCriteria(groups=(either, cheap)), lambda row, name: row[name])
    assert [row["id"] for row in found.rows] == [1]


def test_sort_orders_apply_in_their_order() -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 1, "b": "z"}, {"a": None, "b": "q"}]
    criteria = SearchCriteria(sort_orders=(SortOrder("a", False), SortOrder("b", True)))
    found = search(rows, criteria, lambda row, name: row[name])
    assert [row["b"] for row in found.rows] == ["q", "z", "x", "y"]


@pytest.mark.parametrize(
    ("size", "page", "expected"),
    [(2, 1, [1, 2]), (2, 2, [3]), (2, 3, [3]), (2, 10**18, [3]), (2, 0, [1, 2]), (2, -1, [1, 2]),
     (None, 5, [1, 2, 3]), (0, 5, [1, 2, 3]), (-1, 1, [1, 2, 3]), (10**18, 1, [1, 2, 3])],
)  # fmt: skip
def test_a_page_past_the_last_is_the_last(size: int | None, page: int, expected: list[int]) -> None:
    assert ids(page_size=size, current_page=page) == expected
    criteria = SearchCriteria(page_size=size, current_page=page)
    assert search(ROWS, criteria, lambda row, name: row[name]).total == 3


@given(st.lists(st.integers(), max_size=30), st.integers(1, 8))
def test_the_pages_are_the_whole(values: list[int], size: int) -> None:
    rows = [{"v": value} for value in values]
    pages = range(1, -(-len(rows) // size) + 1)
    assert [row for page in pages for row in page_of(rows, size, page)] == rows


@given(st.text("ab%_", max_size=12), st.text("ab%_", max_size=12))
def test_like_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    wanted = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern)
    assert like(pattern, text) == (re.fullmatch(wanted, text) is not None)


def test_a_hostile_pattern_ends() -> None:
    assert not like("%a" * 2000 + "b", "a" * 3000)
