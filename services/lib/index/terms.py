"""Words of a text as search and answers compare them: casefolded, without accents, CJK cut by character."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+(?:[.'’-][^\W_]+)*")
_SPLIT = re.compile(r"[.'’-]")
_CJK = re.compile(r"([぀-ヿ㐀-䶿一-鿿가-힯])")
"""Scripts written without spaces: each character is its own word, so that a part of a run is found."""

MAX_CHARACTERS = 8_000
"""As many as the models may see of a message."""


def fold(text: str) -> str:
    """Compatibility forms, casefolded, accents removed; "Größe" and "grosse" come out the same."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()


def words(text: str) -> list[str]:
    """Folded words in order. A compound ("t-shirt", "d'orange") gives its parts, a number stays whole."""
    spaced = _CJK.sub(r" \1 ", fold(text[:MAX_CHARACTERS]))
    found: list[str] = []
    for word in _WORD.findall(spaced):
        found += [word] if word[0].isdigit() else [part for part in _SPLIT.split(word) if part]
    return found


_ENDINGS = ("ing", "en", "er", "em", "e", "n")
"""Inflections that the four languages share, longest first, after a plural "s"."""


def stem(word: str) -> str:
    """A crude common stem, the same for "jacket" and "jackets", "rot" and "rotes", "battery" and "batteries".
    Never under three letters; numbers are left alone."""
    if word[-1:].isdigit() or len(word) < 4:
        return word
    if word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    ending = next((one for one in _ENDINGS if word.endswith(one) and len(word) - len(one) >= 3), "")
    word = word.removesuffix(ending)
    return word[:-1] + "i" if word.endswith("y") else word


def stems(text: str) -> list[str]:
    return [stem(word) for word in words(text)]
