"""`rest_routes`: the part of Magento's REST API that the services use, under every store code.

`/rest/V1/...` is the default store view, `/rest/{store}/V1/...` a store view, `/rest/all/V1/...` the
admin's. An unknown store code matches no route, as in Magento.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from services.lib.shop.sandbox import records
from services.lib.shop.sandbox.catalog import Catalogue
from services.lib.shop.sandbox.criteria import SearchCriteria, parse_criteria
from services.lib.shop.sandbox.data import CmsText, SandboxData, Store
from services.lib.shop.sandbox.errors import MagentoError, no_route, no_such_entity, wrong_type
from services.lib.shop.sandbox.items import Item
from services.lib.shop.sandbox.orders import Sales
from services.lib.shop.sandbox.pricing import number
from services.lib.shop.sandbox.search import FieldOf, search

Query = list[tuple[str, str]]
Handler = Callable[..., Any]

MSI = "Magento_InventoryApi::stock"
NO_PRODUCT = "The product that was requested doesn't exist. Verify the product and try again."
NO_ENTITY = "The entity that was requested doesn't exist. Verify the entity and try again."


class RestApi:
    """Answers GET requests from `data`; knows neither HTTP nor tokens."""

    def __init__(self, data: SandboxData, sales: Sales) -> None:
        self._data = data
        self._sales = sales
        self._catalogue = Catalogue(data)
        self._customers = tuple(records.customer(data, shopper) for shopper in data.customers)
        self._routes: list[tuple[re.Pattern[str], str, Handler]] = [
            (re.compile(pattern), resource, handler)
            for pattern, resource, handler in (
                (r"products", "Magento_Catalog::products", self._products),
                (r"products/attributes", "Magento_Catalog::attributes_attributes", self._attributes),
                (r"products/attributes/([^/]+)", "Magento_Catalog::attributes_attributes", self._attribute),
                (r"products/attributes/([^/]+)/options", "Magento_Catalog::attributes_attributes", self._options),
                (r"products/([^/]+)", "Magento_Catalog::products", self._product),
                (r"configurable-products/([^/]+)/children", "Magento_Catalog::products", self._children),
                (r"configurable-products/([^/]+)/options/all", "Magento_Catalog::products", self._all_options),
                (r"stockItems/([^/]+)", "Magento_CatalogInventory::cataloginventory", self._stock_item),
                (r"inventory/get-product-salable-quantity/([^/]+)/([^/]+)", MSI, self._salable),
                (r"inventory/is-product-salable/([^/]+)/([^/]+)", MSI, self._is_salable),
                (r"inventory/stock-resolver/([^/]+)/([^/]+)", MSI, self._stock),
                (r"cmsPage/search", "Magento_Cms::page", self._pages),
                (r"cmsPage/([^/]+)", "Magento_Cms::page", self._page),
                (r"cmsBlock/search", "Magento_Cms::block", self._blocks),
                (r"cmsBlock/([^/]+)", "Magento_Cms::block", self._block),
                (r"customers/search", "Magento_Customer::customer", self._customer_search),
                (r"customers/([^/]+)", "Magento_Customer::customer", self._customer),
                (r"orders", "Magento_Sales::actions_view", self._orders),
                (r"orders/([^/]+)", "Magento_Sales::actions_view", self._order),
                (r"shipments", "Magento_Sales::shipment", self._shipments),
                (r"store/storeViews", "Magento_Backend::store", self._store_views),
                (r"store/storeConfigs", "Magento_Backend::store", self._store_configs),
                (r"store/websites", "Magento_Backend::store", self._websites),
                (r"categories", "Magento_Catalog::categories", self._categories),
            )
        ]  # fmt: skip

    def resolve(self, path: str) -> tuple[Store | None, str, Handler, tuple[str, ...]]:
        """Store view, ACL resource, handler and path arguments of the part after `/rest/`.

        Arguments stay as they are in `path`, which is to be decoded already except for its slashes.
        Raises MagentoError 404.
        """
        head, _, rest = path.partition("/")
        if head == "V1":
            store, tail = self._data.stores[0], rest
        else:
            known = self._data.store(head)
            version, _, tail = rest.partition("/")
            if version != "V1" or (known is None and head != "all"):
                raise no_route()
            return self._handler(known, tail)
        return self._handler(store, tail)

    def _handler(self, store: Store | None, tail: str) -> tuple[Store | None, str, Handler, tuple[str, ...]]:
        for pattern, resource, handler in self._routes:
            if match := pattern.fullmatch(tail.rstrip("/")):
                return store, resource, handler, match.groups()
        raise no_route()

    # ---- catalogue

    def _products(self, store: Store | None, query: Query) -> Any:
        criteria = parse_criteria(query)
        found = search(
            ({"item": item} for item in self._data.items),
            criteria,
            lambda row, name: self._catalogue.field(row["item"], name, store),
        )
        items = [self._catalogue.product(row["item"], store, single=False) for row in found.rows]
        return _result(items, criteria, found.total)

    def _product(self, store: Store | None, query: Query, sku: str) -> Any:
        return self._catalogue.product(self._item(sku), store, single=True)

    def _children(self, store: Store | None, query: Query, sku: str) -> Any:
        children = self._item(sku).children
        return [self._catalogue.product(child, store, single=False) for child in children]

    def _all_options(self, store: Store | None, query: Query, sku: str) -> Any:
        body = self._catalogue.product(self._item(sku), store, single=False)
        return body["extension_attributes"].get("configurable_product_options", [])

    def _attributes(self, store: Store | None, query: Query) -> Any:
        rows = [self._catalogue.attribute(attribute, store) for attribute in self._data.attributes]
        return _found(rows, parse_criteria(query), column)

    def _attribute(self, store: Store | None, query: Query, code: str) -> Any:
        if code not in self._data.by_code:
            raise MagentoError(
                404,
                'The attribute with a "%1" attributeCode doesn\'t exist. Verify the attribute and try again.',
                [code],
            )
        return self._catalogue.attribute(self._data.by_code[code], store)

    def _options(self, store: Store | None, query: Query, code: str) -> Any:
        return self._attribute(store, query, code)["options"]

    def _categories(self, store: Store | None, query: Query) -> Any:
        given = dict(query)
        root = _integer(given["rootCategoryId"]) if "rootCategoryId" in given else 2
        depth = _integer(given["depth"]) if "depth" in given else None
        tree = self._catalogue.tree(root, depth if depth is None else max(depth, 0), store)
        if tree is None:
            raise no_such_entity("id", root)
        return tree

    # ---- stock

    def _stock_item(self, store: Store | None, query: Query, sku: str) -> Any:
        item = self._data.by_sku.get(sku.lower())
        if item is None:
            raise MagentoError(404, 'The Product with the "%1" SKU doesn\'t exist.', [sku])
        return self._catalogue.stock_item(item)

    def _salable(self, store: Store | None, query: Query, sku: str, stock: str) -> Any:
        item, stock_id = self._item(sku), self._stock_id(stock)
        if item.children:
            raise MagentoError(400, "Can't check requested quantity for products without Source Items support.")
        return number(item.quantity.get(stock_id, Decimal(0)))

    def _is_salable(self, store: Store | None, query: Query, sku: str, stock: str) -> Any:
        item, stock_id = self._item(sku), self._stock_id(stock)
        return item.enabled and item.in_stock(stock_id)

    def _stock(self, store: Store | None, query: Query, kind: str, code: str) -> Any:
        for website in self._data.shop["websites"]:
            if kind == "website" and website["code"] == code:
                stock = next(s for s in self._data.shop["stocks"] if s["id"] == website["stock_id"])
                return {
                    "stock_id": stock["id"],
                    "name": stock["name"],
                    "extension_attributes": {"sales_channels": [{"type": "website", "code": code}]},
                }
        raise MagentoError(404, "No linked stock found")

    def _stock_id(self, text: str) -> int:
        ident = _integer(text)
        if ident not in {stock["id"] for stock in self._data.shop["stocks"]}:
            raise MagentoError(404, 'Stock with id "%value" does not exist.', {"value": ident})
        return ident

    # ---- texts

    def _pages(self, store: Store | None, query: Query) -> Any:
        return self._texts(self._data.pages, records.page, query)

    def _blocks(self, store: Store | None, query: Query) -> Any:
        return self._texts(self._data.blocks, records.block, query)

    def _texts(self, texts: tuple[CmsText, ...], write: Callable[[CmsText], dict[str, Any]], query: Query) -> Any:
        """A filter on `store_id` takes in the texts of all store views, as Magento's does."""

        def field(row: Mapping[str, Any], name: str) -> Any:
            text: CmsText = row["text"]
            if name == "store_id":
                own = {t.store_id for t in texts}
                return tuple(own) if text.store_id == 0 else (text.store_id,)
            names = {"page_id": "id", "block_id": "id", "is_active": "active"}
            return column(write(text), names.get(name, name))

        criteria = parse_criteria(query)
        found = search(({"text": text} for text in texts), criteria, field)
        return _result([write(row["text"]) for row in found.rows], criteria, found.total)

    def _page(self, store: Store | None, query: Query, ident: str) -> Any:
        wanted = _integer(ident)
        for text in self._data.pages:
            if text.id == wanted:
                return records.page(text)
        raise MagentoError(404, 'The CMS page with the "%1" ID doesn\'t exist.', [wanted])

    def _block(self, store: Store | None, query: Query, ident: str) -> Any:
        for text in self._data.blocks:
            if ident in (str(text.id), text.identifier):
                return records.block(text)
        raise MagentoError(404, 'The CMS block with the "%1" ID doesn\'t exist.', [ident])

    # ---- customers and sales

    def _customer_search(self, store: Store | None, query: Query) -> Any:
        return _found(self._customers, parse_criteria(query), records.customer_field)

    def _customer(self, store: Store | None, query: Query, ident: str) -> Any:
        wanted = _integer(ident)
        for body in self._customers:
            if body["id"] == wanted:
                return body
        raise no_such_entity("customerId", wanted)

    def _orders(self, store: Store | None, query: Query) -> Any:
        return _found(self._sales.orders, parse_criteria(query), column)

    def _order(self, store: Store | None, query: Query, ident: str) -> Any:
        wanted = _integer(ident)
        for body in self._sales.orders:
            if body["entity_id"] == wanted:
                return body
        raise MagentoError(404, NO_ENTITY)

    def _shipments(self, store: Store | None, query: Query) -> Any:
        return _found(self._sales.shipments, parse_criteria(query), column)

    # ---- stores

    def _store_views(self, store: Store | None, query: Query) -> Any:
        return records.store_views(self._data)

    def _store_configs(self, store: Store | None, query: Query) -> Any:
        codes = {value for name, value in query if name.startswith("storeCodes")}
        return [records.store_config(s) for s in self._data.stores if not codes or s.code in codes]

    def _websites(self, store: Store | None, query: Query) -> Any:
        return records.websites(self._data)

    def _item(self, sku: str) -> Item:
        item = self._data.by_sku.get(sku.lower())
        if item is None:
            raise MagentoError(404, NO_PRODUCT)
        return item


