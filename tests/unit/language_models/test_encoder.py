"""The retrieval encoder and its fake."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.lib.language.encoder import DIMENSIONS, Encoder, HashEncoder, TextEncoder
from services.lib.language.text_model import MAX_CHARACTERS, MODELS

HOSTILE = ["", " \n\t", "a", "\x00\x01", "\ud800 half", "😡" * 500, "[CLS] [SEP] [MASK]", "ñ ü 靴 обувь", "x" * 5000]


@pytest.mark.parametrize("name", ["shipped", "fake"])
def test_both_give_unit_rows_in_order(name: str, encoder: Encoder) -> None:
    model: TextEncoder = encoder if name == "shipped" else HashEncoder()
    vectors = model.encode(HOSTILE)
    assert vectors.shape == (len(HOSTILE), DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(model.encode(HOSTILE[::-1])[::-1], vectors)


@pytest.mark.parametrize("name", ["shipped", "fake"])
def test_no_texts_give_no_rows(name: str, encoder: Encoder) -> None:
    model: TextEncoder = encoder if name == "shipped" else HashEncoder()
    assert model.encode([]).shape == (0, DIMENSIONS)


def test_a_vector_depends_on_its_text_alone(encoder: Encoder) -> None:
    company = ["short", "waterproof hiking boots", "a much longer text about tax law " * 20]
    assert np.array_equal(encoder.encode(["waterproof hiking boots"])[0], encoder.encode(company)[1])


def test_threads_change_nothing_but_the_time(encoder: Encoder) -> None:
    texts = [f"product number {number}" for number in range(9)]
    assert np.array_equal(Encoder.load(threads=3).encode(texts), encoder.encode(texts))


@pytest.mark.parametrize(
    ("query", "near", "far"),
    [
        ("red shoes", "crimson sneakers", "blue kettle"),
        ("headphones for the gym", "sweatproof wireless earbuds", "ceramic plant pot"),
        ("can I send it back?", "Returns are free within 30 days.", "We ship to Austria and Belgium."),
        ("something to keep my coffee hot", "insulated steel travel mug", "yoga mat"),
    ],
)
def test_meaning_beats_shared_letters(query: str, near: str, far: str, encoder: Encoder) -> None:
    vectors = encoder.encode([query, near, far])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


def test_what_the_original_model_says_of_these_pairs(encoder: Encoder) -> None:
    """Cosines of all-MiniLM-L6-v2 in fp32; int8 may move them by a few hundredths."""
    pairs = {
        ("red shoes", "crimson sneakers"): 0.664,
        ("When will my parcel arrive?", "Delivery takes 3 to 5 working days."): 0.612,
        ("a waterproof jacket", "a waterproof jacket"): 1.0,
        ("Is the battery included?", "Our office is closed on Sundays."): -0.019,
    }
    for (left, right), expected in pairs.items():
        one, other = encoder.encode([left, right])
        assert float(one @ other) == pytest.approx(expected, abs=0.05)


def test_a_megabyte_is_cut_before_it_costs_anything(encoder: Encoder) -> None:
    huge = "spam and eggs " * 75_000
    start = time.perf_counter()
    vector = encoder.encode([huge])
    assert time.perf_counter() - start < 2
    assert np.array_equal(vector, encoder.encode([huge[:MAX_CHARACTERS]]))


def test_what_follows_the_256th_token_is_not_read(encoder: Encoder) -> None:
    one, other = encoder.encode(["word " * 254 + "apple", "word " * 254 + "pear"])
    assert np.array_equal(one, other)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"encoder\.onnx is missing"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_must_be_positive(threads: int) -> None:
    with pytest.raises(ValueError, match="threads"):
        Encoder.load(threads=threads)


def test_the_version_names_the_weights(encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((MODELS / "tokenizer.json").read_bytes())
    weights = (MODELS / "encoder.onnx").read_bytes()
    (tmp_path / "encoder.onnx").write_bytes(weights)
    assert Encoder.load(tmp_path).version == encoder.version
    assert len(encoder.version) == 12


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_text_has_a_unit_vector(texts: Sequence[str]) -> None:
    for model in (HashEncoder(), _shipped()):
        vectors = model.encode(texts)
        assert vectors.shape == (len(texts), DIMENSIONS)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_fake_finds_shared_words() -> None:
    query, same, other = HashEncoder().encode(["Red shoes", "shoes, RED ones", "a blue kettle"])
    assert query @ same > 0.5
    assert abs(query @ other) < 0.5


def test_the_fake_is_the_same_in_every_process() -> None:
    row = HashEncoder().encode(["kettle"])[0]
    assert np.flatnonzero(row).tolist() == [41]


_MODELS: list[Encoder] = []


def _shipped() -> Encoder:
    """One model for all of hypothesis's examples, which may not take function-scoped fixtures."""
    if not _MODELS:
        _MODELS.append(Encoder.load())
    return _MODELS[0]
