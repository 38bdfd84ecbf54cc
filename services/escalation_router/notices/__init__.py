"""`Notices`: the shop's fixed words, one file per language, complete or not loaded at all."""

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Self

from babel.localedata import locale_identifiers
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.chat import RejectionCause
from schemas.reasons import Reason
from services.escalation_router.policy import sentence

PACKAGED = Path(__file__).parent
FALLBACK = "en"
"""For languages without a file: a shopper who writes Polish gets English words rather than none."""

LANGUAGES = frozenset(locale_identifiers())
"""In which a moment can be written out."""

NAMES = ("one_moment", "human_joined", "given_back", "contact_noted", "cancelled")
QUICK_REPLIES = ("human", "cancel_handoff")


PHRASE_CHARACTERS = 200
QUOTING = ["{quote}", "{time}"]
"""What the notice of a withdrawal has filled in; the other texts are said as they stand."""

Text = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]

_WANTED: dict[str, set[str]] = {
    "notices": set(NAMES),
    "reasons": {str(reason) for reason in Reason},
    "rejections": {str(cause) for cause in RejectionCause},
    "quick_replies": set(QUICK_REPLIES),
    "phrases": {"accept", "cancel"},
}


class WrongNotices(Exception):
    """A file is missing or incomplete; the text names it."""


class Words(BaseModel):
    """One language's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    disclosure: Text
    notices: dict[str, Text]
    reasons: dict[Reason, Text]
    rejections: dict[RejectionCause, Text]
    quick_replies: dict[str, Annotated[Text, Field(max_length=80)]]
    phrases: dict[str, list[str]]

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        for field, names in _WANTED.items():
            if not isinstance(table := given.get(field), dict):
                continue  # pydantic says so
            if missing := sorted(names - set(table)):
                raise ValueError(f"{field}: {missing[0]!r} is missing")
            if unknown := sorted(set(table) - names):
                raise ValueError(f"{field}: {unknown[0]!r} is not known")
        return given

    @model_validator(mode="after")
    def _fillable(self) -> Self:
        texts = {"disclosure": self.disclosure}
        for field in ("notices", "reasons", "rejections", "quick_replies"):
            texts |= {f"{field}.{name}": text for name, text in getattr(self, field).items()}
        for name, text in texts.items():
            wanted = QUOTING if name == f"reasons.{Reason.WITHDRAWAL_NOTICE}" else []
            if sorted(re.findall(r"\{.*?\}|[{}]", text)) != wanted:
                raise ValueError(f"{name}: it must contain {' and '.join(wanted) or 'no braces'}, each once")
        for kind, phrases in self.phrases.items():
            if not phrases or not all(bare(phrase) for phrase in phrases):
                raise ValueError(f"phrases.{kind}: a phrase without a letter, or none at all")
        return self

    def is_phrase(self, kind: str, text: str) -> bool:
        """Whether the whole message is one of the phrases, whatever its case and punctuation."""
        return len(text) <= PHRASE_CHARACTERS and bare(text) in {bare(phrase) for phrase in self.phrases[kind]}


class Notices:
    def __init__(self, words: dict[str, Words]) -> None:
        self._words = words

    @classmethod
    def load(cls, folder: Path = PACKAGED) -> Self:
        """All `<language>.toml` of a folder. Raises `WrongNotices`."""
        words: dict[str, Words] = {}
        for path in sorted(folder.glob("*.toml")):
            if not re.fullmatch("[a-z]{2,3}", path.stem) or path.stem not in LANGUAGES:
                raise WrongNotices(f"{path}: {path.stem!r} is no ISO 639 code of a language")
            try:
                words[path.stem] = Words.model_validate(tomllib.loads(path.read_text("utf-8")))
            except OSError as error:
                raise WrongNotices(f"{path}: {error.strerror}") from None
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise WrongNotices(f"{path}: {error}") from None
            except ValidationError as error:
                raise WrongNotices(f"{path}: {sentence(error)}") from None
        if FALLBACK not in words:
            raise WrongNotices(f"{folder}: {FALLBACK}.toml is missing")
        return cls(words)

    def speaks(self, language: str) -> str:
        """The language a notice comes in for a shopper of this one."""
        return language if language in self._words else FALLBACK

    def of(self, language: str) -> Words:
        return self._words[self.speaks(language)]


def bare(text: str) -> str:
    """Letters and digits of a short message, lower case, accents and punctuation dropped."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c if c.isalnum() else " " for c in decomposed if not unicodedata.combining(c)).split())
