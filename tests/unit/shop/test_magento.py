"""The Magento client against the sandbox shop, over ASGI: every method, and the shop's bad days."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.lib.shop.identity import verify_identity
from services.lib.shop.magento import Magento
from services.lib.shop.port import Shop, ShopRefused, ShopUnavailable
from services.lib.shop.sandbox.app import create_app
from services.lib.shop.sandbox.data import SandboxData, load
from services.lib.shop.sandbox.items import Item
from services.lib.shop.sandbox.pricing import price_of

TOKEN = "integration-token-of-the-tests"
KEY = "a key that is long enough for HS256 by far"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Faults:
    """An ASGI app in front of another: counts what passes, and answers itself while a fault is set."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.paths: list[str] = []
        self.fault: Callable[[str], tuple[int, bytes] | None] = lambda path: None
        self.hang = False

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        self.paths.append(scope["path"])
        if self.hang:
            await asyncio.Event().wait()
        answer = self.fault(scope["path"])
        if answer is None:
            await self.app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": answer[0], "headers": []})
        await send({"type": "http.response.body", "body": answer[1]})

    def count(self, piece: str) -> int:
        return sum(piece in path for path in self.paths)


@pytest.fixture(scope="module")
def data() -> SandboxData:
    return load(NOON)


@pytest.fixture
def sandbox(data, time) -> Faults:
    return Faults(create_app(data, token=TOKEN, signing_key=KEY, clock=time.now))


@pytest.fixture
def build(sandbox, http_to, shop_settings, time):
    def make(**changes: Any) -> Magento:
        return Magento(shop_settings(**changes), http_to(sandbox), clock=time.clock, jitter=lambda: 1.0)

    return make


@pytest.fixture
def magento(build) -> Shop:
    return build()


def sold(data: SandboxData, website: str = "base") -> dict[str, Item]:
    return {
        item.sku: item
        for item in data.items
        if item.enabled
        and website in item.websites
        and not item.parent
        and (not item.children or any(child.enabled for child in item.children))
    }


def children(item: Item) -> list[Item]:
    return [child for child in item.children if child.enabled]


# ---- catalogue


@pytest.mark.parametrize(("store", "website"), [("default", "base"), ("de", "eu")])
async def test_the_whole_catalogue(magento, data, store: str, website: str) -> None:
    products = [product async for product in magento.products(store)]
    expected = sold(data, website)
    assert len(expected) > 20
    assert {product.sku for product in products} == set(expected)
    assert len(products) == len(expected)
    assert await magento.product_count(store) >= len(products)
    for product in products:
        item = expected[product.sku]
        assert {variant.sku for variant in product.variants} == {child.sku for child in children(item)}
        assert all(len(variant.options) == len(item.option_codes) for variant in product.variants)
        assert product.url.endswith(f"/{item.url_key}.html")
        assert product.categories
        assert not {"<p>", "<li>", "&amp;"} & set(f"{product.description} {product.short_description}".split())
        assert "Price" not in product.attributes
        assert product.store == store


async def test_small_pages_give_the_same_catalogue(magento) -> None:
    whole = [product async for product in magento.products("default")]
    assert [product async for product in magento.products("default", page_size=40)] == whole


async def test_attributes_are_read_once_in_a_run(magento, sandbox) -> None:
    async for _ in magento.products("default", page_size=80):
        pass
    attributes = [path for path in sandbox.paths if "products/attributes/" in path]
    assert attributes
    assert len(attributes) == len(set(attributes))


async def test_labels_are_in_the_stores_language(magento, data) -> None:
    item = next(item for item in sold(data, "eu").values() if "color" in item.option_codes)
    english, german = await magento.product(item.sku, "default"), await magento.product(item.sku, "de")
    assert english is not None
    assert german is not None
    labels = {child.attributes["color"] for child in children(item)}
    assert {variant.options["Color"] for variant in english.variants} == labels
    assert {variant.options["Farbe"] for variant in german.variants} == {data.label(str(one), 2) for one in labels}


async def test_one_product(magento, data) -> None:
    item = next(item for item in sold(data).values() if item.children)
    product = await magento.product(item.sku, "default")
    assert product is not None
    assert (product.sku, product.type_id, product.name) == (item.sku, "configurable", item.name)
    for sku in ("NO-SUCH-SKU", item.children[0].sku, "a,b", "a/b", "x' OR '1'='1", "👟"):
        assert await magento.product(sku, "default") is None


