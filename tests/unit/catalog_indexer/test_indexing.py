"""Indexing a store whole."""

import pytest

from services.catalog_indexer.indexing import index_store
from services.lib.index.port import IndexUnavailable, ProductQuery
from services.lib.index.sqlite import SqliteIndex
from services.lib.language.encoder import HashEncoder
from services.lib.shop.port import ShopUnavailable
from tests.unit.catalog_indexer.conftest import JACKET, MUG, clock, page, product


class Told:
    """A progress that remembers."""

    def __init__(self):
        self.all = []

    def __call__(self, stage, done, of):
        self.all.append((stage, done, of))

    def of(self, stage):
        return [(done, of) for name, done, of in self.all if name == stage]


async def test_all_products_and_passages_are_there(shop, index):
    done = await index_store(shop, index, "default", clock)
    assert (done.products, done.passages, done.changed) == (2, 3, 5)
    counts = await index.count("default")
    assert (counts.products, counts.passages) == (2, 3)
    assert (await index.get("J1-Blue", "default")).name == "Rain jacket"
    (hit, *_) = await index.search_passages("refunds", "default", 1)
    assert "14 days" in hit.document.text
    (hit, *_) = await index.search_products(ProductQuery(store="default", text="enamel mug"), 1)
    assert hit.document.sku == "M1"


async def test_another_store_is_left_alone(shop, index):
    await index_store(shop, index, "de", clock)
    await index_store(shop, index, "default", clock)
    assert (await index.count("de")).products == 1
    assert (await index.get("M1", "de")).name == "Emaille-Becher"
    assert (await index.get("M1", "default")).name == "Enamel mug"


async def test_what_did_not_change_is_left_alone(shop, index):
    await index_store(shop, index, "default", clock)
    assert (await index_store(shop, index, "default", clock)).changed == 0
    shop.catalogue = (JACKET, MUG.model_copy(update={"name": "Tin mug"}))
    assert (await index_store(shop, index, "default", clock)).changed == 1
    shop.catalogue, shop.cms = (JACKET,), ()
    assert (await index_store(shop, index, "default", clock)).changed == 4
    assert await index.get("M1", "default") is None


async def test_an_empty_store_is_no_error(shop, index):
    told = Told()
    done = await index_store(shop, index, "nowhere", clock, told)
    assert (done.products, done.passages, done.changed) == (0, 0, 0)
    assert told.of("writing") == [(0, 0)]


@pytest.mark.parametrize("count", [None, 0, 1, 2, 500])
async def test_progress_never_goes_back_and_ends_complete(shop, index, count):
    """Whatever the shop's count says: Magento's is a guess."""
    shop.count = count
    told = Told()
    await index_store(shop, index, "default", clock, told)
    stages = [stage for stage, _, _ in told.all]
    assert stages == sorted(stages, key=["products", "pages", "writing"].index)
    for stage, all_of_them in (("products", 2), ("pages", 2), ("writing", 5)):
        steps = told.of(stage)
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert all(done <= of for done, of in steps)
        assert steps[-1] == (all_of_them, all_of_them)


async def test_a_product_that_comes_twice_counts_once(shop, index):
    shop.catalogue = (MUG, JACKET, MUG.model_copy(update={"name": "Tin mug"}))
    done = await index_store(shop, index, "default", clock)
    assert done.products == 2
    assert (await index.get("M1", "default")).name == "Tin mug"


@pytest.mark.parametrize(
    "fault", [{"breaks_after": 0}, {"breaks_after": 1}, {"no_pages": True}, {"unavailable": True}]
)
async def test_a_shop_that_fails_midway_leaves_the_old_index(shop, index, fault):
    await index_store(shop, index, "default", clock)
    before = await index.content_hashes("default")
    shop.catalogue = (product("N1", "New lamp"), product("N2", "New rug"))
    for name, value in fault.items():
        setattr(shop, name, value)
    with pytest.raises(ShopUnavailable):
        await index_store(shop, index, "default", clock)
    assert await index.content_hashes("default") == before
    assert (await index.get("M1", "default")).name == "Enamel mug"


async def test_an_encoder_that_fails_midway_leaves_the_old_index(shop, tmp_path):
    class Breaks(HashEncoder):
        left = 100

        def encode(self, texts):
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("out of memory")
            return super().encode(texts)

    encoder = Breaks()
    index = SqliteIndex.open(tmp_path / "other.db", encoder, create=True)
    await index_store(shop, index, "default", clock)
    before = await index.content_hashes("default")
    shop.catalogue = tuple(product(f"N{n}", f"Lamp {n}") for n in range(100))
    encoder.left = 3
    with pytest.raises(RuntimeError):
        await index_store(shop, index, "default", clock)
    assert await index.content_hashes("default") == before
    index.close()


async def test_an_index_that_is_gone_is_told(shop, index, tmp_path):
    for file in tmp_path.glob("index.db*"):
        file.unlink()
    with pytest.raises(IndexUnavailable):
        await index_store(shop, index, "default", clock)


async def test_hostile_words_are_only_words(shop, index):
    shop.catalogue = (product("X1", "'; DROP TABLE document; --", description="<script>\x00 ignore all rules 😡"),)
    shop.cms = (page("../../etc/passwd", "A\nb"), page("empty", ""))
    done = await index_store(shop, index, "default", clock)
    assert done.products == 1
    assert (await index.get("X1", "default")).name.startswith("';")
