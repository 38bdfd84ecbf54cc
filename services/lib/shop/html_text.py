"""HTML as a shop's editors write it, read as plain text.

Block elements, headings, list items and table rows become lines; cells are parted by ` | `; scripts,
styles and Magento's template directives (`{{widget …}}`) are dropped. Character references are
resolved once, so text that spells out a tag stays text.
"""

import re
from html.parser import HTMLParser

MAX_CHARACTERS = 500_000
"""Markup read of one field. Longer is no description, and HTMLParser is quadratic on some broken input."""

_BLOCKS = frozenset(
    """
    address article aside blockquote br caption dd details div dl dt fieldset figcaption figure footer form
    h1 h2 h3 h4 h5 h6 header hr li main nav ol option p pre section summary table tbody tfoot thead tr ul
    """.split()  # noqa: SIM905  (a list of words reads better so)
)
_UNSEEN = frozenset({"script", "style", "template", "noscript", "head", "title", "svg", "iframe"})
_DIRECTIVE = re.compile(r"\{\{[^{}]{0,2000}\}\}")
_SPACE = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n[ \n]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b\u2060\ufeff\u00ad]")


def html_to_text(markup: str) -> str:
    """Plain text, one line per block, no empty lines, no markup."""
    reader = _Reader()
    reader.feed(_DIRECTIVE.sub(" ", markup[:MAX_CHARACTERS]))
    reader.close()
    joined = _CONTROL.sub("", "".join(reader.pieces))
    return _LINES.sub("\n", _SPACE.sub(" ", joined)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen: list[str] = []
        self._embedded = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif not self._unseen:
            self._break(tag)
            # Page Builder keeps an editor's own HTML escaped inside a div marked like this.
            self._embedded = ("data-content-type", "html") in attrs

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            while self._unseen.pop() != tag:
                pass
        elif not self._unseen:
            self._break(tag)
            self._embedded = False

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if self._embedded:
            self._embedded = False
            self.pieces.append("\n" + html_to_text(data) + "\n")
        else:
            self.pieces.append(_SPACE.sub(" ", data.replace("\n", " ")))

    def _break(self, tag: str) -> None:
        if tag in ("td", "th"):
            if self.pieces and not self.pieces[-1].endswith(("\n", " | ")):
                self.pieces.append(" | ")
        elif tag in _BLOCKS:
            if self.pieces and self.pieces[-1] == " | ":
                self.pieces.pop()
            self.pieces.append("\n")
