"""Catalogue entities of Magento's REST API read into `Product`, `Variant` and `Page`. Pure.

Custom attributes come as option ids; an `Attribute` knows their labels in one store view. Attributes
that a shopper cannot see in the shop (a supplier's margin, say) never become part of a product.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from services.lib.shop.html_text import html_to_text
from services.lib.shop.models import Page, Product, Variant
from services.lib.shop.storefront import StoreConfig
from services.lib.shop.wire import (
    Malformed,
    Record,
    flag,
    integer,
    part,
    quantity,
    record,
    records,
    required,
    text,
    when,
)

ENABLED = 1
VISIBLE = ("2", "3", "4")
"""Visibility in catalogue, in search, in both; 1 is "not visible individually"."""

_SHOWN_BY = (
    "is_visible_on_front",
    "is_filterable",
    "is_searchable",
    "is_comparable",
    "used_in_product_listing",
)
"""What puts a user-defined attribute before a shopper's eyes: page, filters, search, comparison, listing."""

_OWN_FIELDS = frozenset(
    """
    name sku price special_price special_from_date special_to_date cost weight url_key url_path description
    short_description meta_title meta_keyword meta_description image small_image thumbnail swatch_image
    media_gallery gallery image_label small_image_label thumbnail_label tax_class_id category_ids
    options_container required_options has_options msrp msrp_display_actual_price_type
    gift_message_available page_layout custom_design custom_design_from custom_design_to custom_layout
    custom_layout_update custom_layout_update_file quantity_and_stock_status news_from_date news_to_date
    status visibility price_view price_type sku_type weight_type shipment_type
    links_purchased_separately links_title samples_title links_exist tier_price created_at updated_at
    minimal_price is_returnable
    """.split()  # noqa: SIM905  (a list of words reads better so)
)
"""Attribute codes of Magento itself: fields of their own here, or none of a shopper's business."""

_SYSTEM_PAGES = frozenset({"no-route", "enable-cookies"})
"""Magento's own error pages, which say nothing about the shop."""

_TYPES = frozenset(get_args(Product.model_fields["type_id"].annotation))


@dataclass(frozen=True)
class Attribute:
    """One EAV attribute as a store view shows it."""

    id: int
    code: str
    label: str
    input: str
    shown: bool
    options: Mapping[str, str]

    def value(self, raw: Any) -> str:
        """What a shopper reads for a stored value; empty where that is nothing."""
        values = [text(one) for one in raw] if isinstance(raw, list) else [text(raw)]
        if self.input == "multiselect":
            values = [one for value in values for one in value.split(",")]
        if self.input in ("select", "multiselect", "boolean"):
            known = {"1": "Yes", "0": "No"} | dict(self.options) if self.input == "boolean" else self.options
            return ", ".join(label for value in values if (label := known.get(value.strip(), "")))
        joined = ", ".join(value for value in values if value)
        if self.input in ("date", "datetime"):
            return joined.removesuffix(" 00:00:00")
        return html_to_text(joined).replace("\n", "; ")


def parse_attribute(raw: Record, store_id: int) -> Attribute:
    labels = {integer(one.get("store_id")): text(one.get("label")) for one in records(raw.get("frontend_labels"))}
    kind = text(raw.get("frontend_input"))
    code = required(text(raw.get("attribute_code")), "attribute_code")
    return Attribute(
        id=required(integer(raw.get("attribute_id")), "attribute_id"),
        code=code,
        label=labels.get(store_id) or text(raw.get("default_frontend_label")) or code.replace("_", " ").capitalize(),
        input=kind,
        shown=kind not in ("price", "media_image", "gallery", "weee")
        and any(flag(raw.get(name)) or text(raw.get(name) or None) == "2" for name in _SHOWN_BY),
        options=parse_options(raw.get("options")),
    )


def parse_options(raw: Any) -> dict[str, str]:
    """Option id to label; the empty first option of a drop-down is none."""
    options = ((text(one.get("value")), text(one.get("label"))) for one in records(raw))
    return {value: label for value, label in options if value and label}


def custom_values(raw: Record) -> dict[str, Any]:
    """Custom attributes by code, those of Magento's own left out and null ones too."""
    return {
        code: one["value"]
        for one in records(raw.get("custom_attributes"))
        if (code := text(one.get("attribute_code"))) not in _OWN_FIELDS
        and one.get("value") is not None
        and not isinstance(one["value"], Mapping)
    }


def own_value(raw: Record, code: str) -> str:
    """A custom attribute that is a field of its own here, e.g. `url_key`."""
    for one in records(raw.get("custom_attributes")):
        if one.get("attribute_code") == code:
            return text(one.get("value"))
    return text(raw.get(code))