async def test_single_products_share_what_they_refer_to(magento, sandbox, data) -> None:
    skus = [sku for sku, item in sold(data).items() if not item.children][:5]
    for sku in skus:
        assert await magento.product(sku, "default")
    attributes = [path for path in sandbox.paths if "products/attributes/" in path]
    assert len(attributes) == len(set(attributes))
    assert sandbox.count("V1/categories") == 1


async def test_what_is_not_sold_is_no_product(magento, data) -> None:
    for item in data.items:
        if not item.parent and not item.enabled:
            assert await magento.product(item.sku, "default") is None
        if not item.parent and item.enabled and "eu" not in item.websites:
            assert await magento.product(item.sku, "de") is None


async def test_a_record_without_sense_stops_no_run(magento, sandbox, data, caplog) -> None:
    name = next(item for item in sold(data).values() if not item.children)
    sandbox.app = Rewritten(sandbox.app, f'"name":"{name.name}"'.encode(), b'"name":null')
    found = {product.sku async for product in magento.products("default")}
    assert found == set(sold(data)) - {name.sku}
    assert "left out" in caplog.text


async def test_pages(magento, data) -> None:
    english, german = await magento.pages("default"), await magento.pages("de")
    assert len(english) >= 10
    assert {page.identifier for page in english} == {
        text.identifier for text in data.pages if text.store_id in (0, 1)
    }
    assert all(page.text and "<" not in page.text and "{{" not in page.text for page in english)
    own = {text.identifier: text for text in data.pages if text.store_id == 2}
    assert {page.identifier for page in german} == {text.identifier for text in data.pages if text.store_id in (0, 2)}
    assert {page.title for page in german if page.identifier in own} == {text.title for text in own.values()}


async def test_a_store_views_own_page_takes_the_place_of_the_common_one(magento, sandbox) -> None:
    """Whether or not the filter on the store view takes in the common pages, and in whatever order."""
    common = b'{"id": 9, "identifier": "returns", "content": "Common", "active": true}'
    own = b'{"id": 3, "identifier": "returns", "content": "Own", "active": true}'
    for second in (b"[%b, %b]" % (own, common), b"[%b, %b]" % (common, own), b"[%b]" % own):
        answers = iter([b'{"items": [%b]}' % common, b'{"items": %b}' % second])
        sandbox.fault = lambda path, answers=answers: (200, next(answers)) if "cmsPage" in path else None
        assert [page.text for page in await magento.pages("default")] == ["Own"]


# ---- live facts


@pytest.mark.parametrize("store", ["default", "de"])
async def test_live_facts_are_the_storefronts(magento, data, time, store: str) -> None:
    view = data.store(store)
    items = sold(data, view.website)
    live = await magento.live(list(items), store)
    assert set(items) <= set(live)
    specials = 0
    for item in items.values():
        stock = live[item.sku].stock
        assert stock.in_stock is item.in_stock(view.stock_id)
        assert stock.read_at == time.now()
        for one in children(item) or [item]:
            price = live[one.sku].price
            asked = price_of(one, view.website, view.timezone, data.rate(view, view.currency), time.now())
            assert (price.final.amount, price.regular.amount) == (asked.final, asked.regular)
            assert price.final.currency == view.currency
            specials += price.final.amount < price.regular.amount
            assert live[one.sku].stock.in_stock is one.in_stock(view.stock_id)
        finals = [live[child.sku].price.final.amount for child in children(item)]
        if finals and live[item.sku].price is not None:
            assert live[item.sku].price.final.amount == min(finals)
            top = live[item.sku].price.maximum
            assert (top.amount if top else min(finals)) == max(finals)
    assert specials


async def test_quantities_are_shown_below_the_shops_threshold_alone(magento, data) -> None:
    stock = await magento.stock(list(sold(data)), "default")
    counts = [fact.quantity for fact in stock.values() if fact.quantity is not None]
    assert counts
    assert max(counts) <= data.shop["only_x_left_threshold"]


async def test_one_round_trip_for_a_page_of_products_with_variants(magento, sandbox, data) -> None:
    skus = list(sold(data))[:40]
    await asyncio.gather(magento.prices(skus, "default"), magento.stock(skus, "default"))
    await magento.live(skus, "default")
    assert sandbox.paths == ["/graphql"]


async def test_facts_are_read_again_when_they_are_old(magento, sandbox, data, time) -> None:
    sku = next(iter(sold(data)))
    first = (await magento.live([sku], "default"))[sku]
    time.passed += 59
    assert (await magento.live([sku], "default"))[sku] == first
    time.passed += 1
    assert (await magento.live([sku], "default"))[sku].stock.read_at == time.now()
    assert sandbox.count("graphql") == 2


