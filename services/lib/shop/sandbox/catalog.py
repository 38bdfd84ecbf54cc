"""`Catalogue`: products, attributes, categories and stock as Magento's REST API writes them.

Kept as Magento has it: a list of products carries no stock, a configurable's own price is 0, options
are ids, `category_ids` is the one custom attribute that is an array, and `special_price` is text.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.lib.shop.sandbox.data import Attribute, SandboxData, Store
from services.lib.shop.sandbox.errors import MagentoError
from services.lib.shop.sandbox.items import Item
from services.lib.shop.sandbox.pricing import number

ATTRIBUTE_SET_ID = 4
MANAGED = {"qty_increments": 1, "max_sale_qty": 10000, "min_sale_qty": 1, "notify_stock_qty": 1, "min_qty": 0}


class Catalogue:
    """Reads `data`; `store` is None under `/rest/all`, where the admin's values show."""

    def __init__(self, data: SandboxData) -> None:
        self._data = data

    def product(self, item: Item, store: Store | None, *, single: bool) -> dict[str, Any]:
        """`single` is the answer to GET products/{sku}, which alone carries the stock item."""
        website = store.website if store else "base"
        store_id = store.id if store else 0
        extension: dict[str, Any] = {
            "website_ids": [w["id"] for w in self._data.shop["websites"] if w["code"] in item.websites],
            "category_links": [{"position": 0, "category_id": str(ident)} for ident in self._category_ids(item)],
        }
        if single:
            extension["stock_item"] = self.stock_item(item)
        if item.children:
            extension["configurable_product_options"] = self._options(item, store_id)
            extension["configurable_product_links"] = [child.id for child in item.children]
        body: dict[str, Any] = {
            "id": item.id,
            "sku": item.sku,
            "name": item.german.get("name", item.name) if store_id == 2 else item.name,
            "attribute_set_id": ATTRIBUTE_SET_ID,
            "price": 0 if item.children else number(item.price[website]),
            "status": 1 if item.enabled else 2,
            "visibility": 1 if item.parent else 4,
            "type_id": item.type_id,
            "created_at": stamp(item.created),
            "updated_at": stamp(item.updated),
            "extension_attributes": extension,
            "product_links": [],
            "options": [],
            "media_gallery_entries": [
                {
                    "id": item.id,
                    "media_type": "image",
                    "label": item.name,
                    "position": 1,
                    "disabled": False,
                    "types": ["image", "small_image", "thumbnail"],
                    "file": _image(item),
                }
            ],
            "tier_prices": [],
            "custom_attributes": [
                {"attribute_code": code, "value": value}
                for code, value in self._values(item, website, store_id).items()
            ],
        }
        if item.weight is not None:
            body["weight"] = number(item.weight)
        return body

    def field(self, item: Item, name: str, store: Store | None) -> Any:
        """A product's value for a filter or a sort order. Raises MagentoError 400 on an unknown name."""
        website = store.website if store else "base"
        match name:
            case "entity_id" | "id":
                return item.id
            case "category_id":
                return tuple(self._category_ids(item))
            case "price":
                return Decimal(0) if item.children else item.price[website]
            case "store_id" | "website_id":
                return tuple(w["id"] for w in self._data.shop["websites"] if w["code"] in item.websites)
            case "sku" | "type_id" | "weight":
                return getattr(item, name)
            case "name":
                return item.german.get("name", item.name) if store and store.id == 2 else item.name
            case "status":
                return 1 if item.enabled else 2
            case "visibility":
                return 1 if item.parent else 4
            case "attribute_set_id":
                return ATTRIBUTE_SET_ID
            case "created_at" | "updated_at":
                return stamp(item.created if name == "created_at" else item.updated)
        if name not in self._data.by_code and name not in SYSTEM_CODES:
            raise MagentoError(400, "Invalid attribute name: %1", [name])
        value = self._values(item, website, store.id if store else 0).get(name)
        return ",".join(value) if isinstance(value, list) else value

    def attribute(self, attribute: Attribute, store: Store | None) -> dict[str, Any]:
        return {
            "is_wysiwyg_enabled": False,
            "is_html_allowed_on_front": True,
            "used_for_sort_by": False,
            "is_filterable": attribute.input != "text",
            "is_filterable_in_search": attribute.input != "text",
            "is_used_in_grid": True,
            "is_visible_in_grid": True,
            "is_filterable_in_grid": True,
            "position": 0,
            "apply_to": [],
            "is_searchable": "1",
            "is_visible_in_advanced_search": "1",
            "is_comparable": "1",
            "is_used_for_promo_rules": "0",
            "is_visible_on_front": "1",
            "used_in_product_listing": "1",
            "is_visible": True,
            "scope": "global",
            "attribute_id": attribute.id,
            "attribute_code": attribute.code,
            "frontend_input": attribute.input,
            "entity_type_id": "4",
            "is_required": False,
            "options": self.options(attribute, store),
            "is_user_defined": True,
            "default_frontend_label": attribute.labels[0],
            "frontend_labels": [{"store_id": 2, "label": attribute.labels[2]}],
            "backend_type": "int" if attribute.input in ("select", "boolean") else "varchar",
            "is_unique": "0",
            "validation_rules": [],
        }

    def options(self, attribute: Attribute, store: Store | None) -> list[dict[str, Any]]:
        """Labels in the words of the store view, after Magento's empty first option."""
        if attribute.input == "text":
            return []
        first = [] if attribute.input == "boolean" else [{"label": " ", "value": ""}]
        store_id = store.id if store else 0
        return first + [
            {"label": self._data.label(label, store_id), "value": str(ident)} for ident, label in attribute.options
        ]

    def stock_item(self, item: Item) -> dict[str, Any]:
        """CatalogInventory's row, which knows only the default stock."""
        return {
            "item_id": item.id,
            "product_id": item.id,
            "stock_id": 1,
            "qty": number(item.quantity.get(1, Decimal(0))),
            "is_in_stock": item.in_stock(1),
            "is_qty_decimal": False,
            "show_default_notification_message": False,
            "use_config_min_qty": True,
            "use_config_min_sale_qty": 1,
            "use_config_max_sale_qty": True,
            "use_config_backorders": not item.backorders,
            "backorders": 2 if item.backorders else 0,
            "use_config_notify_stock_qty": True,
            "use_config_qty_increments": True,
            "use_config_enable_qty_inc": True,
            "enable_qty_increments": False,
            "use_config_manage_stock": True,
            "manage_stock": True,
            "low_stock_date": None,
            "is_decimal_divided": False,
            "stock_status_changed_auto": 0,
            **MANAGED,
        }

    def tree(self, root: int, depth: int | None, store: Store | None) -> dict[str, Any] | None:
        """The categories below `root`, `depth` levels deep; None where there is no such category."""
        named = {
            c["id"]: (c["de"] if store and store.id == 2 else c["name"], c["parent"])
            for c in self._data.shop["categories"]
        }
        named |= {1: ("Root Catalog", 0), 2: ("Default Category", 1)}
        if root not in named:
            return None

        def node(ident: int, level: int, position: int, left: int | None) -> dict[str, Any]:
            below = [child for child, (_, parent) in named.items() if parent == ident]
            return {
                "id": ident,
                "parent_id": named[ident][1],
                "name": named[ident][0],
                "is_active": True,
                "position": position,
                "level": level,
                "product_count": sum(ident in self._category_ids(item) for item in self._data.items),
                "children_data": []
                if left == 0
                else [
                    node(child, level + 1, at, None if left is None else left - 1)
                    for at, child in enumerate(sorted(below), start=1)
                ],
            }

        level, above = 0, named[root][1]
        while above:
            level, above = level + 1, named[above][1]
        return node(root, level, 1, depth)

    def _category_ids(self, item: Item) -> list[int]:
        return [self._data.category_ids[key] for key in item.categories]

    def _options(self, item: Item, store_id: int) -> list[dict[str, Any]]:
        options = []
        for position, code in enumerate(item.option_codes):
            attribute = self._data.by_code[code]
            used = {child.attributes[code] for child in item.children}
            options.append(
                {
                    "id": item.id * 10 + position,
                    "attribute_id": str(attribute.id),
                    "label": attribute.labels[store_id],
                    "position": position,
                    "values": [{"value_index": i} for i, label in attribute.options if label in used],
                    "product_id": item.id,
                }
            )
        return options

    def _values(self, item: Item, website: str, store_id: int) -> dict[str, str | list[str]]:
        """Custom attributes by code, in Magento's forms."""
        german = item.german if store_id == 2 else {}
        values: dict[str, str | list[str]] = {
            "image": _image(item),
            "small_image": _image(item),
            "thumbnail": _image(item),
            "url_key": item.url_key,
            "options_container": "container2",
            "tax_class_id": "2",
            "required_options": "1" if item.children else "0",
            "has_options": "1" if item.children else "0",
            "category_ids": [str(ident) for ident in self._category_ids(item)],
            "short_description": german.get("short", item.short),
            "description": german.get("text", item.text),
        }
        if item.special is not None:
            values["special_price"] = f"{item.special.price[website]:.6f}"
            if item.special.since is not None:
                values["special_from_date"] = stamp(item.special.since)
            if item.special.until is not None:
                values["special_to_date"] = stamp(item.special.until)
        for code, value in item.attributes.items():
            if isinstance(value, bool):
                values[code] = "1" if value else "0"
            elif isinstance(value, tuple):
                values[code] = ",".join(str(self._data.option_ids[code, label]) for label in value)
            elif self._data.by_code[code].input == "select":
                values[code] = str(self._data.option_ids[code, value])
            else:
                values[code] = value
        return values


SYSTEM_CODES = frozenset(
    {
        "image", "small_image", "thumbnail", "url_key", "options_container", "tax_class_id", "required_options",
        "has_options", "category_ids", "short_description", "description", "special_price", "special_from_date",
        "special_to_date",
    }
)  # fmt: skip


def stamp(moment: datetime) -> str:
    """Magento's form of a UTC time."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _image(item: Item) -> str:
    letters: Mapping[bool, str] = {True: item.sku.lower()[:1], False: "x"}
    return f"/{letters[item.sku[:1].isalnum()]}/{item.sku.lower()[1:2]}/{item.sku.lower()}.jpg"
