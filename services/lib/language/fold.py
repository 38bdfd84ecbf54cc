"""Folds a message into the plain form that rules are matched against, and keeps the way back to the text.

Shoppers write "I’M  SOOO   TIRED", "tel\u200befon", "GROESSE", "zurück", "remboursé" and "laywer". Rules
should not have to know. Folding yields lower-case text of letters, digits, single spaces and the three
sentence marks ``. ! ?``, with the edits that lead from each byte back to the original text, so that a hit can
be shown where the shopper wrote it. The way back is only worked out for a hit: most messages have none.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_KEPT = ".!?"
_ASCII = {code: (chr(code).lower() if chr(code).isalnum() or chr(code) in _KEPT else " ") for code in range(128)}
_HOMOGLYPHS = dict(zip("аеорсухіјѕԁһαορνιτυ", "aeopcyxijsdhaopvitu", strict=True))
"""Cyrillic and Greek letters that look Latin (Unicode TR39, the common ones). Only inside a word that also
has Latin letters: a word all in Cyrillic is Russian, not a disguise."""

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_UNTIDY = re.compile(r"[ .!?]{2,}|(?<=\d)\.(?=\d)")
"""Runs of marks and spaces; and the point within a number, which ends no sentence."""
_STRETCHED = re.compile(r"([a-z])\1\1+")
_WORD = re.compile(r"[a-z]{6,}")
_UNDECOMPOSED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i"})

_Edit = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Folded:
    """`data`: the folded text as UTF-8. `passes`: the edits of each pass, in the positions of its input."""

    data: bytes
    passes: tuple[tuple[_Edit, ...], ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original span of the folded bytes [start, end); a hit has at least one byte."""
        first, last = self._character(start), self._character(end - 1)
        for edits in reversed(self.passes):
            first, _ = _before(edits, first)
            _, last = _before(edits, last)
            last -= 1
        return first, last + 1

    def _character(self, at: int) -> int:
        """Which character the byte at `at` belongs to: as many as have begun by then, less one."""
        return sum(byte & 0xC0 != 0x80 for byte in self.data[: at + 1]) - 1


def fold(text: str, corrections: Mapping[str, str] | None = None) -> Folded:
    """Compatibility forms, case, accents, invisible characters, punctuation, stretched letters, known typos.

    Accents are dropped (``ü`` becomes ``u``; rules accept ``ue`` beside it), a letter said three times
    is said once ("pleeease" becomes "please"; rules accept one letter where a long word has two), anything
    that is not a letter, a digit or a sentence mark becomes a space. `corrections` replaces whole words.
    """
    letters = () if text.isascii() else tuple(_letters(text))
    plain = _apply(text, letters).translate(_ASCII)
    untidy = tuple(_tidied(plain))
    plain = _apply(plain, untidy)
    stretched = tuple((found.start(), found.end(), found[1]) for found in _STRETCHED.finditer(plain))
    plain = _apply(plain, stretched)
    corrected = tuple(_corrected(plain, corrections)) if corrections else ()
    plain = _apply(plain, corrected)
    return Folded(plain.encode("utf-8", "replace"), (letters, untidy, stretched, corrected))


def typos(words: Iterable[str]) -> dict[str, str]:
    """The slips of the finger that lead back to exactly one of `words`: {misspelt: meant}.

    Two neighbours swapped, a letter left out, a letter doubled, a vowel taken for another (Damerau 1964 found
    that one such slip makes four in five misspellings). Not a last letter left out, which is usually an
    inflection, and no word under six letters, where a slip often makes another word.
    """
    known = frozenset(words)
    found: dict[str, str | None] = {}
    for word in sorted(known):
        for slip in _slips(word) - known:
            found[slip] = word if found.get(slip, word) == word else None
    return {slip: word for slip, word in found.items() if word is not None}


def _slips(word: str) -> set[str]:
    if len(word) < 6:
        return set()
    slips = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(1, len(word) - 1)}
    slips |= {word[: i + 1] + word[i:] for i in range(len(word) - 1)}
    if len(word) >= 7:
        slips |= {word[:i] + word[i + 1 :] for i in range(1, len(word) - 1)}
        slips |= {
            word[:i] + vowel + word[i + 1 :]
            for i in range(1, len(word) - 2)
            if word[i] in "aeiou"
            for vowel in "aeiou"
        }
    return slips - {word}


def _letters(text: str) -> Iterable[_Edit]:
    for match in _NOT_ASCII.finditer(text):
        at = match.start()
        yield at, at + 1, _twin(text, at) or _letter(text[at])


def _twin(text: str, at: int) -> str | None:
    twin = _HOMOGLYPHS.get(text[at].casefold())
    near = text[max(0, at - 1) : at] + text[at + 1 : at + 2]
    return twin if twin and any(char.isascii() and char.isalpha() for char in near) else None


@lru_cache(maxsize=4096)
def _letter(char: str) -> str:
    if unicodedata.category(char) in ("Cf", "Mn", "Me", "Cc"):
        return ""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", char).casefold())
    kept = "".join(part for part in folded if unicodedata.category(part) not in ("Mn", "Me"))
    kept = kept.translate(_UNDECOMPOSED)
    return "".join(part if part.isalnum() or part in _KEPT else " " for part in kept) or " "


def _tidied(text: str) -> Iterable[_Edit]:
    for match in _UNTIDY.finditer(text):
        run = match.group()
        mark = next((char for char in "?!." if char in run), "") if len(run) > 1 else ""
        yield match.start(), match.end(), f"{mark} "


def _corrected(text: str, corrections: Mapping[str, str]) -> Iterable[_Edit]:
    for match in _WORD.finditer(text):
        if meant := corrections.get(match.group()):
            yield match.start(), match.end(), meant


def _apply(text: str, edits: tuple[_Edit, ...]) -> str:
    if not edits:
        return text
    pieces: list[str] = []
    done = 0
    for start, end, new in edits:
        pieces += (text[done:start], new)
        done = end
    pieces.append(text[done:])
    return "".join(pieces)


def _before(edits: tuple[_Edit, ...], at: int) -> tuple[int, int]:
    """The span, before `edits`, of the character at `at` after them. A new one stands for all it replaced."""
    shift = 0
    for start, end, new in edits:
        if at < start + shift:
            break
        if at < start + shift + len(new):
            return start, end
        shift += len(new) - (end - start)
    return at - shift, at - shift + 1