async def test_stores_and_customers_share_no_facts(magento, sandbox, data) -> None:
    sku = next(iter(sold(data, "eu")))
    for store, token in (("default", None), ("de", None), ("default", "a"), ("default", "b"), ("default", "a")):
        try:
            await magento.live([sku], store, customer_token=token)
        except ShopRefused:
            assert token
    assert sandbox.count("graphql") >= 4


@pytest.mark.parametrize(("store", "stock_id"), [("default", 1), ("de", 2)])
async def test_a_child_by_itself_has_its_stock_by_rest(magento, data, store: str, stock_id: int) -> None:
    view = data.store(store)
    those = [child for item in sold(data, view.website).values() for child in children(item)]
    differing = [child for child in those if child.in_stock(1) != child.in_stock(2)][:3]
    chosen = [*differing, *[child for child in those if not child.in_stock(stock_id)][:3], *those[:3]]
    stock = await magento.stock([child.sku for child in chosen], store)
    assert {sku: fact.in_stock for sku, fact in stock.items()} == {c.sku: c.in_stock(stock_id) for c in chosen}
    assert all(fact.quantity is None for fact in stock.values())


async def test_without_multi_source_inventory_stock_is_the_stock_items(magento, sandbox, data) -> None:
    sandbox.fault = lambda path: (
        (404, b'{"message": "Request does not match any route."}') if "inventory" in path else None
    )
    those = [child for item in sold(data).values() for child in children(item)]
    chosen = [*those[:4], *[child for child in those if not child.in_stock(1)][:4]]
    stock = await magento.stock([child.sku for child in chosen], "default")
    assert {sku: fact.in_stock for sku, fact in stock.items()} == {c.sku: c.in_stock(1) for c in chosen}
    assert sandbox.count("stockItems") == len({child.sku for child in chosen})


async def test_what_is_disabled_or_unknown_has_no_facts(magento, data) -> None:
    hidden = [item.sku for item in data.items if not item.enabled and not item.parent]
    assert hidden
    assert await magento.live([*hidden, "NO-SUCH-SKU", "", "a,b", "👟"], "default") == {}
    abroad = [sku for sku in sold(data) if sku not in sold(data, "eu")]
    assert await magento.live(abroad, "de") == {}
    assert await magento.live([], "default") == {}


async def test_a_shop_that_hides_what_is_sold_out(magento, sandbox, data) -> None:
    """GraphQL then knows nothing of it; REST says that it is not in stock, which is believed."""
    out = next(item for item in sold(data).values() if not item.children and not item.in_stock(1))
    there = next(item for item in sold(data).values() if not item.children and item.in_stock(1))
    sandbox.fault = lambda path: (
        (200, b'{"data": {"products": {"items": []}}}')
        if "graphql" in path and sandbox.count("graphql") < 2
        else None
    )
    live = await magento.live([out.sku, there.sku], "default")
    assert live[out.sku].price is None
    assert live[out.sku].stock.in_stock is False
    assert there.sku not in live


async def test_an_integration_that_may_not_read_stock_still_has_the_storefront(magento, sandbox, data) -> None:
    sandbox.fault = lambda path: (401, b'{"message": "no"}') if "inventory" in path or "stockItems" in path else None
    item = next(item for item in sold(data).values() if item.children)
    alone = next(child for other in sold(data).values() if other != item for child in children(other))
    live = await magento.live([item.sku, alone.sku], "default")
    assert live[item.sku].price is not None
    assert alone.sku not in live


async def test_skus_are_found_in_any_case(magento, data) -> None:
    sku = next(sku for sku in sold(data) if sku.lower() != sku)
    assert (await magento.live([sku.lower()], "default"))[sku.lower()].stock.sku == sku


# ---- orders and customers


async def test_every_order_is_its_customers_alone(magento, data, sandbox) -> None:
    customers = [customer.id for customer in data.customers]
    assert len(customers) >= 20
    seen = set()
    for customer in customers:
        for order in await magento.last_orders(customer, 20):
            assert order.customer_id == customer
            assert order.number not in seen
            seen.add(order.number)
    assert len(seen) >= 60
    some = sorted(seen)[:5]
    for number in some:
        owners = [one for one in customers if await magento.order_by_number(number, one) is not None]
        assert len(owners) == 1


