"""quotation: the part of a passage that answers a question: its sentences, or the rows of its table. Pure.

A sentence that leans on its neighbour ("It applies only to ...") is quoted with it, and of a table the header
comes along. Where no part answers by itself, the whole passage is quoted.
"""

import re

from services.lib.answering.lexicon import lexicon
from services.lib.answering.places import EU, EUROPE, WORLD, covers, places_of, regions_of
from services.lib.answering.retrieve import coverage
from services.lib.answering.understand import Understanding
from services.lib.index.documents import PassageDocument, sentences
from services.lib.index.terms import fold, stem, stems

_LEANS = re.compile(
    r"^(it|they|this|these|that|those|but|however|except|only|unless|otherwise|then|there is|in that case|also|"
    r"er|sie|es|dies\w*|aber|jedoch|ausser|nur|dabei|sonst|il|elle|ils|elles|mais|cependant|sauf|seulement|"
    r"pero|sin embargo|salvo|solo|esto|estos|esta)\b"
)


_LIMITED = re.compile(r"^(for|if|when|where|during|bei|fur|falls|wenn|pour|si|quand|para|en caso|cuando)\b")
"""Begins a case of a rule that stands before it."""


def quotation(u: Understanding, asked: tuple[str, ...], document: PassageDocument) -> str | None:
    """None where the question is about a place of which the passage does not speak."""
    text = document.text
    if u.places and not all(covers(places_of(document.full_text), place) for place in u.places):
        return None
    rows = [line for line in text.split("\n") if "|" in line]
    if len(rows) > 1 and (picked := _rows(u, rows[1:])):
        return "\n".join([rows[0], *picked])
    units = [part for line in text.split("\n") if "|" not in line for part in sentences(line)]
    about = [unit for unit in units if any(covers(places_of(unit), place) for place in u.places)]
    if u.places and about:
        return _span(text, units, [one for one in about if _hits(asked, one) == max(_hits(asked, o) for o in about)])
    # Words of the heading single no sentence out: who asks for no more wants all that stands under it.
    titled = set(stems(document.title_text))
    special = tuple(word for word in asked if not lexicon().alike(stem(word)) & titled)
    best = max((_hits(special, unit) for unit in units), default=0)
    if len(rows) > 1 or not best or not is_answered(u, text) or places_of(text):
        return text  # a rule that differs by country is quoted whole where none is named
    chosen = [unit for unit in units if _hits(special, unit) == best]
    if u.asks_time or u.asks_cost:  # all times and costs there are: one alone may be half the truth
        chosen = [unit for unit in units if unit in chosen or is_answered(u, unit)]
    quote = _span(text, units, chosen)
    said = coverage(asked, f"{document.title_text} {quote}") >= coverage(asked, document.full_text)
    return quote if said and is_answered(u, quote) else text


def is_answered(u: Understanding, quote: str) -> bool:
    """Whether it says a time where a time is asked for, a cost or that there is none where a cost is."""
    folded = fold(quote)
    if u.asks_cost:
        return lexicon().has("says_cost", folded)
    return not u.asks_time or lexicon().has("says_time", folded)


def _rows(u: Understanding, rows: list[str]) -> list[str]:
    """Rows of the place asked about: its own, else that of the smallest region that holds it; without a place
    those whose first cell the question names."""
    if not u.places:
        said = {stem(word) for word in lexicon().content(u.question)}
        first = [(row, set(stems(row.partition("|")[0])) & said) for row in rows]
        shared = set.intersection(*(found for _, found in first)) if first else set()
        return [row for row, found in first if any(not one.isdigit() for one in found - shared)]
    picked: list[str] = []
    for place in sorted(u.places):
        named = [(row, places_of(row.partition("|")[0])) for row in rows]
        own = [row for row, places in named if place in places]
        regions = [one for one in (EU, EUROPE, WORLD) if one in regions_of(place)]
        wider = next((found for r in regions if (found := [row for row, places in named if r in places])), [])
        picked += [row for row in own or wider if row not in picked]
    return picked


def _hits(asked: tuple[str, ...], unit: str) -> int:
    own = set(stems(unit))
    return sum(bool(lexicon().alike(stem(word)) & own) for word in asked)


def _span(text: str, units: list[str], chosen: list[str]) -> str:
    """From the first chosen to the last, as they stand, with the neighbours that lean on them."""
    first, last = units.index(chosen[0]), len(units) - 1 - units[::-1].index(chosen[-1])
    while first > 0 and (_LEANS.match(fold(units[first])) or _LIMITED.match(fold(units[first]))):
        first -= 1
    while last + 1 < len(units) and _LEANS.match(fold(units[last + 1])):
        last += 1
    start = text.find(units[first])
    end = text.find(units[last], start) + len(units[last])
    return text[start:end] if 0 <= start < end else text
