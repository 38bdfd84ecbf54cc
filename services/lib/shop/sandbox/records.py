"""Stores, customers and CMS texts as Magento's REST API writes them."""

from collections.abc import Mapping
from typing import Any

from services.lib.shop.sandbox.catalog import stamp
from services.lib.shop.sandbox.data import CmsText, SandboxData, Shopper, Store


def store_views(data: SandboxData) -> list[dict[str, Any]]:
    admin = {"id": 0, "code": "admin", "name": "Admin", "website_id": 0, "store_group_id": 0, "is_active": 1}
    return [admin] + [
        {
            "id": store.id,
            "code": store.code,
            "name": store.name,
            "website_id": store.website_id,
            "store_group_id": store.group_id,
            "is_active": 1,
            "extension_attributes": {},
        }
        for store in data.stores
    ]


def websites(data: SandboxData) -> list[dict[str, Any]]:
    admin = {"id": 0, "code": "admin", "name": "Admin", "default_group_id": 0}
    return [admin] + [
        {"id": w["id"], "code": w["code"], "name": w["name"], "default_group_id": w["group_id"]}
        for w in data.shop["websites"]
    ]


def store_config(store: Store) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": store.id,
        "code": store.code,
        "website_id": store.website_id,
        "locale": store.locale,
        "base_currency_code": store.base_currency,
        "default_display_currency_code": store.currency,
        "timezone": store.timezone,
        "weight_unit": store.weight_unit,
    }
    for prefix in ("", "secure_"):
        body |= {
            f"{prefix}base_url": store.url,
            f"{prefix}base_link_url": store.url,
            f"{prefix}base_static_url": f"{store.url}static/",
            f"{prefix}base_media_url": f"{store.url}media/",
        }
    return body


def customer(data: SandboxData, shopper: Shopper) -> dict[str, Any]:
    """With the one address, which is the default for both purposes. What is not known is absent."""
    address = shopper.address
    body: dict[str, Any] = {
        "id": shopper.id,
        "customer_id": shopper.id,
        "country_id": address.country,
        "street": [address.street],
        "telephone": address.telephone,
        "postcode": address.postcode,
        "city": address.city,
        "firstname": address.first_name,
        "lastname": address.last_name,
        "default_shipping": True,
        "default_billing": True,
    }
    if address.region:
        ident, name = data.shop["regions"][address.region]
        body |= {
            "region": {"region_code": address.region, "region": name, "region_id": ident},
            "region_id": ident,
        }
    return {
        "id": shopper.id,
        "group_id": shopper.group_id,
        "default_billing": str(shopper.id),
        "default_shipping": str(shopper.id),
        "created_at": stamp(shopper.created),
        "updated_at": stamp(shopper.created),
        "created_in": next(store.name for store in data.stores if store.id == shopper.store_id),
        "email": shopper.email,
        "firstname": shopper.first_name,
        "lastname": shopper.last_name,
        "gender": 0,
        "store_id": shopper.store_id,
        "website_id": shopper.website_id,
        "addresses": [body],
        "disable_auto_group_change": 0,
        "extension_attributes": {"is_subscribed": shopper.id % 3 == 0},
    }


def page(text: CmsText) -> dict[str, Any]:
    """A page does not say in which store views it shows: ask with a filter on `store_id`."""
    return {
        **block(text),
        "page_layout": "1column",
        "meta_title": text.title,
        "meta_keywords": "",
        "meta_description": "",
        "content_heading": text.title,
        "sort_order": "0",
    }


def block(text: CmsText) -> dict[str, Any]:
    return {
        "id": text.id,
        "identifier": text.identifier,
        "title": text.title,
        "content": text.content,
        "creation_time": stamp(text.created),
        "update_time": stamp(text.updated),
        "active": True,
    }


def customer_field(row: Mapping[str, Any], name: str) -> Any:
    """A customer's value for a filter; Magento calls the id `entity_id` here."""
    return row.get("id" if name == "entity_id" else name)