async def test_somebody_elses_order_and_none_look_the_same(magento, data) -> None:
    numbers = {}
    for customer in data.customers[:10]:
        for order in await magento.last_orders(customer.id, 1):
            numbers[customer.id] = order.number
    mine, other = list(numbers)[:2]
    assert (await magento.order_by_number(numbers[mine], mine)).number == numbers[mine]
    assert (await magento.order_by_number(f" #{numbers[mine]} ", mine)).number == numbers[mine]
    assert await magento.order_by_number(numbers[other], mine) is None
    assert await magento.order_by_number("000999999", mine) is None


@pytest.mark.parametrize(
    "number", ["", "#", "%", "0' OR '1'='1", "1,2", "😀", "٣", "9" * 5000, "../../x", "000000001&x"]
)
async def test_what_is_no_order_number_is_never_asked(magento, sandbox, number: str) -> None:
    assert await magento.order_by_number(number, 1) is None
    assert not sandbox.paths


async def test_orders_in_all_states_make_sense(magento, data) -> None:
    orders = [order for one in data.customers for order in await magento.last_orders(one.id, 20)]
    assert {order.state for order in orders} >= {"new", "processing", "complete", "closed", "canceled", "holded"}
    for order in orders:
        assert order.total.amount > 0
        assert order.items
        assert all(item.name and item.quantity_ordered > 0 for item in order.items)
        assert sum(item.total.amount for item in order.items) <= order.total.amount * 2
        assert not any(item.sku in {i.sku for i in data.items if i.children} for item in order.items)
        if order.state == "complete":
            assert order.shipments or order.shipping_country is None
    assert any(track.url for order in orders for one in order.shipments for track in one.tracks)
    assert any(order.shipping_country == "DE" for order in orders)


async def test_last_orders_come_latest_first(magento, data) -> None:
    for customer in data.customers:
        orders = await magento.last_orders(customer.id, 20)
        times = [order.created_at for order in orders]
        assert times == sorted(times, reverse=True)
        assert await magento.last_orders(customer.id, 1) == orders[:1]
        assert await magento.last_orders(customer.id, 0) == await magento.last_orders(customer.id, -3) == ()


async def test_orders_are_remembered_for_seconds(magento, sandbox, data, time) -> None:
    customers = [one.id for one in data.customers if await magento.last_orders(one.id, 2)]
    customer = customers[0]
    asked = len(sandbox.paths)
    await magento.last_orders(customer, 2)
    assert len(sandbox.paths) == asked
    time.passed += 6
    await magento.last_orders(customer, 2)
    assert len(sandbox.paths) > asked


async def test_an_answer_with_somebody_elses_order_is_not_passed_on(magento, sandbox, data) -> None:
    """A shop with a broken extension that ignores filters shows nobody anything that is not theirs."""
    sandbox.app = IgnoringFilters(sandbox.app)
    for customer in data.customers[:5]:
        assert all(order.customer_id == customer.id for order in await magento.last_orders(customer.id, 5))
    assert await magento.order_by_number("000000001", -5) is None
    owners = [one.id for one in data.customers if await magento.last_orders(one.id, 2)]
    assert await magento.order_by_number("000999998", owners[0]) is None


async def test_a_customer(magento, data) -> None:
    someone = data.customers[0]
    found = await magento.customer(someone.id)
    assert (found.id, found.email, found.first_name) == (someone.id, someone.email, someone.first_name)
    assert (found.group_id, found.website_id) == (someone.group_id, someone.website_id)
    assert await magento.customer(999_999) is None


async def test_links_for_agents(magento, data) -> None:
    orders = [order for one in data.customers[:10] for order in await magento.last_orders(one.id, 1)]
    order = orders[0]
    assert magento.order_admin_url(order) == f"https://shop.test/admin/sales/order/view/order_id/{order.entity_id}/"


