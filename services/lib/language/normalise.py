"""Puts a chat message into the words that the sentiment model was trained on.

The model reads text: emoji become their names ("😡" is " enraged face "), links and handles become the two
placeholders of the tweets it learned from (TweetEval: `http`, `@user`), and stretched letters are cut.
"""

import html
import re

import emoji

from services.lib.language.text_model import MAX_CHARACTERS

_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w.@])@\w+")
_STRETCH = re.compile(r"([^\W\d])\1{2,}")
_RUN = re.compile(r"([^\w\s]\ufe0f?)\1{3,}")

_MEANT = {"\N{SERIOUS FACE WITH SYMBOLS COVERING MOUTH}": " swearing angry face "}
"""An emoji newer than the tweets, whose name ("face with symbols on mouth") does not say what it means."""


def normalise(text: str) -> str:
    """Plain, single-spaced text; empty where nothing was said. Reads the first 8,000 characters.

    HTML entities and literal ``\\uXXXX`` escapes are decoded: gateways (and the SemEval files) let them through.
    """
    text = text[:MAX_CHARACTERS]
    text = html.unescape(_ESCAPES.sub(_unescape, text))
    text = _URL.sub("http", text)
    text = _HANDLE.sub("@user", text)
    text = _RUN.sub(r"\1\1\1", text)  # before emoji are spelled out: forty angry faces are three
    if not text.isascii():
        for sign, meaning in _MEANT.items():
            text = text.replace(sign, meaning)
        text = emoji.demojize(text, delimiters=(" ", " "))
    text = re.sub(r"(?<=\w)_(?=\w)", " ", text)
    text = _STRETCH.sub(r"\1\1", text)
    return " ".join(text.split())


def _unescape(match: re.Match[str]) -> str:
    """UTF-16 code units, so that the two halves of an emoji become one; a half alone becomes U+FFFD."""
    return bytes.fromhex(match[0].replace("\\u", "")).decode("utf-16-be", "replace")
