"""`redact`: what may be kept of a text that masking could not read, or that is nothing but numbers.

Card numbers and security codes must never be written, and nobody knows where they are: every run of digits that
could be one is blotted out. Too much rather than too little.
"""

import re

_DIGITS = re.compile(r"\d(?:[\W_]{0,3}\d){2,}")
"""Three digits or more, with up to three marks or spaces between two: a security code has three."""

PLACEHOLDER = "[message]"
"""Stands in `private` for a whole message that could not be masked."""


def redact(text: str) -> str:
    """`text` with every digit of a number of three digits or more as a dot."""
    return _DIGITS.sub(lambda found: re.sub(r"\d", "•", found.group()), text)
