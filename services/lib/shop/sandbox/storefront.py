"""`Storefront`: what a shopper sees, over GraphQL: products with live price and stock, and the store's settings.

The schema is a part of Magento 2.4's own: every type and field here has the name and type it has
there. Out-of-stock products are shown, as in a shop that has "Display Out of Stock Products" on;
disabled ones, and those of another website, are not.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLResolveInfo,
    InlineFragmentNode,
    SelectionSetNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from services.lib.shop.sandbox.data import SandboxData, Store
from services.lib.shop.sandbox.items import Item
from services.lib.shop.sandbox.pricing import Price, price_range
from services.lib.shop.sandbox.schema import SDL
from services.lib.shop.sandbox.search import like, page_of
from services.lib.shop.sandbox.showcase import URL_SUFFIX, Visit, shown_name, shown_product

MAX_DEPTH = 20
"""Magento's own limit of a query's depth."""


class InputError(GraphQLError):
    """An argument that Magento refuses (`graphql-input`)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, extensions={"category": "graphql-input"})


class Storefront:
    """Executes queries. Every root value, argument and error is as Magento has it."""

    def __init__(self, data: SandboxData) -> None:
        self._data = data
        self._schema = build_schema(SDL)

    def visit(self, store_code: str | None, currency: str | None, now: datetime) -> Visit:
        """Raises InputError where the `Store` or `Content-Currency` header names what is not there."""
        store = self._data.store(store_code.strip()) if store_code else self._data.stores[0]
        if store is None:
            raise InputError("Requested store is not found")
        chosen = currency.strip().upper() if currency else store.currency
        if chosen not in store.currencies:
            raise InputError("Please correct the target currency")
        return Visit(store, chosen, self._data.rate(store, chosen), now)

    def execute(
        self, query: str, variables: dict[str, Any] | None, operation: str | None, visit: Visit
    ) -> dict[str, Any]:
        """The response body: `data`, `errors` or both. Raises GraphQLError where it cannot be parsed."""
        document = parse(query, max_tokens=20_000)
        invalid = validate(self._schema, document)
        if not invalid and (depth := _depth(document)) > MAX_DEPTH:
            invalid = [GraphQLError(f"Max query depth should be {MAX_DEPTH} but got {depth}.")]
        if invalid:
            return {"errors": [formatted(error) for error in invalid]}
        result = execute_sync(
            self._schema,
            document,
            root_value=_Root(self._data, visit),
            variable_values=variables,
            operation_name=operation,
        )
        body: dict[str, Any] = {}
        if result.errors:
            body["errors"] = [formatted(error) for error in result.errors]
        body["data"] = result.data
        return body


def formatted(error: GraphQLError) -> dict[str, Any]:
    """An error as Magento writes it: message, locations, path, category."""
    body: dict[str, Any] = dict(error.formatted)
    body.setdefault("extensions", {"category": "graphql"})
    return body


