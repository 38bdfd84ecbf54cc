"""talk_of: whether a message is nothing but small talk, and which. Pure."""

from typing import Literal

from services.lib.answering.lexicon import lexicon

Talk = Literal["greeting", "thanks", "goodbye", "who", "help", "refused"]

MAX_CHARACTERS = 160
"""Longer is a message with a matter in it."""

_ORDER = ("who", "goodbye", "thanks", "greeting", "filler")
"""What counts where a message holds several, gravest first."""


def talk_of(folded: str) -> Talk | None:
    """`folded` is a folded message. It is small talk if phrases of small talk use it up entirely."""
    if len(folded) > MAX_CHARACTERS:
        return None
    talk = lexicon().talk
    rest = folded
    found: set[str] = set()
    while rest := rest.lstrip(" \t\n.,!?;:-–—()'\"…*~") if rest else "":
        if not rest[0].isalnum():  # emoji and other signs
            rest = rest[1:]
            continue
        longest, kind = max(
            ((match.end(), kind) for kind in _ORDER if (match := talk[kind].match(rest))), default=(0, "")
        )
        if not longest:
            return None
        found.add(kind)
        rest = rest[longest:]
    kind = next((kind for kind in _ORDER if kind in found), "filler")
    return "help" if kind == "filler" else kind  # type: ignore[return-value]  # one of the keys above
