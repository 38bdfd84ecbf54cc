"""Single changes: what the shop says now is what the index holds then."""

import asyncio
from dataclasses import dataclass, field

import pytest

from schemas.catalog import PageChanged, PriceChanged, ProductChanged, StockChanged
from schemas.event import Event
from schemas.topics import CATALOG_CHANGES
from services.catalog_indexer.app import create
from services.catalog_indexer.changes import Changes
from services.catalog_indexer.handlers import HANDLED, apply_with
from services.catalog_indexer.indexing import index_store
from services.catalog_indexer.settings import IndexSettings, Settings
from services.lib.index.port import IndexUnavailable
from services.lib.kit.errors import Transient, Unavailable
from services.lib.kit.settings import WrongSettings, load
from services.lib.shop.fake import FakeShop
from services.lib.shop.port import ShopRefused
from tests.unit.catalog_indexer.conftest import JACKET, MUG, NOW, RETURNS, SHIPPING, Faulty, clock, page, product

KEY = "A" * 43 + "="


@pytest.fixture
async def changes(shop, index):
    """Over a shop whose stores are indexed."""
    for store in ("default", "de"):
        await index_store(shop, index, store, clock)
    shop.reads.clear()
    return Changes(shop, index, ["default", "de"], clock)


def changed(type_, **fields):
    return type_(changed_at=NOW, **fields)


def sku(name, **more):
    return changed(ProductChanged, sku=name, **more)


async def test_a_changed_product_is_read_again(shop, index, changes):
    shop.catalogue = (JACKET, MUG.model_copy(update={"name": "Tin mug"}), *shop.catalogue[2:])
    assert await changes.apply(sku("M1")) == 1
    assert (await index.get("M1", "default")).name == "Tin mug"
    assert (await index.get("M1", "de")).name == "Emaille-Becher"
    assert await changes.apply(sku("M1")) == 0


async def test_a_new_product_is_added(shop, index, changes):
    shop.catalogue = (*shop.catalogue, product("L1", "Lamp"))
    assert await changes.apply(sku("L1")) == 1
    assert (await index.get("L1", "default")).name == "Lamp"


@pytest.mark.parametrize("gone", [True, False])
async def test_what_the_shop_does_not_have_is_removed_whatever_the_event_says(shop, index, changes, gone):
    shop.catalogue = (JACKET,)
    assert await changes.apply(sku("M1", gone=gone)) == 2
    assert await index.get("M1", "default") is None
    assert await index.get("M1", "de") is None


async def test_gone_is_a_hint_and_not_believed(index, changes):
    assert await changes.apply(sku("M1", gone=True)) == 0
    assert await index.get("M1", "default") is not None


async def test_an_unknown_product_is_no_error(changes):
    assert await changes.apply(sku("nobody")) == 0


async def test_of_a_variant_the_parent_is_read_again(shop, index, changes):
    shop.catalogue = (product("J1", "Rain jacket", variants=("J1-Red", "J1-Green")), MUG)
    assert await changes.apply(sku("J1-Blue", store="default")) == 1
    assert await index.get("J1-Blue", "default") is None
    assert (await index.get("J1-Green", "default")).sku == "J1"


async def test_of_a_variant_whose_parent_is_gone_nothing_is_left(shop, index, changes):
    shop.catalogue = (MUG,)
    assert await changes.apply(sku("J1-Red", store="default")) == 1
    assert await index.get("J1", "default") is None
    assert await index.get("J1-Red", "default") is None


async def test_a_variant_that_is_sold_alone_now_leaves_its_parent(shop, index, changes):
    shop.catalogue = (product("J1", "Rain jacket", variants=("J1-Red",)), product("J1-Blue", "Blue jacket"), MUG)
    assert await changes.apply(sku("J1-Blue", store="default")) == 2
    assert (await index.get("J1-Blue", "default")).name == "Blue jacket"
    assert [one.sku for one in (await index.get("J1", "default")).variants] == ["J1-Red"]


async def test_a_changed_page_is_read_again(shop, index, changes):
    shop.cms = (page("returns", "Returns\nWithin 60 days."), SHIPPING)
    # Of returns one passage changed and one is gone; German ones are gone with their page.
    assert await changes.apply(changed(PageChanged, identifier="returns", store="default")) == 2
    (hit, *_) = await index.search_passages("returns", "default", 1)
    assert "60 days" in hit.document.text
    assert (await index.count("default")).passages == 2
    assert (await index.count("de")).passages == 1


async def test_a_page_that_is_gone_leaves_no_passage(shop, index, changes):
    shop.cms = (SHIPPING, *shop.cms[2:])
    assert await changes.apply(changed(PageChanged, identifier="returns", gone=True)) == 2
    assert (await index.count("default")).passages == 1
    assert (await index.count("default")).products == 2


async def test_the_last_page_may_go(shop, index, changes):
    shop.cms = ()
    assert await changes.apply(changed(PageChanged, identifier="returns")) == 4
    assert (await index.count("default")).passages == 0


@pytest.mark.parametrize("type_", [PriceChanged, StockChanged])
async def test_price_and_stock_touch_neither_index_nor_shop(shop, index, changes, type_):
    shop.catalogue = ()
    before = await index.content_hashes("default")
    assert await changes.apply(changed(type_, sku="M1", gone=True)) == 0
    assert await index.content_hashes("default") == before
    assert not shop.reads