class _Root:
    """The resolvers of Query: graphql-core calls a root value's methods with the arguments."""

    def __init__(self, data: SandboxData, visit: Visit) -> None:
        self._data = data
        self._visit = visit

    def products(
        self,
        _info: GraphQLResolveInfo,
        search: str | None = None,
        filter: dict[str, Any] | None = None,  # noqa: A002  (Magento's name of the argument)
        pageSize: int | None = 20,  # noqa: N803
        currentPage: int | None = 1,  # noqa: N803
        sort: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        size, current = 20 if pageSize is None else pageSize, 1 if currentPage is None else currentPage
        if not search and filter is None:
            raise InputError("'search' or 'filter' input argument is required.")
        if size < 1:
            raise InputError("pageSize value must be greater than 0.")
        if current < 1:
            raise InputError("currentPage value must be greater than 0.")
        items = [item for item in self._data.items if self._shown(item) and self._passes(item, search, filter)]
        for key, direction in reversed((sort or {}).items()):
            items.sort(key=lambda item, key=key: self._sort_key(item, key), reverse=direction == "DESC")  # type: ignore[misc]
        pages = -(-len(items) // size)
        if current > max(pages, 1):
            raise InputError(f"currentPage value {current} specified is greater than the {pages} page(s) available.")
        rows = page_of([{"item": item} for item in items], size, current)
        return {
            "items": [shown_product(self._data, self._visit, row["item"]) for row in rows],
            "page_info": {"current_page": current, "page_size": size, "total_pages": pages},
            "total_count": len(items),
        }

    def storeConfig(self, _info: GraphQLResolveInfo) -> dict[str, Any]:  # noqa: N802
        return self._config(self._visit.store)

    def availableStores(  # noqa: N802
        self,
        _info: GraphQLResolveInfo,
        useCurrentGroup: bool | None = None,  # noqa: N803
    ) -> list[dict[str, Any]]:
        here = self._visit.store
        return [
            self._config(store)
            for store in self._data.stores
            if store.website == here.website and (not useCurrentGroup or store.group == here.group)
        ]

    def currency(self, _info: GraphQLResolveInfo) -> dict[str, Any]:
        store = self._visit.store
        return {
            "available_currency_codes": list(store.currencies),
            "base_currency_code": store.base_currency,
            "default_display_currency_code": store.currency,
            "exchange_rates": [
                {"currency_to": code, "rate": float(self._data.rate(store, code))} for code in store.currencies
            ],
        }

    def _config(self, store: Store) -> dict[str, Any]:
        website = next(w for w in self._data.shop["websites"] if w["code"] == store.website)
        urls = {
            f"{prefix}base_{name}": store.url + tail
            for prefix in ("", "secure_")
            for name, tail in (("url", ""), ("link_url", ""), ("media_url", "media/"))
        }
        return urls | {
            "id": store.id,
            "code": store.code,
            "store_code": store.code,
            "store_name": store.name,
            "store_group_code": store.group,
            "website_id": store.website_id,
            "website_code": store.website,
            "website_name": website["name"],
            "is_default_store": True,
            "locale": store.locale,
            "timezone": store.timezone,
            "weight_unit": store.weight_unit,
            "base_currency_code": store.base_currency,
            "default_display_currency_code": store.currency,
            "product_url_suffix": URL_SUFFIX,
            "category_url_suffix": URL_SUFFIX,
        }

    def _shown(self, item: Item) -> bool:
        return item.enabled and item.parent is None and self._visit.store.website in item.websites

    def _passes(self, item: Item, search: str | None, wanted: dict[str, Any] | None) -> bool:
        name = shown_name(item, self._visit.store)
        if search and not all(like(f"%{_plain(word)}%", f"{name} {item.sku}") for word in search.split()):
            return False
        for field, condition in (wanted or {}).items():
            if condition is None:
                continue
            if field == "name":
                words = (condition.get("match") or "").split()
                if not all(like(f"%{_plain(word)}%", name) for word in words):
                    return False
            elif field == "price":
                low, _ = self._range(item)
                if not _within(low.final, condition):
                    return False
            else:
                values = {
                    "sku": {item.sku.lower()},
                    "url_key": {item.url_key},
                    "category_id": {str(self._data.category_ids[key]) for key in item.categories},
                }[field]
                asked = [condition.get("eq"), *(condition.get("in") or [])]
                if not values & {one.lower() for one in asked if one is not None}:
                    return False
        return True

    def _range(self, item: Item) -> tuple[Price, Price]:
        return price_range(
            item, self._visit.store.website, self._visit.store.timezone, self._visit.rate, self._visit.now
        )

    def _sort_key(self, item: Item, key: str) -> Any:
        if key == "price":
            return self._range(item)[0].final
        return shown_name(item, self._visit.store).casefold() if key == "name" else item.id


def _plain(word: str) -> str:
    """A word without LIKE's wildcards."""
    return word.replace("%", "").replace("_", "")


def _within(amount: Decimal, condition: dict[str, str | None]) -> bool:
    try:
        low = Decimal(condition.get("from") or "0")
        high = Decimal(condition.get("to") or "Infinity")
    except ArithmeticError as error:
        raise InputError("Price bounds must be numbers.") from error
    return low <= amount <= high


def _depth(document: DocumentNode) -> int:
    """Nested selections of the deepest operation. The document is valid: fragments have no cycles."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    known: dict[str, int] = {}

    def of(selections: SelectionSetNode | None) -> int:
        if selections is None:
            return 0
        deepest = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                deepest = max(deepest, 1 + of(node.selection_set))
            elif isinstance(node, InlineFragmentNode):
                deepest = max(deepest, of(node.selection_set))
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name not in known:
                    known[name] = of(fragments[name].selection_set)
                deepest = max(deepest, known[name])
        return deepest

    return max((of(getattr(d, "selection_set", None)) for d in document.definitions), default=0)
