"""The retrieval encoder: texts to unit vectors whose dot product says how near two texts are in meaning.

all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0) in int8. The mean of the token vectors and its
L2-normalisation are inside the graph.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from services.lib.language.text_model import MODELS, TextModel

DIMENSIONS = 384


class TextEncoder(Protocol):
    """What indexes and answers need of an encoder."""

    @property
    def version(self) -> str:
        """Names the weights: vectors of two versions are not comparable."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), DIMENSIONS), each of length 1, in order.

        Synchronous. A text's vector depends on that text alone.
        """
        ...


class Encoder:
    """The shipped encoder. Reads at most 256 tokens (about 190 English words) of a text; English only."""

    def __init__(self, model: TextModel) -> None:
        self._model = model

    @classmethod
    def load(cls, folder: Path = MODELS, *, threads: int = 1) -> Self:
        """Read `encoder.onnx` and `tokenizer.json` from `folder`. Raises FileNotFoundError."""
        return cls(TextModel.load(folder / "encoder.onnx", folder / "tokenizer.json", threads=threads))

    @property
    def version(self) -> str:
        return self._model.version

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder.encode`. The empty text has a vector too: near to nothing in particular."""
        rows = self._model.run(texts, "embedding")
        return np.stack(rows) if rows else np.empty((0, DIMENSIONS), dtype=np.float32)


class HashEncoder:
    """A fake for tests: a bag of hashed words. Texts that share words are near; it knows nothing else."""

    version = "hash"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder.encode`."""
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.casefold()):
                digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
                number = int.from_bytes(digest, "big")
                row[number % DIMENSIONS] += 1.0 if number >> 63 else -1.0
            if not row.any():  # no word, or words that cancel out
                row[0] = 1.0
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit
