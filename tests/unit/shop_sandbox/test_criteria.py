"""The parser of Magento's searchCriteria: forms, defaults, errors, and whatever a stranger may send."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.shop.sandbox.criteria import (
    MAX_DEPTH,
    Condition,
    Filter,
    SearchCriteria,
    SortOrder,
    parse_brackets,
    parse_criteria,
)
from services.lib.shop.sandbox.errors import MagentoError


def parsed(query: str) -> SearchCriteria:
    return parse_criteria(parse_qsl(query, keep_blank_values=True))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("searchCriteria", SearchCriteria()),
        ("searchCriteria=", SearchCriteria()),
        ("search_criteria[page_size]=5", SearchCriteria(page_size=5)),
        ("searchCriteria[pageSize]=5&searchCriteria[currentPage]=2", SearchCriteria(page_size=5, current_page=2)),
        ("searchCriteria[currentPage]=-3", SearchCriteria(current_page=-3)),
        (
            "searchCriteria[filterGroups][0][filters][0][field]=sku"
            "&searchCriteria[filterGroups][0][filters][0][value]=A",
            SearchCriteria(groups=((Filter("sku", "A"),),)),
        ),
        (
            "searchCriteria[filter_groups][0][filters][0][field]=a&searchCriteria[filter_groups][0][filters][0][value]=1"
            "&searchCriteria[filter_groups][0][filters][1][field]=b"
            "&searchCriteria[filter_groups][0][filters][1][condition_type]=notnull"
            "&searchCriteria[filter_groups][7][filters][0][field]=c"
            "&searchCriteria[filter_groups][7][filters][0][conditionType]=in"
            "&searchCriteria[filter_groups][7][filters][0][value]=x,y",
            SearchCriteria(
                groups=(
                    (Filter("a", "1"), Filter("b", "", Condition.NOTNULL)),
                    (Filter("c", "x,y", Condition.IN),),
                )
            ),
        ),
        (
            "searchCriteria[filterGroups][][filters][][field]=a",
            SearchCriteria(groups=((Filter("a", ""),),)),
        ),
        (
            "searchCriteria[sortOrders][0][field]=a&searchCriteria[sortOrders][1][field]=b"
            "&searchCriteria[sortOrders][1][direction]=asc",
            SearchCriteria(sort_orders=(SortOrder("a", True), SortOrder("b", False))),
        ),
        ("searchCriteria[filterGroups][0][filters]=junk", SearchCriteria()),
        ("searchCriteria[filterGroups]=junk&searchCriteria[nonsense][0]=1", SearchCriteria()),
    ],
)
def test_forms(query: str, expected: SearchCriteria) -> None:
    assert parsed(query) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "is required"),
        ("other=1", "is required"),
        ("searchCriteria[pageSize]=ten", "type is invalid"),
        ("searchCriteria[pageSize]=1e3", "type is invalid"),
        ("searchCriteria[pageSize]=", "type is invalid"),
        ("searchCriteria[currentPage]=" + "9" * 400, "type is invalid"),
        ("searchCriteria[filterGroups][0][filters][0][value]=A", "is required"),
        (
            "searchCriteria[filterGroups][0][filters][0][field]=a"
            "&searchCriteria[filterGroups][0][filters][0][condition_type]=regexp",
            "not supported",
        ),
        ("searchCriteria[sortOrders][0][field]=a&searchCriteria[sortOrders][0][direction]=UP", "sort order"),
        ("searchCriteria[sortOrders][0][direction]=ASC", "is required"),
    ],
)
def test_errors(query: str, message: str) -> None:
    with pytest.raises(MagentoError) as caught:
        parsed(query)
    assert caught.value.status == 400
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("a[]", "1"), ("a[]", "2")], {"a": {"0": "1", "1": "2"}}),
        ([("a[5]", "1"), ("a[]", "2")], {"a": {"5": "1", "6": "2"}}),
        ([("a", "1"), ("a[b]", "2")], {"a": {"b": "2"}}),
        ([("a[b", "1")], {"a": "1"}),
        ([("a[b]c[d]", "1")], {"a": {"b": "1"}}),
        ([("[a]", "1"), ("", "2")], {}),
        ([("a[😀][ü]", "1")], {"a": {"😀": {"ü": "1"}}}),
        ([("a" + "[x]" * 5000, "1"), ("b", "2")], {"b": "2"}),
    ],
)
def test_brackets_nest_as_in_php(pairs: list[tuple[str, str]], expected: object) -> None:
    assert parse_brackets(pairs) == expected


def test_more_than_a_thousand_variables_are_dropped() -> None:
    tree = parse_brackets((f"a[{n}]", "1") for n in range(5000))
    assert len(tree["a"]) == 1000


NAMES = st.text(alphabet="ab[]0_😀", max_size=200)


@given(st.lists(st.tuples(NAMES, st.text(max_size=5)), max_size=30))
def test_any_brackets_make_a_bounded_tree(pairs: list[tuple[str, str]]) -> None:
    def depth(node: object) -> int:
        return 1 + max(map(depth, node.values()), default=0) if isinstance(node, dict) else 0

    assert depth(parse_brackets(pairs)) <= MAX_DEPTH


FILTERS = st.builds(
    Filter,
    st.text("abc_", min_size=1, max_size=8),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(Condition),
)
SORTS = st.builds(SortOrder, st.text("abc_", min_size=1, max_size=8), st.booleans())


@given(
    st.builds(
        SearchCriteria,
        groups=st.lists(st.lists(FILTERS, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple),
        sort_orders=st.lists(SORTS, max_size=3).map(tuple),
        page_size=st.integers(0, 10**12) | st.none(),
        current_page=st.integers(-5, 10**12),
    ),
    st.booleans(),
)
def test_what_is_written_is_read(criteria: SearchCriteria, camel: bool) -> None:
    root = "searchCriteria" if camel else "search_criteria"
    groups, kind, orders = (
        ("filterGroups", "conditionType", "sortOrders")
        if camel
        else ("filter_groups", "condition_type", "sort_orders")
    )
    pairs = [(root, "")]
    for g, group in enumerate(criteria.groups):
        for f, one in enumerate(group):
            at = f"{root}[{groups}][{g}][filters][{f}]"
            pairs += [(f"{at}[field]", one.field), (f"{at}[value]", one.value), (f"{at}[{kind}]", one.condition)]
    for s, order in enumerate(criteria.sort_orders):
        at = f"{root}[{orders}][{s}]"
        pairs += [(f"{at}[field]", order.field), (f"{at}[direction]", "DESC" if order.descending else "ASC")]
    if criteria.page_size is not None:
        pairs.append((f"{root}[{'pageSize' if camel else 'page_size'}]", str(criteria.page_size)))
    pairs.append((f"{root}[{'currentPage' if camel else 'current_page'}]", str(criteria.current_page)))
    assert parse_criteria(pairs) == criteria
