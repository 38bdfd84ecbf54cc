"""The labelled tweets that sentiment is learned from, without those that the development set holds.

Data: SemEval 2013-2016 task A (`semeval/*.tsv`), TweetEval emotion (`tweeteval_emotion`), TweetEval sentiment's
validation part (`tweeteval_val`) to measure on.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from services.lib.language.normalise import normalise

LABELS = ("negative", "neutral", "positive")
EMOTIONS = {"0": 0, "1": 2, "3": 0}
"""anger and sadness are negative, joy is positive; optimism (2) is left out: it is often comfort in bad news."""


class Example(NamedTuple):
    """A normalised text with its class: 0 negative, 1 neutral, 2 positive."""

    text: str
    label: int


def read_semeval(folder: Path) -> list[Example]:
    """All `*.tsv` of `folder` (id TAB label TAB text), in the order of their names."""
    examples = []
    for file in sorted(folder.glob("*.tsv")):
        for line in file.read_text(encoding="utf-8").splitlines():
            _, label, text = line.split("\t", 2)
            if label not in LABELS:
                raise ValueError(f"{file.name}: unknown label {label!r}")
            examples.append(Example(normalise(text.strip().strip('"')), LABELS.index(label)))
    if not examples:
        raise FileNotFoundError(f"no *.tsv under {folder}")
    return examples


def read_tweeteval(folder: Path, part: str, classes: dict[str, int]) -> list[Example]:
    """`{part}_text.txt` with `{part}_labels.txt`; labels that `classes` does not name are left out."""
    texts = (folder / f"{part}_text.txt").read_text(encoding="utf-8").split("\n")
    labels = (folder / f"{part}_labels.txt").read_text(encoding="utf-8").split()
    return [
        Example(normalise(text.strip().strip('"')), classes[label])
        for text, label in zip(texts, labels, strict=False)  # the text file ends with an empty line
        if label in classes
    ]


def distinct(examples: Iterable[Example]) -> list[Example]:
    """The first of each text, compared by its words; texts without words are dropped."""
    seen: dict[tuple[str, ...], Example] = {}
    for example in examples:
        if key := tuple(words(example.text)):
            seen.setdefault(key, example)
    return list(seen.values())


def without_overlap(examples: Iterable[Example], held_back: Sequence[Example]) -> list[Example]:
    """The examples that share less than half of their word trigrams with every held-back text.

    Retweets and quotes differ by a prefix or a link, so half of the shorter text's trigrams is the bound.
    """
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    sizes = []
    for number, example in enumerate(held_back):
        grams = _trigrams(example.text)
        sizes.append(len(grams))
        for gram in grams:
            holders[gram].append(number)
    kept = []
    for example in examples:
        grams = _trigrams(example.text)
        shared: dict[int, int] = defaultdict(int)
        for gram in grams:
            for number in holders.get(gram, ()):
                shared[number] += 1
        if all(2 * count < min(len(grams), sizes[number]) for number, count in shared.items()):
            kept.append(example)
    return kept


def words(text: str) -> list[str]:
    """Lower-case words without the two placeholders of `normalise`."""
    return [word for word in re.findall(r"\w+", text.lower()) if word not in {"user", "http"}]


def _trigrams(text: str) -> set[tuple[str, ...]]:
    """Word trigrams; a text of fewer words is one gram as a whole."""
    said = words(text)
    return {tuple(said[start : start + 3]) for start in range(max(1, len(said) - 2))}
