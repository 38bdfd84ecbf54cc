"""`selectors`: the metrics and labels that a PromQL expression names, as far as this repository's go.

Not a parser of PromQL: names, `{...}` and `by (...)` are enough to hold an expression against the metrics module.
"""

import re
from typing import NamedTuple

_STRING = r'"(?:[^"\\]|\\.)*"'
_WORDS = frozenset({"and", "or", "unless", "on", "ignoring", "by", "without", "offset", "bool", "group_left"})
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_NAME = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*+)(\s*+\{[^}]*\})?+(?!\s*\()")
_DURATION = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")


class Selector(NamedTuple):
    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    """(label, operator, value)."""


def selectors(expression: str) -> list[Selector]:
    """Every series that is selected."""
    bare = _DURATION.sub(" ", _GROUPING.sub(" ", expression))
    found = []
    for name, braces in _NAME.findall(bare):
        if name not in _WORDS:
            matchers = re.findall(rf"(\w+)\s*(=~|!~|!=|=)\s*({_STRING})", braces)
            found.append(Selector(name, tuple((label, op, value[1:-1]) for label, op, value in matchers)))
    return found


def groupings(expression: str) -> set[str]:
    """Every label that is grouped or matched by."""
    return {label.strip() for inner in _GROUPING.findall(expression) for label in inner.split(",") if label.strip()}
