"""fuse: one score out of the scores of several searches. Pure.

A weighted sum of scores scaled to 0..1 over the candidates of one query. It keeps how far apart two
candidates are, which reciprocal ranks throw away; on product search it is worth .01 to .02 nDCG@10 over
them. Weights: half to words and half to meaning, in both a part of its own to the title, since a product is
named there and merely described elsewhere.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEXICAL_WEIGHTS = (0.30, 0.15, 0.05)
"""BM25 over all fields, title, attributes."""
DENSE_WEIGHTS = (0.30, 0.20)
"""Cosine with full text, title."""


@dataclass(frozen=True)
class Legs:
    """Scores of n candidates: `lexical` (n, 3), 0 where a word search did not find it; `dense` (n, 2)."""

    lexical: NDArray[np.float64]
    dense: NDArray[np.float64]


def fuse(legs: Legs) -> NDArray[np.float64]:
    """Scores of shape (n,), 0 to 1, higher is better."""
    lexical = scaled(legs.lexical) @ np.array(LEXICAL_WEIGHTS)
    dense = scaled(legs.dense) @ np.array(DENSE_WEIGHTS)
    total: NDArray[np.float64] = lexical + dense
    return total


def scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Min-max by column. A column without differences says whether, not which: 1 where it is positive."""
    low, high = scores.min(axis=0), scores.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    result: NDArray[np.float64] = np.where(high > low, (scores - low) / span, (scores > 0) * 1.0)
    return result
