"""CatalogueWords: finds the catalogue's own words (values, categories, names, SKUs) in a message.

Built once from a `Vocabulary`. Words are compared by stem and through the glossary, so that "rote" finds the
colour a shop calls "Red"; which value that is, and whether there is one, the catalogue alone says.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from services.lib.answering.lexicon import lexicon
from services.lib.index.documents import CATEGORY
from services.lib.index.port import Vocabulary
from services.lib.index.terms import stem, words

MAX_WORDS = 5
"""Longest value or category looked for, in words."""

MAX_NAME_WORDS = 10

MAX_LETTERS = 24
"""Longest word that is corrected: its slips grow with the square of its length."""


@dataclass(frozen=True)
class Facet:
    """A value of the catalogue that a message names."""

    label: str
    value: str
    is_option: bool
    words: tuple[str, ...]
    """As the message has them."""


@dataclass
class CatalogueWords:
    vocabulary: Vocabulary
    known: frozenset[str] = frozenset()
    """Stems the catalogue uses and those that mean the same."""
    _facets: dict[tuple[str, ...], list[tuple[str, str, bool]]] = field(default_factory=dict)
    _names: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    _name_words: dict[str, set[str]] = field(default_factory=dict)
    _skus: dict[str, str] = field(default_factory=dict)
    ends: frozenset[str] = frozenset()
    """Stems of the last word of product names: what things are called ("jacket", "mug")."""
    category_words: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    """Stems in labels of attributes and options ("battery", "weight")."""
    _own: dict[str, str] = field(default_factory=dict)
    """Stem to a word of the catalogue."""

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> "CatalogueWords":
        found = cls(vocabulary)
        found._own = {stem(word): word for word in sorted(vocabulary.words, reverse=True)}
        alike = lexicon().alike
        found.known = frozenset(found._own).union(*(alike(one) for one in found._own))
        for label, values in vocabulary.options.items():
            found._add(label, values, True)
        for label, values in vocabulary.values.items():
            if label not in vocabulary.options:
                found._add(label, values, False)
        found._add(CATEGORY, vocabulary.categories, False)
        found.ends = frozenset(end for name in vocabulary.names.values() if (end := last_stem(name)))
        found.category_words = frozenset(stem(word) for name in vocabulary.categories for word in words(name))
        found.fields = frozenset(
            one for label in (*vocabulary.values, *vocabulary.options) for word in words(label) if (one := stem(word))
        )
        for sku, name in vocabulary.names.items():
            found._names.setdefault(_key(name), []).append(sku)
            for word in _key(name):
                found._name_words.setdefault(word, set()).add(sku)
            found._skus[sku.casefold()] = sku
        found._skus |= {sku.casefold(): sku for sku in vocabulary.parents}
        return found

    def _add(self, label: str, values: Iterable[str], is_option: bool) -> None:
        for value in values:
            key = _key(value)
            if key and (is_option or not all(word in lexicon().stop for word in words(value))):
                self._facets.setdefault(key, []).append((label, value, is_option))

    def facets(self, message: str) -> tuple[Facet, ...]:
        """Values the message names, longest first where they overlap. A size of one letter or a bare number
        counts where it is written as one: "M", "size 10"."""
        found: list[Facet] = []
        taken: set[int] = set()
        tokens = words(message)
        for start, length in _runs(len(tokens), MAX_WORDS):
            span = range(start, start + length)
            if taken.intersection(span):
                continue
            run = tokens[start : start + length]
            matches = list(self._matching(run))
            if not matches or not _meant(run, tokens[max(0, start - 2) : start], message):
                continue
            taken.update(span)
            found += [Facet(label, value, is_option, tuple(run)) for label, value, is_option in matches]
        return tuple(found)

    def _matching(self, run: list[str]) -> Iterator[tuple[str, str, bool]]:
        exact = self._facets.get(tuple(stem(word) for word in run))
        if exact:
            yield from exact
            return
        if len(run) == 1:
            for other in sorted(lexicon().alike(stem(run[0]))):
                yield from self._facets.get((other,), [])

    def named(self, message: str) -> tuple[str, ...]:
        """SKUs of the products whose whole name, or whose SKU, stands in the message."""
        lowered = message.casefold()
        by_sku = [
            sku
            for token in lowered.replace(",", " ").replace("?", " ").replace("(", " ").replace(")", " ").split()
            if (sku := self._skus.get(token.strip(".!:;\"'")))
        ]
        if by_sku:
            return tuple(dict.fromkeys(by_sku))
        tokens = [stem(word) for word in words(message)]
        found: list[str] = []
        taken: set[int] = set()
        for start, length in _runs(len(tokens), MAX_NAME_WORDS):
            span = range(start, start + length)
            if length > 1 and not taken.intersection(span):
                skus = self._names.get(tuple(tokens[start : start + length]))
                if skus:
                    taken.update(span)
                    found += skus
        return tuple(dict.fromkeys(found))

    def named_in_part(self, message: str) -> tuple[str, int] | None:
        """The one product whose name shares more words with the message than any other's does: a word no
        other name has, or two. And how many."""
        # A word of the common stock names a product alone only where it is what the product is ("the parka").
        said = {
            one
            for word in lexicon().content(message)
            if word not in lexicon().neutral and (one := stem(word)) not in self.fields
        }
        counts = Counter(
            sku
            for one in said
            for sku in {sku for other in lexicon().alike(one) for sku in self._name_words.get(other, ())}
        )
        if not counts:
            return None
        (sku, best), *others = counts.most_common(2)
        if others and others[0][1] == best:
            return None
        alone = any(
            self._name_words.get(one) == {sku} and (one in self.ends or len(lexicon().alike(one)) == 1)
            for one in said
        )
        return (sku, best) if best > 1 or alone else None

    def head(self, wish: str, left_out: AbstractSet[str], *, noun_first: bool) -> str | None:
        """The word of a folded wish that says what kind of thing is wanted, where the catalogue has things of
        that name: of "laptop for gaming" the laptop, of "gaming mouse" the mouse. `noun_first`: the language
        puts what describes a thing after it. `left_out`: words known to say something else."""
        segments = (lexicon().content(part) for part in _AFTER.split(wish))
        said = [word for word in next((found for found in segments if found), []) if word not in left_out]
        for kinds in (self.ends, self.category_words):
            found = [word for word in said if lexicon().alike(stem(word)) & kinds]
            if found:
                return found[0 if noun_first else -1]
        return None

    def parent(self, sku: str) -> str:
        return self.vocabulary.parents.get(sku, sku)

    def translated(self, terms: Iterable[str]) -> list[str]:
        """Words the catalogue uses for these, each after its own; unknown words get their likeliest
        correction. What is searched besides the shopper's own words."""
        extra: list[str] = []
        for word in terms:
            if word in self.vocabulary.words:
                continue
            if others := sorted(lexicon().alike(stem(word)) & self._own.keys()):
                extra += [self._own[other] for other in others[:3]]
            elif correction := self.correction(word):
                extra.append(correction)
        return extra

    def is_known(self, word: str) -> bool:
        return word in self.vocabulary.words or stem(word) in self.known

    def correction(self, word: str) -> str | None:
        """A word of the catalogue one slip away (a letter more, less, other, or two swapped), or None."""
        if not 5 <= len(word) <= MAX_LETTERS or word.isdigit() or self.is_known(word):
            return None
        near = sorted(_slips(word) & self.vocabulary.words)
        return near[0] if near else None


