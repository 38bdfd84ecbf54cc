"""A text model: an ONNX graph and its tokenizer, from texts to one row of numbers each.

What `Encoder` and `SentimentModel` share. Needs `onnxruntime` and `tokenizers` alone.

Texts go through the graph one at a time. Dynamic int8 quantisation takes each activation's range over the whole
input tensor, so in a batch a text's result depends on its neighbours (cosines down to .98 between the vectors of
one text alone and in company). One at a time it is a function of the text alone: a retried message gets the score
that it had, `baton evaluate` gets the figures of the line, and unchanged documents keep their vectors. On one thread
batches of 32 were no faster either (figures in `models/README.md`).
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

MODELS = Path(__file__).parent / "models"
MAX_TOKENS = 256
MAX_CHARACTERS = 8_000
"""Longer texts are cut before they are tokenised, so that a hostile megabyte costs no second of CPU."""


class TextModel:
    """An ONNX session with its tokenizer, synchronous and safe to call from several threads.

    Callers on an event loop go through `asyncio.to_thread`: ONNX Runtime releases the GIL while it computes.
    """

    def __init__(self, session: ort.InferenceSession, tokenizer: Tokenizer, version: str, threads: int) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._threads = threads
        self.version = version

    @classmethod
    def load(cls, weights: Path, tokenizer: Path, *, threads: int = 1) -> Self:
        """Read both files; `threads` texts are computed side by side.

        Raises FileNotFoundError naming the file that is missing, ValueError where `threads` is below 1.
        """
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        for file in (weights, tokenizer):
            if not file.is_file():
                raise FileNotFoundError(f"{file} is missing: `make models` writes it")
        content = weights.read_bytes()
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only: its warnings concern the graph's author
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        pieces = Tokenizer.from_file(str(tokenizer))
        pieces.no_padding()
        pieces.enable_truncation(MAX_TOKENS)
        return cls(session, pieces, hashlib.sha256(content).hexdigest()[:12], threads)

    def run(self, texts: Sequence[str], output: str) -> list[NDArray[np.float32]]:
        """The graph's `output` for each text, in order, without the batch axis. Texts may be empty or very long."""
        if not texts:
            return []
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch([_clean(text) for text in texts])]
        if self._threads == 1 or len(rows) == 1:
            return [self._row(ids, output) for ids in rows]
        with ThreadPoolExecutor(min(self._threads, len(rows))) as pool:
            return list(pool.map(lambda ids: self._row(ids, output), rows))

    def _row(self, ids: list[int], output: str) -> NDArray[np.float32]:
        tokens = np.asarray([ids], dtype=np.int64)
        result = self._session.run([output], {"input_ids": tokens, "attention_mask": np.ones_like(tokens)})
        row: NDArray[np.float32] = result[0][0]
        return row


def _clean(text: str) -> str:
    """Cut, and with lone surrogates replaced: the tokenizer refuses text that has no UTF-8 form."""
    return text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
