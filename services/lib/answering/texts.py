"""Texts: the machine's fixed words in each language, and how it writes money and dates.

Read from `data/texts.toml`; a language that lacks a text, or names other fields, stops the start.
"""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from string import Formatter

from babel.dates import format_date
from babel.numbers import format_currency

from schemas.money import Money

LANGUAGES = ("en", "de", "fr", "es")


@lru_cache(maxsize=1)
def _texts() -> Mapping[str, Mapping[str, str]]:
    texts: dict[str, dict[str, str]] = tomllib.loads(
        files(__package__).joinpath("data", "texts.toml").read_text("utf-8")
    )
    expected = {key: _fields(text) for key, text in texts["en"].items()}
    for language in LANGUAGES:
        found = {key: _fields(text) for key, text in texts.get(language, {}).items()}
        if found != expected:
            differing = sorted(k for k in expected | found if expected.get(k) != found.get(k))
            raise ValueError(f"texts.toml: [{language}] differs from [en] in {', '.join(differing)}")
    return texts


def say(language: str, key: str, **fields: str) -> str:
    """The text of that name; fields are put in as they are, never read as a template."""
    return _texts()[language][key].format(**fields)


def money(value: Money, language: str) -> str:
    """As the language writes it: "$49.00", "49,00 €"."""
    written = format_currency(value.amount, value.currency, locale=language)
    return written.replace("\u00a0", " ").replace("\u202f", " ")


def date(value: datetime, language: str) -> str:
    """The day, in UTC."""
    return format_date(value.date(), format="long", locale=language)


def listed(values: tuple[str, ...] | list[str], most: int = 12) -> str:
    """A, B, C; a longer list ends in an ellipsis, so that it does not pass for complete."""
    return ", ".join(values[:most]) + (", …" if len(values) > most else "")


def _fields(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)
