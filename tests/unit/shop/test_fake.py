"""The fake answers as the real one does over the sandbox shop, once it holds the same."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.lib.shop.fake import FakeShop
from services.lib.shop.magento import Magento
from services.lib.shop.port import Shop, ShopUnavailable
from services.lib.shop.sandbox.app import create_app
from services.lib.shop.sandbox.data import load

TOKEN = "integration-token-of-the-tests"


@pytest.fixture
async def both(time, http_to, shop_settings) -> tuple[Shop, FakeShop]:
    data = load(datetime(2026, 3, 1, 12, tzinfo=UTC))
    app = create_app(data, token=TOKEN, signing_key="k" * 32, clock=time.now)
    real = Magento(shop_settings(), http_to(app), clock=time.clock)
    products = tuple([one async for one in real.products("default")])
    live = await real.live([one.sku for one in products], "default")
    ids = [one.id for one in data.customers[:10]]
    fake = FakeShop(
        catalogue=products,
        facts={("default", sku): one for sku, one in live.items()},
        customers=tuple([one for ident in ids if (one := await real.customer(ident))]),
        orders=tuple([order for ident in ids for order in await real.last_orders(ident, 20)]),
        cms=await real.pages("default"),
    )
    return real, fake


async def test_it_answers_like_the_real_one(both) -> None:
    real, fake = both
    assert fake.orders
    some = [product.sku for product in fake.catalogue[:30]]
    mine = fake.orders[0]
    stranger = next(one.id for one in fake.customers if one.id != mine.customer_id)

    async def answers(shop: Shop) -> list[Any]:
        return [
            await shop.live(some, "default"),
            await shop.prices([*some, "NO-SUCH-SKU"], "default"),
            await shop.stock(some, "default"),
            await shop.live(some, "default") == {},
            await shop.order_by_number(mine.number, mine.customer_id or 0),
            await shop.order_by_number(f" #{mine.number}", mine.customer_id or 0),
            await shop.order_by_number(mine.number, stranger),
            await shop.last_orders(mine.customer_id or 0, 2),
            await shop.last_orders(mine.customer_id or 0, 0),
            await shop.customer(mine.customer_id or 0),
            await shop.customer(999_999),
            [product async for product in shop.products("default")],
            await shop.product(some[0], "default"),
            await shop.product("NO-SUCH-SKU", "default"),
            await shop.pages("default"),
        ]

    for first, second in zip(await answers(real), await answers(fake), strict=True):
        assert first == second


async def test_it_counts_and_can_be_away() -> None:
    fake = FakeShop()
    assert await fake.customer(1) is None
    assert await fake.prices(["A"], "default") == {}
    fake.unavailable = True
    with pytest.raises(ShopUnavailable):
        await fake.last_orders(1)
    with pytest.raises(ShopUnavailable):
        await anext(fake.products("default"))
    assert fake.reads == {"customer": 1, "live": 1, "last_orders": 1, "products": 1}
