"""criteria: Magento's `searchCriteria` as query parameters. Filters in a group are OR, groups are AND."""

from collections.abc import Iterable, Sequence

Filter = tuple[str, str, str]
"""Field, condition and value, e.g. `("entity_id", "gt", "100")`."""


def criteria(
    *groups: Sequence[Filter], size: int, sort: str | None = None, descending: bool = False
) -> list[tuple[str, str]]:
    """Parameters of one page of `size`. `sort` is a field."""
    params: list[tuple[str, str]] = []
    for g, group in enumerate(groups):
        for f, (field, condition, value) in enumerate(group):
            prefix = f"searchCriteria[filterGroups][{g}][filters][{f}]"
            params += [
                (f"{prefix}[field]", field),
                (f"{prefix}[value]", value),
                (f"{prefix}[conditionType]", condition),
            ]
    if sort is not None:
        params.append(("searchCriteria[sortOrders][0][field]", sort))
        params.append(("searchCriteria[sortOrders][0][direction]", "DESC" if descending else "ASC"))
    params.append(("searchCriteria[pageSize]", str(size)))
    params.append(("searchCriteria[currentPage]", "1"))
    return params


def any_of(field: str, values: Iterable[str]) -> list[Filter]:
    """A group that matches any of the values. `in` splits at commas, so values with one stand alone."""
    plain: list[str] = []
    alone: list[Filter] = []
    for value in values:
        if "," in value:
            alone.append((field, "eq", value))
        else:
            plain.append(value)
    return [*([(field, "in", ",".join(plain))] if plain else []), *alone]
