"""The parts of training that need no torch: reading, deduplicating, holding back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.language.train.support import read_support
from services.lib.language.train.tweets import (
    EMOTIONS,
    Example,
    distinct,
    read_semeval,
    read_tweeteval,
    without_overlap,
    words,
)


def test_semeval_lines(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text('1\tnegative\t"It\\u2019s bad @you"\n', encoding="utf-8")
    (tmp_path / "a.tsv").write_text("2\tpositive\tgood\tand tabbed\n3\tneutral\t\n", encoding="utf-8")
    assert read_semeval(tmp_path) == [Example("good and tabbed", 2), Example("", 1), Example("It’s bad @user", 0)]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"\*\.tsv"):
        read_semeval(tmp_path)


def test_an_unknown_label_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("2\tangry\tx\n", encoding="utf-8")
    with pytest.raises(ValueError, match="angry"):
        read_semeval(tmp_path)


def test_emotions_become_classes_and_optimism_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "train_text.txt").write_text("grr\nyay\nchin up\nsigh\n", encoding="utf-8")
    (tmp_path / "train_labels.txt").write_text("0\n1\n2\n3\n", encoding="utf-8")
    examples = read_tweeteval(tmp_path, "train", EMOTIONS)
    assert examples == [Example("grr", 0), Example("yay", 2), Example("sigh", 0)]


def test_duplicates_are_compared_by_their_words() -> None:
    examples = [Example("Good day!", 2), Example("@user good day http", 1), Example("!!!", 0), Example("bad", 0)]
    assert distinct(examples) == [examples[0], examples[3]]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("the new phone is out on friday in all stores", False),
        ("RT @user: the new phone is out on friday in all stores http", False),
        ("The new phone is out on Friday", False),
        ("the new phone was cheap and works", True),
        ("phone friday stores", True),
        ("ok", False),
        ("ok then", True),
    ],
)
def test_near_duplicates_of_held_back_texts_are_dropped(text: str, kept: bool) -> None:
    held_back = [Example("The new phone is out on Friday in all stores.", 1), Example("OK", 1)]
    assert without_overlap([Example(text, 0)], held_back) == ([Example(text, 0)] if kept else [])


@given(st.lists(st.builds(Example, st.text(alphabet="ab ", min_size=1, max_size=12), st.just(0)), max_size=8))
def test_nothing_overlaps_with_itself_held_back(examples: list[Example]) -> None:
    assert without_overlap(examples, examples) == []
    assert without_overlap(examples, []) == examples


def test_support_messages_that_are_held_back_are_not_trained_on() -> None:
    trained, held_back = read_support(held_back=False), read_support(held_back=True)
    assert len(distinct(trained)) + len(distinct(held_back)) > 300
    assert not {tuple(words(e.text)) for e in trained if words(e.text)} & {tuple(words(e.text)) for e in held_back}
    for part in (trained, held_back):
        assert {example.label for example in part} == {0, 1, 2}
    assert without_overlap(held_back, trained) == held_back
