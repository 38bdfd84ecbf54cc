"""Folding: what rules see, and the way back to what was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.language.fold import fold, typos


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("I’m  SOOO   TIRED", "i m so tired"),
        ("pleeease!!! HELP", "please! help"),
        ("zurück, Größe", "zuruck grosse"),
        ("remboursé", "rembourse"),
        ("hu\u200bman", "human"),
        ("hum\u0430n", "human"),  # a Cyrillic а in a Latin word
        ("ｈｕｍａｎ", "human"),
        ("e\u0301te\u0301", "ete"),
        ("89.90 paid", "89 90 paid"),
        ("order 000000123", "order 000000123"),
        ("😀", " "),
        ("", ""),
        ("привет", "привет"),
    ],
)
def test_folds(text, folded):
    assert fold(text).data.decode() == folded


def test_span_leads_back_to_what_was_written():
    text = "😀 ¿Señor, my  LAAAWYER’s  laywer?"
    folded = fold(text, typos(["lawyer"]))
    first = folded.data.index(b"lawyer")
    second = folded.data.rindex(b"lawyer")
    assert text[slice(*folded.span(first, first + 6))] == "LAAAWYER"
    assert text[slice(*folded.span(second, second + 6))] == "laywer"


@pytest.mark.parametrize(
    ("slip", "meant"),
    [("laywer", "lawyer"), ("damagged", "damaged"), ("damged", "damaged"), ("dameged", "damaged")],
)
def test_slips_lead_back(slip, meant):
    assert typos(["lawyer", "damaged"])[slip] == meant


def test_no_slip_is_itself_a_word_that_is_meant():
    found = typos(["charged", "charge", "returned"])
    assert not {"charged", "charge", "returned", "return"} & found.keys()


@given(st.text())
def test_any_text_folds_and_every_span_lies_within_it(text):
    folded = fold(text, typos(["lawyer"]))
    for at in range(len(folded.data)):
        start, end = folded.span(at, at + 1)
        assert 0 <= start <= end <= len(text)


@given(st.text(alphabet="abc .!?😀éß\u200b", max_size=60))
def test_spans_do_not_run_backwards(text):
    folded = fold(text)
    starts = [folded.span(at, at + 1)[0] for at in range(len(folded.data))]
    assert starts == sorted(starts)
