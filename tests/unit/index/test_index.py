"""The one suite of the `Index` Protocol: every engine passes it."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.lib.index.port import Index, ProductQuery
from tests.unit.index.conftest import CATALOGUE, passage, product


async def skus(index: Index, text: str, k: int = 10, **more: object) -> list[str]:
    query = ProductQuery.model_validate({"store": "default", "text": text} | more)
    return [hit.document.sku for hit in await index.search_products(query, k)]


async def test_the_best_is_first_and_scores_fall(index: Index) -> None:
    await index.upsert(CATALOGUE)
    hits = await index.search_products(ProductQuery(store="default", text="leather belt"), 10)
    assert hits[0].document == CATALOGUE[2]
    assert all(a.score >= b.score for a, b in pairwise(hits))
    assert all(0 <= hit.score <= 1 and 0 <= hit.lexical <= 1 and -1 <= hit.dense <= 1.01 for hit in hits)
    assert hits[0].dense > 0.5


async def test_k_is_kept(index: Index) -> None:
    await index.upsert(CATALOGUE)
    assert [len(await skus(index, "jacket", k)) for k in (0, 1, 2)] == [0, 1, 2]


async def test_the_same_again_changes_nothing(index: Index) -> None:
    assert await index.upsert(CATALOGUE) == len(CATALOGUE)
    assert await index.upsert(CATALOGUE) == 0
    later = [one.model_copy(update={"read_at": one.read_at.replace(year=2027)}) for one in CATALOGUE]
    assert await index.upsert(later) == 0
    assert (await index.count("default")).products == len(CATALOGUE)


async def test_anew_all_count_as_changed(index: Index) -> None:
    await index.upsert(CATALOGUE)
    mine = [one for one in CATALOGUE if one.store == "default"]
    assert await index.replace("default", mine) == 0
    assert await index.replace("default", mine, anew=True) == len(mine)
    assert await index.replace("default", mine) == 0


async def test_twice_in_one_batch_the_last_counts(index: Index) -> None:
    assert await index.upsert([product("A", "Old name"), product("A", "New name")]) == 1
    found = await index.get("A", "default")
    assert found is not None
    assert found.name == "New name"
    assert await index.upsert([product("A", "Newest"), product("A", "New name")]) == 0


async def test_a_change_is_found_under_its_new_words_alone(index: Index) -> None:
    await index.upsert(CATALOGUE)
    assert await index.upsert([product("M1", "Copper kettle")]) == 1
    hits = await index.search_products(ProductQuery(store="default", text="enamel"), 10)
    assert all(hit.lexical == 0 for hit in hits)
    assert (await skus(index, "kettle"))[0] == "M1"


async def test_gone_is_gone(index: Index) -> None:
    await index.upsert(CATALOGUE)
    assert await index.delete([CATALOGUE[0].id, "product/default/none"]) == 1
    assert await index.delete([CATALOGUE[0].id]) == 0
    assert await index.get("J1", "default") is None
    assert await index.get("J1-R", "default") is None
    assert "J1" not in await skus(index, "rain jacket")
    assert "Red" not in (await index.vocabulary("default")).options.get("Color", frozenset())


async def test_replace_is_the_whole_store_and_no_other(index: Index) -> None:
    await index.upsert([*CATALOGUE, product("X", "Elsewhere", store="de"), passage(0, "We ship.")])
    assert await index.replace("default", [*CATALOGUE[:2], product("N", "New")]) == 4  # 2 products and 1 passage gone
    counts = await index.count("default")
    assert (counts.products, counts.passages) == (3, 0)
    assert (await index.count("de")).products == 1
    assert set(await index.content_hashes("default")) == {CATALOGUE[0].id, CATALOGUE[1].id, "product/default/N"}


async def test_replace_that_fails_leaves_all_as_it_was(index: Index) -> None:
    await index.upsert(CATALOGUE)
    before = await index.content_hashes("default")

    def failing() -> object:
        yield product("N", "New")
        raise RuntimeError("the shop went away")

    with pytest.raises(RuntimeError):
        await index.replace("default", failing())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="de"):
        await index.replace("default", [product("X", "Elsewhere", store="de")])
    assert await index.content_hashes("default") == before
    assert len(await skus(index, "jacket")) == len(CATALOGUE)


async def test_readers_see_all_of_a_replacement_or_nothing(index: Index) -> None:
    old = [product(f"O{n}", f"Old thing {n}") for n in range(30)]
    new = [product(f"N{n}", f"New thing {n}") for n in range(30)]
    await index.replace("default", old)
    seen: list[set[str]] = []

    async def read() -> None:
        seen.extend([{sku[0] for sku in await skus(index, "thing", 30)} for _ in range(30)])

    await asyncio.gather(read(), index.replace("default", new), read())
    assert all(one in ({"O"}, {"N"}) for one in seen)
    assert set(await skus(index, "thing", 30)) == {one.sku for one in new}


async def test_filters(index: Index) -> None:
    await index.upsert(CATALOGUE)
    assert set(await skus(index, "jacket", any_of=((("Material", "leather"),),))) == {"J2", "B1"}
    both = ((("material", "LEATHER"),), (("category", "Jackets"),))
    assert await skus(index, "jacket", any_of=both) == ["J2"]
    assert await skus(index, "", any_of=((("Color", "red"), ("Color", "green")),)) == ["J1"]
    assert await skus(index, "jacket", any_of=((),)) == []
    assert set(await skus(index, "jacket", none_of=(("Material", "Leather"),))) == {"J1", "M1"}
    assert set(await skus(index, "jacket", unwanted=("leather",))) == {"J1", "M1"}
    assert set(await skus(index, "jacket", unwanted=("jacket",))) == {"B1", "M1"}  # a description may mention it
    assert await skus(index, "jacket", any_of=((("Material", "'; DROP TABLE document; --"),),)) == []


async def test_stores_are_apart(index: Index) -> None:
    await index.upsert([product("A", "Jacket"), product("A", "Jacke", store="de"), passage(0, "Text", store="de")])
    german = await index.search_products(ProductQuery(store="de", text="jacke"), 5)
    assert [hit.document.name for hit in german] == ["Jacke"]
    assert (await index.vocabulary("default")).names == {"A": "Jacket"}
    assert await index.search_passages("text", "default", 5) == ()
    assert await index.get("A", "fr") is None
    assert (await index.count("fr")).products == 0
    assert (await index.vocabulary("fr")).words == frozenset()


async def test_passages(index: Index) -> None:
    await index.upsert([passage(0, "Parcels arrive in 3 days."), passage(1, "Returns are free.", title="Returns")])
    hits = await index.search_passages("are returns free?", "default", 5)
    assert hits[0].document.title == "Returns"
    assert len(hits) == 2


async def test_a_variant_leads_to_its_parent(index: Index) -> None:
    await index.upsert(CATALOGUE)
    found = await index.get("J1-B", "default")
    assert found is not None
    assert found.sku == "J1"
    assert found.options == {"Color": ("Red", "Blue")}


async def test_the_vocabulary_is_the_catalogues(index: Index) -> None:
    await index.upsert([*CATALOGUE, passage(0, "We ship with sledges.")])
    vocabulary = await index.vocabulary("default")
    assert vocabulary.values["Material"] == {"Nylon", "Leather", "Brass"}
    assert vocabulary.values["Water column"] == {"10,000 mm"}
    assert vocabulary.options["Color"] == {"Red", "Blue"}
    assert {"Clothing", "Jackets & Coats", "Jackets", "Coats"} <= vocabulary.categories
    assert vocabulary.parents == {"J1-R": "J1", "J1-B": "J1"}
    assert {"jacket", "enamel", "sledges"} <= vocabulary.words
    assert await index.vocabulary("default") is vocabulary
    await index.upsert([product("N", "Novelty")])
    assert "novelty" in (await index.vocabulary("default")).words


HOSTILE = [
    '"',
    '""" OR "',
    "NEAR(a b, 3)",
    "title:leather",
    "-leather",
    "leather*",
    "(",
    "a AND",
    "NOT",
    "{title} : x",
    "^a",
    "\x00",
    "🎁",
    "レザー",
    "a" * 8000,
    "leather " * 1000,
    "'; DROP TABLE document; --",
    "",
    " ",
    "%s {0}",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_text_reaches_the_query_language(index: Index, text: str) -> None:
    await index.upsert([*CATALOGUE, passage(0, "leather")])
    assert len(await skus(index, text)) == len(CATALOGUE)
    assert len(await index.search_passages(text, "default", 5)) == 1
    assert len(await skus(index, "x", unwanted=(text,))) <= len(CATALOGUE)
    assert (await index.count("default")).products == len(CATALOGUE)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=100))
async def test_no_text_at_all_reaches_it(index: Index, text: str) -> None:
    await index.upsert(CATALOGUE)
    assert len(await skus(index, text)) == len(CATALOGUE)
    await skus(index, "x", unwanted=(text,), any_of=(((text, text),),))
    assert await index.get(text, text) is None


async def test_words_of_chinese_are_found_inside_a_run(index: Index) -> None:
    await index.upsert([product("C", "防水登山夹克"), product("D", "陶瓷咖啡杯")])
    assert (await skus(index, "夹克"))[0] == "C"


async def test_accents_and_plurals_do_not_matter(index: Index) -> None:
    await index.upsert([product("G", "Große Gürtel"), product("K", "Cafetière")])
    assert (await skus(index, "gurtel"))[0] == "G"
    assert (await skus(index, "cafetiere"))[0] == "K"
