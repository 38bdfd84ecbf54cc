"""Cutting pages into passages: nothing lost, nothing too long, headings where they are."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.index.documents import PASSAGE_WORDS, category_names, passage_documents, sentences, split_values
from services.lib.shop.models import Page

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def page(text: str, title: str = "Shipping") -> Page:
    return Page(identifier="shipping", title=title, url="https://shop.example/shipping", store="default", text=text)


def test_a_page_is_cut_at_its_headings() -> None:
    text = (
        "Shipping\nWhat it costs\nDestination | Price\nCanada | $16.95\nThe price is before tax.\n"
        "Where we ship\nWe ship to Canada and to the United Kingdom.\n"
        "What we refuse\nParcels over 30 kg to islands\nAnimals"
    )
    found = passage_documents(page(text), NOW)
    assert [(one.headings, one.text) for one in found] == [
        (("What it costs",), "Destination | Price\nCanada | $16.95\nThe price is before tax."),
        (("Where we ship",), "We ship to Canada and to the United Kingdom."),
        (("What we refuse",), "Parcels over 30 kg to islands\nAnimals"),
    ]
    assert found[0].title_text == "Shipping / What it costs"
    assert len({one.id for one in found}) == len(found)


def test_markdown_headings_nest() -> None:
    found = passage_documents(
        page("# Shipping\nWe ship.\n## Abroad\nWe ship abroad.\n### Canada\nYes.\n## Home\nAlso."), NOW
    )
    assert [one.headings for one in found] == [(), ("Abroad",), ("Abroad", "Canada"), ("Home",)]


def test_a_long_part_is_cut_between_sentences() -> None:
    text = " ".join(f"This is sentence number {n} of the page." for n in range(60))
    found = passage_documents(page(text), NOW)
    assert len(found) > 2
    assert all(len(one.text.split()) <= PASSAGE_WORDS for one in found)
    assert " ".join(one.text for one in found) == text


def test_a_sentence_longer_than_a_passage_stays_whole() -> None:
    text = "word " * (PASSAGE_WORDS * 2) + "end."
    assert [len(one.text.split()) for one in passage_documents(page(text), NOW)] == [PASSAGE_WORDS * 2 + 1]


@pytest.mark.parametrize("text", ["", "\n\n", "Shipping", " "])
def test_nothing_to_say_is_no_passage(text: str) -> None:
    assert passage_documents(page(text), NOW) == ()


@given(
    st.lists(st.text("abc XY:|0123-", min_size=1, max_size=400).map(lambda line: f"{line.strip()} z."), max_size=12)
)
def test_no_word_is_lost_and_none_is_added(lines: list[str]) -> None:
    found = passage_documents(page("\n".join(lines), title="none"), NOW)
    assert " ".join(one.text for one in found).split() == " ".join(lines).split()


def test_sentences_do_not_end_in_numbers() -> None:
    assert sentences("It costs 4.95 or more. It is 3.\n5 kg at most.") == [
        "It costs 4.95 or more.",
        "It is 3.",
        "5 kg at most.",
    ]


def test_values_and_categories() -> None:
    assert split_values("Cotton, Wool") == ("Cotton", "Wool")
    assert split_values("10,000 mm") == ("10,000 mm",)
    assert category_names("Clothing / Dresses & Skirts") == ("Clothing", "Dresses & Skirts", "Dresses", "Skirts")
