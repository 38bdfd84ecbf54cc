"""The containment rules: one file per language, checked whole before a single message is read.

A rule file (TOML) says which language it is for, may name pieces of pattern under `[words]` and words that
people misspell under `typos`, and holds rules:

    [[rule]]
    id = "en.legal_threat.lawyer"        # language, reason, name
    patterns = ["my (?:lawyer|attorney)"]
    unless = ["gift for my lawyer"]      # a hit that such a match overlaps does not count
    not_after = ["what happens if"]      # nor one that such a match precedes in the same sentence, or overlaps
    must = ["my lawyer will call you"]   # messages that this rule catches
    must_not = ["a gift for my lawyer"]  # messages that it does not

Patterns are RE2 (linear in time and memory whatever the message) over folded text (`fold`), with shorthands:

    ' '  a space                    '   an apostrophe or nothing ("can't": can t, cant)
    %    any ending of a word       ~   at most 30 characters of the same sentence      ~~  at most 70
    {x}  the piece `x` of [words]   ^ $ the beginning and the end of the message, marks aside

They begin and end at word boundaries. Accented letters may be written and mean the letter without its
accent, or with `e` after it for umlauts; a doubled letter in a word of five or more may come single. A file
that breaks any of this, a `must` that is not caught, a `must_not` that is, or a contained reason without a
rule, is one `ValueError` that names file and rule: the service does not start with half its rules.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import re2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.reasons import CONTAINED, Reason
from services.lib.language.fold import fold, typos

PACKAGED = Path(__file__).with_name("rules")
NEAR = 80
"""How many bytes before a hit `not_after` looks, and around it `unless`: about one sentence."""

GROUP_BYTES = 256 << 20
"""Ceiling of RE2's cache of states for a group of rules. Reached by no text seen; the process stays under 100 MB."""
REASONS_A_GROUP = 4
"""Fewer, larger groups are quicker where nothing matches, slower where something does."""

