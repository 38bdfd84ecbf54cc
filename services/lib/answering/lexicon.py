"""Lexicon: the words by which questions are understood, read from `data/lexicon.toml` and `data/glossary.toml`.

Patterns are matched on folded text (`services.lib.index.terms.fold`), those of all languages on every message.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

from services.lib.index.terms import fold, stem, words


@dataclass(frozen=True)
class Lexicon:
    cues: Mapping[str, re.Pattern[str]]
    talk: Mapping[str, re.Pattern[str]]
    """Kind of small talk to a phrase of it; a pattern matches one phrase anchored at the start."""
    price: Mapping[str, str]
    """Role ("under", "between", ...) to an alternation, longest word first."""
    currencies: Mapping[str, str]
    """ISO 4217 code to an alternation of its names."""
    negation: Mapping[str, str]
    stock: Mapping[str, re.Pattern[str]]
    promises: re.Pattern[str]
    stop: frozenset[str]
    """Words that say nothing about a product or a rule."""
    groups: Mapping[str, frozenset[str]]
    """Stem to the stems that mean the same in any of the languages."""
    neutral: frozenset[str] = frozenset()
    """Words of a question about a rule that the rule need not repeat."""
    relations: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Stem of a question about a product to stems of what answers it, one way."""
    phrases: tuple[tuple[re.Pattern[str], str], ...] = ()

    def has(self, cue: str, folded: str) -> bool:
        return self.cues[cue].search(folded) is not None

    def content(self, text: str) -> list[str]:
        """Words of a text that say something, in order."""
        return [word for word in words(text) if word not in self.stop]

    def alike(self, one: str) -> frozenset[str]:
        """Stems that stand for the same as this stem, itself included."""
        return self.groups.get(one, frozenset()) | {one}

    def replaced(self, folded: str) -> str:
        """The folded text with phrases in the word that stands for them."""
        for pattern, word in self.phrases:
            folded = pattern.sub(word, folded)
        return folded

    def related(self, one: str) -> frozenset[str]:
        """Stems of fields that answer a question with this stem."""
        return self.relations.get(one, frozenset())


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    data = _read("lexicon.toml")
    return Lexicon(
        cues={name: re.compile("|".join(_flat(by_language))) for name, by_language in data["cues"].items()},
        talk={
            name: re.compile(rf"(?:{_alternation(_flat(by_language))})(?![a-z0-9])")
            for name, by_language in data["talk"].items()
        },
        price={role: _alternation(found) for role, found in data["price"].items()},
        currencies={code: _alternation(found) for code, found in data["currencies"].items()},
        negation={role: _alternation(found) for role, found in data["negation"].items()},
        stock={
            polarity: re.compile(rf"(?<!\w)(?:{_alternation(found)})(?!\w)")
            for polarity, found in data["stock_words"].items()
        },
        promises=re.compile("|".join(data["promises"]["patterns"])),
        stop=frozenset(words(data["stop"]["words"])) | frozenset(data["stop"]["words"].split()),
        groups=_groups(_read("glossary.toml")["groups"]),
        neutral=frozenset(words(data["neutral"]["words"])),
        phrases=tuple(
            (re.compile(rf"(?<![a-z])(?:{asked})(?![a-z])"), word)
            for line in _read("glossary.toml")["phrases"]
            for asked, _, word in [line.partition(" : ")]
        ),
        relations=_relations(_read("glossary.toml")["related"]),
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("data", name).read_text("utf-8"))


def _flat(by_language: Mapping[str, list[str]]) -> list[str]:
    return [pattern for patterns in by_language.values() for pattern in patterns]


def _alternation(patterns: Iterable[str]) -> str:
    """Longest first, since Python takes the first alternative that fits and not the longest."""
    return "|".join(sorted(patterns, key=len, reverse=True))


def _groups(lines: Iterable[str]) -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for line in lines:
        members = {stem(word) for word in words(fold(line))}
        for member in members:
            groups.setdefault(member, set()).update(members)
    return {member: frozenset(found) for member, found in groups.items()}


def _relations(lines: Iterable[str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for line in lines:
        asked, _, answers = line.partition(" : ")
        fields = frozenset(stem(word) for word in words(answers))
        for one in (stem(word) for word in words(asked)):
            found[one] = found.get(one, frozenset()) | fields
    return found
