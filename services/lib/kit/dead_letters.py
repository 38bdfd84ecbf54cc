"""`DeadLetters`: what a consumer cannot process is put aside, encrypted, with where it came from.

The original bytes are kept (up to 2 MiB, then cut, with the hash of the whole) so that they can be sent
again; the text of the error names fields and rules, never values. What is sent again says for which group
it is, since the others have had it.
"""

import copy
import hashlib
import os
from base64 import b64encode
from collections import deque
from datetime import datetime
from typing import NamedTuple

from aiokafka import ConsumerRecord
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.topics import BY_NAME, DEAD_LETTER_LIMIT
from services.lib.kit import metrics
from services.lib.kit.broker import Publisher
from services.lib.kit.errors import Braked, Poison
from services.lib.kit.settings import aes_key

REDRIVE = "x-redrive-group"
"""Header of a record that is sent again: the group that it is for."""

_SMALLER = (512 * 1024, 0)
"""Bytes of the original that a letter is cut to where Kafka does not take it whole."""

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
    cut: bool


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
        except InvalidTag:
            raise ValueError("sealed with another key, or not a dead letter of this origin") from None


class Brake:
    """Raises `Braked` where a consumer dead-letters nearly everything: then the fault is ours, not theirs.

    Either `run` letters in a row, or more than half of the last `window` records.
    """

    def __init__(self, run: int = 50, window: int = 500, ratio: float = 0.5) -> None:
        self._run_limit, self._ratio = run, ratio
        self._run = 0
        self._last: deque[bool] = deque(maxlen=window)

    def copy(self) -> "Brake":
        """For a batch that may have to be counted again."""
        other = copy.copy(self)
        other._last = copy.copy(self._last)
        return other

    def good(self) -> None:
        self._run = 0
        self._last.append(False)

    def bad(self) -> None:
        self._run += 1
        self._last.append(True)
        full = len(self._last) == self._last.maxlen
        if self._run >= self._run_limit:
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
        body = record.value or b""
        headers = {
            "x-origin": origin,
            "x-group": self._group,
            "x-cause": cause,
            "x-error": error[:500].encode("ascii", "backslashreplace").decode(),
            "x-failed-at": now.isoformat(),
            "x-sha256": hashlib.sha256(body).hexdigest(),
        }
        if len(body) > limit:
            body = body[:limit]
            headers["x-cut"] = "true"
        topic = BY_NAME[record.topic].dead_letters
        return topic, record.key, self._vault.seal(body, origin), headers

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


def letter_of(headers: dict[str, str]) -> Letter:
    """What the headers of a dead letter say. Raises `KeyError` where it is none."""
    return Letter(
        headers["x-origin"],
        headers["x-group"],
        headers["x-cause"],
        headers["x-error"],
        headers["x-failed-at"],
        headers["x-sha256"],
        headers.get("x-cut") == "true",
    )