_AFTER = re.compile(
    r"(?<=[a-z0-9]) (?:for|with|without|that|which|made|to|of|fur|mit|ohne|aus|zum|die|der|das|pour|avec|sans|en|de|"
    r"d'|que|qui|para|con|sin)(?= )"
)
"""What follows describes the thing or its use."""


def last_stem(name: str) -> str:
    """Stem of the last word of a name that is no number or measure: "Carbon Steel Pan 26" is a pan."""
    named = [word for word in words(name) if word.isalpha() and len(word) > 2]
    return stem(named[-1]) if named else ""


def _key(text: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in words(text))


def _runs(count: int, longest: int) -> Iterator[tuple[int, int]]:
    """(start, length) of every run of words, longest first."""
    for length in range(min(count, longest), 0, -1):
        for start in range(count - length + 1):
            yield start, length


def _meant(run: list[str], before: list[str], message: str) -> bool:
    if len(run) > 1:
        return True
    word = run[0]
    after_size = any(word in ("size", "grosse", "taille", "talla", "gr") for word in before)
    if word.isdigit():
        return after_size
    if len(word) <= 3 and word.strip("x") in ("s", "m", "l", ""):
        return after_size or word.upper() in message.replace("?", " ").replace(",", " ").replace(".", " ").split()
    return word not in lexicon().stop


def _slips(word: str) -> set[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    parts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    slips = {a + b[1:] for a, b in parts if b}
    slips |= {a + b[1] + b[0] + b[2:] for a, b in parts if len(b) > 1}
    slips |= {a + c + b[1:] for a, b in parts if b for c in letters}
    slips |= {a + c + b for a, b in parts for c in letters}
    return slips - {word}
