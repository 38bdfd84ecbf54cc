"""negations: what a message says it does not want ("without leather", "not red"), in any of the languages. Pure.

Only words the catalogue itself uses count: "no problem" and "not sure" exclude nothing.
"""

import re
from collections.abc import Set as AbstractSet
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from services.lib.answering.lexicon import lexicon
from services.lib.index.terms import fold, stem, words

MAX_WORDS = 2
"""Words of one thing that is not wanted, e.g. "artificial leather"."""


class Negations(BaseModel):
    model_config = ConfigDict(frozen=True)

    unwanted: tuple[str, ...]
    """Folded words or phrases, as the message has them."""
    rest: str
    """The folded message without them."""


def negations(message: str, known: AbstractSet[str]) -> Negations:
    """`known`: stems the catalogue uses, with those that mean the same."""
    folded = fold(message)
    unwanted: list[str] = []
    spans: list[tuple[int, int]] = []
    for match in _pattern().finditer(folded):
        things = _things(match["things"], known)
        if things:
            unwanted += things
            last = things[-1].split()[-1]
            spans.append((match.start(), match.start("things") + match["things"].rfind(last) + len(last)))
    for match in _suffix().finditer(folded):
        if stem(match["thing"]) in known:
            unwanted.append(match["thing"])
            spans.append(match.span())
    rest = folded
    for start, end in sorted(spans, reverse=True):
        rest = f"{rest[:start]} {rest[end:]}"
    return Negations(unwanted=tuple(dict.fromkeys(unwanted)), rest=" ".join(rest.split()))


def _things(text: str, known: AbstractSet[str]) -> list[str]:
    things: list[str] = []
    stop = lexicon().stop
    joiner = rf"\s+(?:{lexicon().negation['or']})\s+"
    # "not black, size L": a comma goes on with the list only where an "or" still comes.
    joins = list(re.finditer(joiner, text))
    end = text.find(",", joins[-1].end() if joins else 0)
    for part in re.split(rf"\s*,\s*|{joiner}", text if end < 0 else text[:end]):
        run: list[str] = []
        for word in words(part):
            if word in stop and not run:
                continue
            if word in stop or stem(word) not in known or len(run) == MAX_WORDS:
                break
            run.append(word)
        if not run:
            break
        # The first word is what is not wanted; a second one only where it is no noun of its own to look for.
        things.append(run[0])
    return things


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    cues = lexicon().negation["cues"]
    return re.compile(rf"(?<![a-z0-9'-])(?:{cues})[\s-]+(?P<things>[^.!?;:()]{{2,60}})")


@lru_cache(maxsize=1)
def _suffix() -> re.Pattern[str]:
    return re.compile(rf"\b(?P<thing>[a-z]{{3,20}})[ -]?(?:{lexicon().negation['suffixes']})\b")
