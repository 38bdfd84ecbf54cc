"""`DeadLetters`: what a consumer cannot process is put aside, encrypted, with where it came from.

The original bytes are kept (up to 2 MiB, then cut, with the hash of the whole) so that they can be sent
again; the text of the error names fields and rules, never values. What is sent again says for which group
it is, since the others have had it.

The original's headers are not kept. Events are whole without them (CloudEvents' structured mode, and no
consumer of ours reads a header but `x-redrive-group`), they may hold what must not lie open beside a sealed
body, and a foreign one could make a letter larger than its topic takes.
"""

import copy
import hashlib
import os
import re
from base64 import b64encode
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from aiokafka import ConsumerRecord
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.topics import BY_NAME, DEAD_LETTER_LIMIT, Topic
from services.lib.kit import metrics
from services.lib.kit.broker import Publisher
from services.lib.kit.errors import Braked, Poison
from services.lib.kit.settings import aes_key

REDRIVE = "x-redrive-group"
"""Header of a record that is sent again: the group that it is for."""

_SMALLER = (512 * 1024, 0)
"""Bytes of the original that a letter is cut to where Kafka does not take it whole."""

_KEY_LIMIT = 32 * 1024
"""Bytes of a key that a letter keeps. A longer one is nobody's: with it the letter might not fit its own topic."""

_HEADER_LIMIT = 8192
"""Bytes of one header of a letter: ten times 500, where every character of an error is written as an escape,
and ample. What is longer is not ours."""

_PLACE = re.compile(r"([A-Za-z0-9._-]{1,249})/(0|[1-9][0-9]{0,9})/(0|[1-9][0-9]{0,18})", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)

_HEADERS = ("x-origin", "x-group", "x-cause", "x-error", "x-failed-at", "x-sha256")
"""Of every letter, in the order of `Letter`'s fields."""

_NONCE_BYTES = 12
"""NIST SP 800-38D: 96 bits, random per letter."""


class Letter(NamedTuple):
    """One dead letter, as headers tell it."""

    origin: str
    """`topic/partition/offset` it was read from."""
    group: str
    cause: str
    error: str
    failed_at: str
    sha256: str
    """Of the original's whole value."""
    cut: bool
    """Not all of the original is here."""
    tombstone: bool
    """The original had no value at all, which Kafka tells from an empty one."""


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "Place":
        """From `topic/partition/offset`. Raises `ValueError`."""
        match = _PLACE.fullmatch(text)
        if match is None:
            raise ValueError("not written as topic/partition/offset")
        return cls(match[1], int(match[2]), int(match[3]))

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Lost(Exception):
    """The original of a letter cannot be had back; the text says why."""


