"""`examine`: what can be found out about an event without knowing its conversation.

Masks what was written, screens it, tells its language, proves the identity. It takes milliseconds and no state, so
it runs before the transaction. It never raises: what cannot be masked is not shown to the models, and what
cannot be screened passes as unscreened, which escalates.

The screening reads the original (card numbers cut), not the masked text: a mask may cover the very words that
make a subject ("Mr Anwalt", a name beside "died"), and what must be contained must not depend on what must be hidden.
Nothing leaves the process by it. Spans are then carried over to the masked text; a hit inside something masked
becomes the whole placeholder.
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas import chat
from schemas.event import Data
from schemas.topics import INBOUND_LIMIT
from services.ingest.found import MODEL_CHARACTERS, Found, Token, unmasked, words_of
from services.ingest.limits import is_blank
from services.ingest.redact import redact
from services.lib.language.masking import Masked, cut

_log = logging.getLogger(__name__)

CONTACT_EMAIL = "[contact email]"
CONTACT_PHONE = "[contact phone]"
"""Placeholders of what a shopper left in the fields for it, whether or not it looks like an address."""

OVERLAP = 400
"""Characters read past what the models see: the longest address or number that the edge could cut in two."""
DIGITS_MOST = 500
"""Beyond thirty telephone numbers a message is no shopper's: its numbers are blotted out, not told apart, which
takes a second for every thousand digits and would be a way to stop the line."""


@dataclass(frozen=True, slots=True)
class Readers:
    """The parts that read. Each may raise; `app` builds the real ones."""

    mask: Callable[[str], Masked]
    screen: Callable[[str, str], chat.Screening]
    """Of a text in a language, with spans of that text."""
    language_of: Callable[[str], str | None]
    """ISO 639-1 code; None where a text does not tell."""
    identify: Callable[[str, datetime], chat.Identity | None]
    """Whom a token proves now."""
    version: str
    """Of what screens."""


def examine(data: Data, size: int, readers: Readers, now: datetime) -> Found | None:
    """What is found about an inbound event or a reply of `size` bytes; None about any other event."""
    if not isinstance(data, chat.Inbound | chat.Reply):
        return None
    if isinstance(data, chat.CustomerMessage) and size > INBOUND_LIMIT:
        # It will be refused: not worth the time that reading it would take.
        return Found(size=size, screening=_unscreened(readers))
    try:
        found = _read(data, size, readers)
    except Exception as error:  # whatever it was, the message must pass
        _say("masking raised", error)
        found = unmasked(data, size, readers.version)
    if not isinstance(data, chat.Inbound):
        return found
    token, identity = _identify(data, readers, now)
    return found.model_copy(update={"token": token, "identity": identity})


def _read(data: Data, size: int, readers: Readers) -> Found:
    original = cut(words_of(data)[:INBOUND_LIMIT])
    masked, private = _masked(original, readers)
    truncated = len(original) > MODEL_CHARACTERS
    found = Found(
        size=size,
        original=original,
        masked=masked,
        truncated=truncated,
        private=private,
        screening=_unscreened(readers),
    )
    if isinstance(data, chat.ContactLeft):
        fields = {CONTACT_EMAIL: data.email, CONTACT_PHONE: data.phone}
        left = {name: cut(value) for name, value in fields.items() if value}
        whole = "\n".join(part for part in (original, *left.values()) if part)
        return found.model_copy(update={"original": whole, "private": {**private, **left}})
    if not isinstance(data, chat.CustomerMessage | chat.QuickReplyChosen):
        return found
    if is_blank(original):  # a picture alone
        screening = chat.Screening(complete=True, version=readers.version)
        return found.model_copy(update={"screening": screening})
    language = _language(original, readers)
    screening = _screening(original, masked, private, language or _subtag(data.locale) or "en", readers)
    return found.model_copy(update={"language": language, "screening": screening})


def _masked(original: str, readers: Readers) -> tuple[str, dict[str, str]]:
    """What the models may see of a text without cards, and what its placeholders stand for."""
    head = original[: MODEL_CHARACTERS + OVERLAP]
    if sum(char.isdigit() for char in head) > DIGITS_MOST:
        head = redact(head)
    masked = readers.mask(head)
    text = masked.text
    if len(original) > MODEL_CHARACTERS:
        text = text[: carried((0, MODEL_CHARACTERS), text, masked.private)[1]]
    return text, {name: value for name, value in masked.private.items() if name in text}


def _screening(
    original: str, masked: str, private: Mapping[str, str], language: str, readers: Readers
) -> chat.Screening:
    try:
        screening = readers.screen(original, language)
        evidence = tuple(
            one.model_copy(update={"span": _shown(one.span, masked, private)}) for one in screening.evidence
        )
        return screening.model_copy(update={"evidence": evidence})
    except Exception as error:
        _say("screening raised", error)
        return _unscreened(readers)


def _shown(span: tuple[int, int] | None, masked: str, private: Mapping[str, str]) -> tuple[int, int] | None:
    """Where the masked text shows `span` of the original; None where it ends before it."""
    if span is None:
        return None
    start, end = carried(span, masked, private)
    return (start, min(end, len(masked))) if start < len(masked) else None


def carried(span: tuple[int, int], masked: str, private: Mapping[str, str]) -> tuple[int, int]:
    """The span of `masked` that shows the half-open `span` of the original."""
    start, end = span
    first, last = start, end
    longer = 0  # how much longer the original is than the masked text, up to here
    names = "|".join(map(re.escape, private))
    for found in re.finditer(names, masked) if private else ():
        begins = found.start() + longer
        ends = begins + len(private[found.group()])
        longer += ends - begins - (found.end() - found.start())
        if ends <= start:
            first = start - longer
        elif begins <= start:
            first = found.start()
        if ends < end:
            last = end - longer
        elif begins < end:
            last = found.end()
    return first, last


def _language(text: str, readers: Readers) -> str | None:
    try:
        return readers.language_of(text)
    except Exception as error:
        _say("language identification raised", error)
        return None


def _identify(data: chat.Inbound, readers: Readers, now: datetime) -> tuple[Token, chat.Identity | None]:
    if data.identity_token is None:
        return "absent", None
    try:
        identity = readers.identify(data.identity_token, now)
    except Exception as error:
        _say("identification raised", error)
        identity = None
    return ("refused", None) if identity is None else ("proven", identity)


def _subtag(locale: str | None) -> str | None:
    return locale.replace("-", "_").split("_")[0] if locale else None


def _unscreened(readers: Readers) -> chat.Screening:
    return chat.Screening(complete=False, version=readers.version)


def _say(what: str, error: Exception) -> None:
    # The class alone: an error's text may quote what the shopper wrote.
    _log.error(what, extra={"fields": {"error": type(error).__name__}})