KNOWN_COLUMNS = frozenset(
    {"customer_id", "coupon_code", "shipping_label", "ext_order_id", "total_refunded", "total_canceled"}
)
"""Columns that a row may lack because they are NULL in it."""


def column(row: Mapping[str, Any], name: str) -> Any:
    """A column of a flat table. Raises MagentoError 500 on an unknown one, as Magento fails in SQL."""
    if name not in row and name not in KNOWN_COLUMNS:
        raise MagentoError(500, "Internal Error. Details are available in Magento log file. Report ID: webapi-0")
    value = row.get(name)
    if isinstance(value, list | dict):
        raise MagentoError(500, "Internal Error. Details are available in Magento log file. Report ID: webapi-0")
    return value


def read_query(query_string: bytes) -> Query:
    """Name and value pairs in order; what is not UTF-8 is replaced."""
    return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, errors="replace")


def _found(rows: Any, criteria: SearchCriteria, field_of: FieldOf) -> dict[str, Any]:
    found = search(rows, criteria, field_of)
    return _result(list(found.rows), criteria, found.total)


def _result(items: list[Any], criteria: SearchCriteria, total: int) -> dict[str, Any]:
    return {"items": items, "search_criteria": criteria.echo(), "total_count": total}


def _integer(text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text):
        raise wrong_type(text, "int")
    return int(text)
