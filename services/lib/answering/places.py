"""places_of: countries and regions a text names, in any of the languages, and which region holds which country. Pure.

Names are those of the Unicode CLDR (through babel), with the short forms shops and shoppers use.
"""

import re
from collections.abc import Set as AbstractSet
from functools import lru_cache

from babel import Locale

from services.lib.answering.texts import LANGUAGES
from services.lib.index.terms import fold

EU, EUROPE, WORLD = "EU", "150", "001"
"""Codes CLDR gives to the European Union, Europe and the world."""

MEMBERS = frozenset(
    ("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK").split()  # noqa: SIM905
)
"""Of the European Union, ISO 3166-1."""

NEIGHBOURS = frozenset("AD AL BA CH GB IS LI MC MD ME MK NO RS SM UA VA XK".split())  # noqa: SIM905
"""European countries outside it."""

SHORT = {
    "US": ("usa", "u.s.", "u.s.a.", "the us", "the states", "america", "etats unis", "ee.uu.", "eeuu", "amerika"),
    "GB": ("uk", "u.k.", "great britain", "britain", "england", "scotland", "wales", "grossbritannien", "schottland",
           "grande-bretagne", "angleterre", "ecosse", "gran bretana", "inglaterra", "escocia"),
    "NL": ("holland", "hollande", "holanda", "the netherlands"),
    "CZ": ("czech republic", "tschechische republik"),
    "TR": ("turkey",),
    "HK": ("hong kong", "hongkong"),
    "MO": ("macau",),
    "EU": ("eu", "ue"),
    "001": ("worldwide", "weltweit", "dans le monde entier", "en todo el mundo", "all other countries",
            "rest of the world", "other countries", "alle anderen lander", "ubrige lander", "reste du monde",
            "autres pays", "resto del mundo", "otros paises"),
}  # fmt: skip
"""Besides the names of the CLDR, folded."""

NOT_A_PLACE = frozenset({"001", "ZZ", "EZ", "UN", "QO"})
AMBIGUOUS = frozenset(
    {"jersey", "guinea", "reunion", "chad", "georgia", "georgie", "jordan", "monaco", "mali", "man"}
)
"""Names that shops use for other things far more often: cloth, people, garments."""

_CAPITALS = re.compile(r"(?<![A-Za-z])US(?![A-Za-z$]| ?(?:dollars?|sizes?|men|women|layout|plug)\b)")
"""Written small it is a pronoun, and before some words no place."""


def places_of(text: str) -> frozenset[str]:
    """CLDR codes of what the text names."""
    found = {_codes()[match[0]] for match in _pattern().finditer(fold(text))}
    if _CAPITALS.search(text):
        found.add("US")
    return frozenset(found)


def regions_of(place: str) -> frozenset[str]:
    """Regions that hold this place."""
    if place in MEMBERS:
        return frozenset({EU, EUROPE, WORLD})
    return frozenset({EUROPE, WORLD}) if place == EU or place in NEIGHBOURS else frozenset({WORLD}) - {place}


def covers(named: AbstractSet[str], asked: str) -> bool:
    """Whether a text that names these places speaks of the one asked for."""
    return asked in named or bool(regions_of(asked) & named)


def without_places(text: str) -> str:
    """The text, folded, without the places it names."""
    return _pattern().sub(" ", fold(_CAPITALS.sub(" ", text)))


@lru_cache(maxsize=1)
def _codes() -> dict[str, str]:
    names: dict[str, str] = {}
    for language in LANGUAGES:
        for code, name in Locale(language).territories.items():
            whole = fold(name)
            for one in {whole, whole.partition(" (")[0]}:
                if code not in NOT_A_PLACE and one not in AMBIGUOUS and (code.isalpha() or code == EUROPE):
                    names.setdefault(one, code)
    names |= {name: code for code, short in SHORT.items() for name in short}
    return names


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    names = sorted(_codes(), key=len, reverse=True)
    return re.compile(rf"(?<![\w'-])(?:{'|'.join(re.escape(name) for name in names)})(?!\w)")