class Vault:
    """AES-256-GCM with the origin as associated data: a letter cannot be passed off as another's."""

    def __init__(self, key: str) -> None:
        """`key`: base64 of 32 bytes; `ValueError` where it is not."""
        self._cipher = AESGCM(aes_key(key))

    @staticmethod
    def new_key() -> str:
        return b64encode(AESGCM.generate_key(256)).decode()

    def seal(self, body: bytes, origin: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, body, origin.encode())

    def open(self, sealed: bytes, origin: str) -> bytes:
        """Raises `ValueError` where key or origin are not the ones it was sealed with."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], origin.encode())
        except (InvalidTag, ValueError):  # the latter where it is shorter than a nonce
            raise ValueError("sealed with another key, or not a dead letter of this origin") from None


class Brake:
    """Raises `Braked` where a consumer dead-letters nearly everything: then the fault is ours, not theirs.

    Either `run` letters in a row, or more than half of the last `window` records. Until the first good record of a
    process `start` in a row are enough: one that is started again and again must not make `run` letters each time.
    """

    def __init__(self, run: int = 50, window: int = 500, ratio: float = 0.5, start: int = 10) -> None:
        self._run_limit, self._ratio, self._limit = run, ratio, min(start, run)
        self._run = 0
        self._last: deque[bool] = deque(maxlen=window)

    def copy(self) -> "Brake":
        """For a batch that may have to be counted again."""
        other = copy.copy(self)
        other._last = copy.copy(self._last)
        return other

    def good(self) -> None:
        self._run, self._limit = 0, self._run_limit
        self._last.append(False)

    def bad(self) -> None:
        self._run += 1
        self._last.append(True)
        full = len(self._last) == self._last.maxlen
        if self._run >= self._limit:
            raise Braked(f"{self._run} dead letters in a row")
        if full and sum(self._last) > self._ratio * len(self._last):
            raise Braked(f"{sum(self._last)} of the last {len(self._last)} records were dead letters")


class DeadLetters:
    """Seals records and publishes them on `<topic>.dlq`."""

    def __init__(self, publisher: Publisher, group: str, vault: Vault) -> None:
        self._publisher, self._group, self._vault = publisher, group, vault

    def for_others(self, record: ConsumerRecord) -> bool:
        """Whether the record is sent again for another group, so that ours has had it."""
        return any(name == REDRIVE and value != self._group.encode() for name, value in record.headers or ())

    def sealed(
        self, record: ConsumerRecord, cause: str, error: str, now: datetime, limit: int = DEAD_LETTER_LIMIT - 1024
    ) -> tuple[str, bytes | None, bytes, dict[str, str]]:
        """Topic, key, value and headers of the letter; of the original at most `limit` bytes are kept."""
        origin = f"{record.topic}/{record.partition}/{record.offset}"
        body, key = record.value or b"", record.key
        headers = {
            "x-origin": origin,
            "x-group": self._group,
            "x-cause": cause,
            "x-error": error[:500].encode("ascii", "backslashreplace").decode(),
            "x-failed-at": now.isoformat(),
            "x-sha256": hashlib.sha256(body).hexdigest(),
        }
        if record.value is None:
            headers["x-tombstone"] = "true"
        if len(body) > limit or len(key or b"") > _KEY_LIMIT:
            body, key = body[:limit], key and key[:_KEY_LIMIT]
            headers["x-cut"] = "true"
        topic = BY_NAME[record.topic].dead_letters
        return topic, key, self._vault.seal(body, origin), headers

    async def put(self, record: ConsumerRecord, cause: str, error: str, now: datetime) -> None:
        """Publish the letter; confirmed before it returns, so that the offset may be committed after it.

        Where Kafka does not take it whole it is cut further: a letter must not stop the partition it is about.
        """
        letter = self.sealed(record, cause, error, now)
        for limit in _SMALLER:
            try:
                await self._publisher.send(*letter)
            except Poison:
                letter = self.sealed(record, cause, error, now, limit)
            else:
                break
        else:
            await self._publisher.send(*letter)
        metrics.DEAD_LETTERS.labels(self._group, record.topic, cause).inc()


def letter_of(headers: Iterable[tuple[str, bytes | None]] | dict[str, str]) -> Letter:
    """What the headers of a dead letter say. Raises `ValueError` where they are not as we write them."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    found: dict[str, str] = {}
    for name, value in pairs:
        raw = value.encode() if isinstance(value, str) else value or b""
        if len(raw) > _HEADER_LIMIT:
            raise ValueError("a header is too long")
        found[name] = raw.decode("utf-8", "backslashreplace")
    missing = [name for name in _HEADERS if name not in found]
    if missing:
        raise ValueError(f"without {missing[0]}")
    Place.parse(found["x-origin"])
    if not _HASH.fullmatch(found["x-sha256"]):
        raise ValueError("x-sha256 is no hash")
    origin, group, cause, error, failed_at, sha256 = (found[name] for name in _HEADERS)
    cut, tombstone = (found.get(name) == "true" for name in ("x-cut", "x-tombstone"))
    return Letter(origin, group, cause, error, failed_at, sha256, cut, tombstone)


def origin_of(letter: Letter, lies_in: str) -> tuple[Topic, Place]:
    """Topic and place of the original of a letter that lies in the topic `lies_in`. Raises `Lost`."""
    place = Place.parse(letter.origin)
    topic = BY_NAME.get(place.topic)
    if topic is None:
        raise Lost("its origin is no topic of the registry")
    if topic.dead_letters != lies_in:
        raise Lost("its origin is another topic than the one whose dead letters it lies in")
    return topic, place


def opened(letter: Letter, sealed: bytes | None, vault: Vault) -> bytes | None:
    """The original's value, bit for bit. Raises `Lost`."""
    if letter.cut:
        raise Lost("cut: not all of it was kept")
    try:
        body = vault.open(sealed or b"", letter.origin)
    except ValueError as error:
        raise Lost(str(error)) from None
    if hashlib.sha256(body).hexdigest() != letter.sha256:
        raise Lost("its hash is not the one that its header names")
    return None if letter.tombstone and not body else body