@pytest.mark.parametrize("type_", [ProductChanged, PageChanged])
async def test_a_store_that_is_not_served_is_none_of_ours(shop, changes, type_):
    field_ = {"sku": "M1"} if type_ is ProductChanged else {"identifier": "returns"}
    assert await changes.apply(changed(type_, store="fr", **field_)) == 0
    assert not shop.reads


@dataclass
class Slow(Faulty):
    """Holds the answer of a read until it is let go: what is read is what was there when it began."""

    held: list[asyncio.Event] = field(default_factory=list)

    async def product(self, sku, store, *, within=None):
        return await self._late(await FakeShop.product(self, sku, store, within=within))

    async def pages(self, store, *, within=None):
        return await self._late(await FakeShop.pages(self, store, within=within))

    async def _late(self, answer):
        gate = asyncio.Event()
        self.held.append(gate)
        await gate.wait()
        return answer


async def settled():
    for _ in range(50):
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("what", ["product", "variant", "page"])
async def test_of_two_changes_at_a_time_the_newer_reading_stays(index, what):
    shop = Slow(catalogue=(JACKET, MUG), cms=(RETURNS,))
    first, second = {
        "product": (sku("M1"), sku("M1")),
        "variant": (sku("J1"), sku("J1-Red")),
        "page": (changed(PageChanged, identifier="returns"), changed(PageChanged, identifier="shipping")),
    }[what]
    await index_store(Faulty(catalogue=shop.catalogue, cms=shop.cms), index, "default", clock)
    changes = Changes(shop, index, ["default"], clock)
    older = asyncio.create_task(changes.apply(first))
    await settled()
    shop.catalogue = (product("J1", "New jacket", variants=("J1-Red",)), MUG.model_copy(update={"name": "New mug"}))
    shop.cms = (page("returns", "Returns\nNew rules."),)
    newer = asyncio.create_task(changes.apply(second))
    await settled()
    while not (older.done() and newer.done()):
        for gate in reversed(shop.held):  # the newer answer first, where both are asked for
            gate.set()
            await settled()
    await asyncio.gather(older, newer)
    if what == "page":
        (hit, *_) = await index.search_passages("returns", "default", 1)
        assert "New rules" in hit.document.text
    else:
        found = await index.get("M1" if what == "product" else "J1", "default")
        assert found.name.startswith("New")


async def test_changes_of_different_products_do_not_wait_for_each_other(index):
    shop = Slow(catalogue=(JACKET, MUG))
    changes = Changes(shop, index, ["default"], clock)
    both = [asyncio.create_task(changes.apply(sku(one))) for one in ("M1", "L1")]
    await settled()
    assert len(shop.held) == 2
    for gate in shop.held:
        gate.set()
    await asyncio.gather(*both)


# --- the handler -----------------------------------------------------------------------------------


def event(data):
    return Event.new(data, source="magento", subject="M1", time=NOW, cause="1")


async def test_the_handler_applies(shop, index, changes):
    shop.catalogue = (JACKET,)
    await apply_with(changes)(event(sku("M1")))
    assert await index.get("M1", "default") is None


async def test_a_shop_that_is_away_pauses(shop, index, changes):
    shop.unavailable = True
    for change in (sku("M1"), changed(PageChanged, identifier="returns")):
        with pytest.raises(Unavailable, match="shop: the shop is not there"):
            await apply_with(changes)(event(change))
    assert (await index.count("default")).passages == 3


async def test_a_shop_that_refuses_is_asked_again(index):
    class Refuses(FakeShop):
        async def product(self, sku, store, *, within=None):
            raise ShopRefused("no permission", status=403)

    with pytest.raises(Transient, match="no permission"):
        await apply_with(Changes(Refuses(), index, ["default"], clock))(event(sku("M1")))


async def test_an_index_that_is_away_pauses(shop, index, changes, tmp_path):
    for file in tmp_path.glob("index.db*"):
        file.unlink()
    with pytest.raises(Unavailable, match="index: "):
        await apply_with(changes)(event(sku("M1")))


def test_every_type_of_the_topic_is_handled():
    assert set(HANDLED) == set(CATALOG_CHANGES.types)


# --- start -----------------------------------------------------------------------------------------


def test_it_makes_no_index_of_a_file_that_is_something_else(tmp_path):
    other = tmp_path / "letters.db"
    other.write_bytes(b"dear diary, this is no database of yours" * 100)
    shop = {"base_url": "http://shop.example", "token": "t"}
    with pytest.raises(IndexUnavailable):
        create(load(Settings, dead_letter_key=KEY, index_path=other, shop=shop))
    assert other.read_bytes().startswith(b"dear diary")


def test_the_command_needs_the_shop_alone(monkeypatch):
    monkeypatch.setenv("BATON_SHOP__BASE_URL", "http://shop.example")
    monkeypatch.setenv("BATON_SHOP__TOKEN", "t")
    monkeypatch.delenv("BATON_DEAD_LETTER_KEY", raising=False)
    assert load(IndexSettings).shop.base_url == "http://shop.example"
    with pytest.raises(WrongSettings, match="BATON_DEAD_LETTER_KEY"):
        load(Settings)