def child_ids(raw: Record) -> tuple[int, ...]:
    """Entity ids of a configurable's children."""
    links = part(raw, "extension_attributes").get("configurable_product_links") or []
    return tuple(child for link in links if (child := integer(link)))


def sold_in(raw: Record, website_id: int) -> bool:
    """Whether the product is enabled and assigned to the website."""
    websites = part(raw, "extension_attributes").get("website_ids")
    if integer(raw.get("status")) != ENABLED:
        return False
    return websites is None or website_id in {integer(one) for one in websites}


def visible(raw: Record) -> bool:
    return str(integer(raw.get("visibility"))) in VISIBLE


def parse_product(
    raw: Record,
    children: Sequence[Record],
    attributes: Mapping[str, Attribute],
    categories: Mapping[int, str],
    config: StoreConfig,
    store: str,
) -> Product:
    """One product with its variants. Raises `Malformed`."""
    key = own_value(raw, "url_key")
    kind = text(raw.get("type_id"))
    axes = _axes(raw, attributes)
    values = {
        attribute.label: value
        for code, stored in custom_values(raw).items()
        if (attribute := attributes.get(code)) and attribute.shown and (value := attribute.value(stored))
    }
    weight = quantity(raw.get("weight"))
    if weight:
        values.setdefault("Weight", f"{weight:f} {config.weight_unit}".strip())
    try:
        return Product.model_validate(
            {
                "sku": required(text(raw.get("sku")), "sku"),
                "name": required(html_to_text(text(raw.get("name"))), "name"),
                "type_id": kind if kind in _TYPES else "other",
                "url": config.product(key)
                if key
                else f"{config.base}catalog/product/view/id/{integer(raw.get('id'))}",
                "store": store,
                "categories": _categories(raw, categories),
                "attributes": values,
                "short_description": html_to_text(own_value(raw, "short_description")),
                "description": html_to_text(own_value(raw, "description")),
                "variants": tuple(_variant(child, axes) for child in children),
                "updated_at": when(raw.get("updated_at")),
            }
        )
    except ValidationError as error:
        raise Malformed("not a product") from error


def category_names(tree: Record) -> dict[int, str]:
    """Category id to its path, e.g. `Women / Jackets`; the root (level 1) and inactive ones left out."""
    names: dict[int, str] = {}
    pending: list[tuple[Record, str]] = [(tree, "")]
    while pending:
        node, path = pending.pop()
        level, ident = integer(node.get("level")) or 0, integer(node.get("id"))
        if level >= 2 and not flag(node.get("is_active", True)):
            continue
        if level >= 2 and ident is not None:
            path = f"{path} / {text(node.get('name'))}" if path else text(node.get("name"))
            names[ident] = path
        pending += [(child, path) for child in records(node.get("children_data"))]
    return names


def parse_page(raw: Record, config: StoreConfig, store: str) -> Page | None:
    """A CMS page; None where it is not active, one of Magento's own, or has no text."""
    identifier = required(text(raw.get("identifier")), "identifier")
    body = html_to_text(text(raw.get("content")))
    if not flag(raw.get("active", True)) or identifier in _SYSTEM_PAGES or not body:
        return None
    heading = html_to_text(text(raw.get("content_heading")))
    if heading and not body.casefold().startswith(heading.casefold()):
        body = f"{heading}\n{body}"
    return Page(
        identifier=identifier,
        title=html_to_text(text(raw.get("title"))) or heading or identifier,
        url=config.page(identifier),
        store=store,
        text=body,
        updated_at=when(raw.get("update_time")),
    )


def _axes(raw: Record, attributes: Mapping[str, Attribute]) -> tuple[Attribute, ...]:
    """The attributes in which a configurable's children differ, in the shop's order."""
    by_id = {attribute.id: attribute for attribute in attributes.values()}
    options = records(part(raw, "extension_attributes").get("configurable_product_options"))
    ordered = sorted(options, key=lambda option: integer(option.get("position")) or 0)
    found = (by_id.get(integer(option.get("attribute_id")) or 0) for option in ordered)
    return tuple(attribute for attribute in found if attribute is not None)


def _variant(raw: Record, axes: Sequence[Attribute]) -> Variant:
    values = custom_values(raw)
    return Variant(
        sku=required(text(raw.get("sku")), "sku"),
        name=html_to_text(text(raw.get("name"))),
        options={axis.label: label for axis in axes if (label := axis.value(values.get(axis.code)))},
    )


def _categories(raw: Record, names: Mapping[int, str]) -> tuple[str, ...]:
    links = records(part(raw, "extension_attributes").get("category_links"))
    found = (names.get(integer(record(link).get("category_id")) or 0) for link in links)
    return tuple(dict.fromkeys(name for name in found if name))