_MARK = "[ .!?]*"
_UMLAUTS = str.maketrans({"ä": "(?:ae?)", "ö": "(?:oe?)", "ü": "(?:ue?)", "ß": "(?:ss?)"})
_DOUBLED = re.compile(r"\\.|[a-z]{5,}")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RuleText(_Strict):
    """A rule as written."""

    id: str = Field(pattern=r"^[a-z]{2,3}\.[a-z0-9_]+\.[a-z0-9_]+$")
    patterns: tuple[str, ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()
    not_after: tuple[str, ...] = ()
    must: tuple[str, ...] = Field(min_length=1)
    must_not: tuple[str, ...] = Field(min_length=1)


class RuleFile(_Strict):
    """A rule file as written."""

    language: str = Field(pattern=r"^[a-z]{2,3}$")
    typos: tuple[str, ...] = ()
    words: dict[str, str] = {}
    rule: tuple[RuleText, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready to be tried."""

    id: str
    reason: Reason
    pattern: Any
    unless: Any | None
    not_after: Any | None

    def find(self, data: bytes) -> tuple[int, int] | None:
        """The first hit in folded text that no exemption takes back, in bytes."""
        at = 0
        while match := self.pattern.search(data, at):
            start, end = match.span()
            if not self._exempt(data, start, end):
                return start, end
            # From the next word on, so that an exempt hit does not hide a true one inside it.
            at = data.find(b" ", start + 1) + 1 or len(data)
        return None

    def _exempt(self, data: bytes, start: int, end: int) -> bool:
        if self.unless is not None:
            for match in self.unless.finditer(data, max(0, start - NEAR), min(len(data), end + NEAR)):
                if match.start() < end and match.end() > start:
                    return True
        if self.not_after is not None:
            sentence = max(data.rfind(mark, 0, start) for mark in (b".", b"!", b"?")) + 1
            if self.not_after.search(data, max(sentence, start - NEAR), end):
                return True
        return False


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules; `corrections` for `fold`; `version`, a hash of the files."""

    rules: tuple[Rule, ...]
    groups: tuple[tuple[Any, tuple[Rule, ...]], ...]
    corrections: Mapping[str, str]
    version: str

    @classmethod
    def load(cls, folder: Path = PACKAGED) -> "RuleBook":
        """Reads and checks every `*.toml` in `folder`. Raises ValueError in one sentence."""
        files = sorted(folder.glob("*.toml")) if folder.is_dir() else []
        if not files:
            raise ValueError(f"{folder}: no rule file (*.toml) there")
        digest = hashlib.sha256()
        texts: dict[Path, RuleFile] = {}
        for path in files:
            raw = path.read_bytes()
            digest.update(path.name.encode() + b"\0" + raw + b"\0")
            texts[path] = _read(path, raw)
        corrections = typos(fold(word).data.decode() for text in texts.values() for word in text.typos)
        rules: dict[str, Rule] = {}
        for path, text in texts.items():
            for rule in _rules(path, text, corrections):
                if rule.id in rules:
                    raise ValueError(f"{path.name}: rule {rule.id} is there twice")
                rules[rule.id] = rule
        ordered = tuple(sorted(rules.values(), key=lambda rule: rule.reason.rank))
        return cls(ordered, _groups(ordered), corrections, digest.hexdigest())

    def candidates(self, data: bytes) -> list[Rule]:
        """The rules worth trying: those of the groups that match somewhere. Most messages match none."""
        return [rule for sieve, rules in self.groups if sieve.search(data) for rule in rules]


def _read(path: Path, raw: bytes) -> RuleFile:
    try:
        text = RuleFile.model_validate(tomllib.loads(raw.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path.name}: not a TOML file in UTF-8: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path.name}: {where}: {first['msg']}") from error
    if text.language != path.stem:
        raise ValueError(f"{path.name}: its language is {text.language!r}, so it should be {text.language}.toml")
    return text


def _rules(path: Path, text: RuleFile, corrections: Mapping[str, str]) -> Iterator[Rule]:
    covered = set()
    for written in text.rule:
        where = f"{path.name}: rule {written.id}"
        language, name, _ = written.id.split(".")
        if language != text.language:
            raise ValueError(f"{where}: the id of a rule of this file begins with {text.language!r}")
        if name not in {reason.value for reason in CONTAINED}:
            raise ValueError(f"{where}: {name!r} is no contained reason")
        rule = Rule(
            written.id,
            Reason(name),
            _compiled(where, written.patterns, text.words),
            _compiled(where, written.unless, text.words) if written.unless else None,
            _compiled(where, written.not_after, text.words) if written.not_after else None,
        )
        for message in written.must:
            if rule.find(fold(message, corrections).data) is None:
                raise ValueError(f"{where}: it must catch {message!r} and does not")
        for message in written.must_not:
            if rule.find(fold(message, corrections).data) is not None:
                raise ValueError(f"{where}: it must not catch {message!r} and does")
        covered.add(rule.reason)
        yield rule
    if missing := sorted(CONTAINED - covered, key=lambda reason: reason.rank):
        raise ValueError(f"{path.name}: no rule for {', '.join(missing)}")


def _compiled(where: str, patterns: tuple[str, ...], words: Mapping[str, str]) -> Any:
    compiled = []
    for pattern in patterns:
        source = expand(where, pattern, words)
        try:
            re2.compile(source.encode(), options=_options())
        except re2.error as error:
            raise ValueError(f"{where}: pattern {pattern!r}: {error}") from error
        compiled.append(source)
    return re2.compile("|".join(compiled).encode(), options=_options())


def _groups(rules: tuple[Rule, ...]) -> tuple[tuple[Any, tuple[Rule, ...]], ...]:
    """One pattern for many rules. Not `re2.Set`: out of memory it says "no match", where a pattern goes on."""
    options = _options()
    options.max_mem = GROUP_BYTES
    groups = []
    for _, some in groupby(rules, key=lambda rule: rule.reason.rank // REASONS_A_GROUP):
        group = tuple(some)
        pattern = re2.compile(b"|".join(rule.pattern.pattern for rule in group), options=options)
        groups.append((pattern, group))
    return tuple(groups)


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    return options


def expand(where: str, pattern: str, words: Mapping[str, str]) -> str:
    """The RE2 source that a pattern of a rule file stands for."""
    for _ in range(5):
        if "{" not in pattern:
            break
        pattern = re.sub(r"\{([a-z_]+)\}", lambda found: f"(?:{_word(where, found[1], words)})", pattern)
    if re.search(r"\{[a-z_]+\}", pattern):
        raise ValueError(f"{where}: the pieces under [words] refer to one another in a circle")
    plain = _plain(pattern)
    plain = _DOUBLED.sub(lambda found: re.sub(r"([a-z])\1", r"\1\1?", found[0]), plain)
    plain = plain.replace("'", " ?").replace("%", "[a-z]*")
    plain = plain.replace("~~", "[^.!?]{0,70}").replace("~", "[^.!?]{0,30}")
    head, tail = r"\b", r"\b"
    if plain.startswith("^"):
        head, plain = f"^{_MARK}", plain[1:]
    if "$" in plain:
        tail, plain = r"(?:\b|$)", plain.replace("$", rf"\b{_MARK}$")
    return f"{head}(?:{plain}){tail}"


def _word(where: str, name: str, words: Mapping[str, str]) -> str:
    if name not in words:
        raise ValueError(f"{where}: there is no {name!r} under [words]")
    return words[name]


def _plain(pattern: str) -> str:
    """A pattern without accents: umlauts may have their `e`, other letters lose theirs."""
    return "".join(char if char.isascii() else fold(char).data.decode() for char in pattern.translate(_UMLAUTS))