async def test_the_shop_vouches_for_its_customer(sandbox, http_to, data, time) -> None:
    answer = await http_to(sandbox).post(
        "https://shop.test/sandbox/identity",
        json={"customer_id": data.customers[0].id},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    proven = verify_identity(answer.json()["token"], KEY, time.now(), issuer="sandbox-shop")
    assert proven is not None
    assert (proven.customer_id, proven.website) == (data.customers[0].id, data.customers[0].website_id)


# ---- bad days


def reads(shop: Shop, sku: str) -> list[Callable[[], Awaitable[Any]]]:
    return [
        lambda: shop.live([sku], "default"),
        lambda: shop.prices([sku], "default"),
        lambda: shop.stock([sku], "default"),
        lambda: shop.order_by_number("000000001", 1),
        lambda: shop.last_orders(1, 3),
        lambda: shop.customer(1),
        lambda: anext(shop.products("default")),
        lambda: shop.product_count("default"),
        lambda: shop.product(sku, "default"),
        lambda: shop.pages("default"),
    ]


FAULTS = {
    "500": (500, b'{"message": "Internal Error. Report ID: webapi-0"}'),
    "503": (503, b"<html>Maintenance</html>"),
    "malformed": (200, b'{"items": ['),
    "html": (200, b"<html>Sorry</html>"),
    "list": (200, b'["unexpected"]'),
    "text": (200, b'"unexpected"'),
    "number": (200, b"5"),
    "wrong items": (200, b'{"items": "none", "data": {"products": 5}, "id": "x", "total_count": "y"}'),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_read_says_that_the_shop_is_unavailable(build, sandbox, data, fault: str) -> None:
    sandbox.fault = lambda path: FAULTS[fault]
    shop = build(breaker_failures=100)
    for read in reads(shop, data.items[0].sku):
        with pytest.raises(ShopUnavailable):
            await read()


async def test_every_read_says_that_the_shop_refuses(build, sandbox, data) -> None:
    shop = build(token="another")
    for read in reads(shop, data.items[0].sku)[3:]:
        with pytest.raises(ShopRefused, match="status 401"):
            await read()


async def test_every_read_ends_in_its_time(build, sandbox, data) -> None:
    sandbox.hang = True
    shop = build(attempt_s=0.01, limit_s=0.05, breaker_failures=100)
    for read in reads(shop, data.items[0].sku):
        with pytest.raises(ShopUnavailable):
            await read()


async def test_a_caller_sets_its_own_limit(magento, sandbox, data) -> None:
    sandbox.hang = True
    sku = data.items[0].sku
    for read in (
        magento.live([sku], "default", within=0.01),
        magento.order_by_number("000000001", 1, within=0.01),
        magento.last_orders(1, within=0.01),
        magento.customer(1, within=0.01),
        magento.product(sku, "default", within=0.01),
        magento.product_count("default", within=0.01),
        magento.pages("default", within=0.01),
    ):
        with pytest.raises(ShopUnavailable, match=r"within 0\.01 s"):
            await read


async def test_a_shop_that_stumbles_once_is_not_noticed(magento, sandbox, data) -> None:
    sandbox.fault = lambda path: (502, b"") if len(sandbox.paths) == 1 else None
    sku = next(iter(sold(data)))
    assert sku in await magento.live([sku], "default")
    assert sandbox.count("graphql") == 2


async def test_a_dead_shop_is_not_asked_over_and_over(magento, sandbox, data, time) -> None:
    sandbox.fault = lambda path: (500, b"")
    for number in range(10):
        with pytest.raises(ShopUnavailable):
            await magento.order_by_number(f"{number:09}", 1)
    assert len(sandbox.paths) == 5
    sandbox.fault = lambda path: None
    time.passed += 15
    await magento.customer(data.customers[0].id)


async def test_a_failure_is_not_remembered(magento, sandbox, data, time) -> None:
    sku = next(iter(sold(data)))
    sandbox.fault = lambda path: (500, b"")
    with pytest.raises(ShopUnavailable):
        await magento.live([sku], "default")
    sandbox.fault = lambda path: None
    assert sku in await magento.live([sku], "default")


async def test_a_store_that_is_not_served(magento, sandbox) -> None:
    with pytest.raises(ValueError, match="store view"):
        await magento.live(["X"], "fr")
    with pytest.raises(ValueError, match="store view"):
        await magento.pages("fr")
    assert not sandbox.paths


async def test_a_store_that_the_shop_does_not_know(build, sandbox) -> None:
    shop = build(stores=[{"code": "fr", "currency": "EUR"}])
    with pytest.raises(ShopRefused):
        await shop.live(["X"], "fr")
    with pytest.raises((ShopRefused, ShopUnavailable)):
        await anext(shop.products("fr"))


class Rewritten:
    """An ASGI app that replaces bytes in another's answers."""

    def __init__(self, app: Any, old: bytes, new: bytes) -> None:
        self.app, self.old, self.new = app, old, new

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        async def rewrite(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = message | {"headers": [h for h in message["headers"] if h[0] != b"content-length"]}
            elif "body" in message:
                message = message | {"body": message["body"].replace(self.old, self.new)}
            await send(message)

        await self.app(scope, receive, rewrite)


class IgnoringFilters:
    """An ASGI app that drops the query of searches for orders, so that everybody's come back."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith("V1/orders"):
            scope = dict(scope) | {"query_string": b"searchCriteria[pageSize]=500"}
        await self.app(scope, receive, send)
