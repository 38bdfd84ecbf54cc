"""best_evidence: which of several texts answers a question, and how surely any does.

Meaning (cosine of encoder vectors) and words (share of the question's words that a candidate has, in any of
the shop's languages) added up; either alone is misled, meaning by short candidates, words by paraphrase.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.lib.answering.lexicon import lexicon
from services.lib.index.terms import stem, stems
from services.lib.language.encoder import TextEncoder

DENSE_WEIGHT = 0.5
"""The rest is words. On questions about products neither half alone ranks as well."""

LABEL = 0.15
"""Added where the question names the field itself: a field is a better answer than a sentence about it."""


@dataclass(frozen=True)
class Scored:
    """`score` 0 to 1; `overlap` is the share of the question's words the candidate has."""

    index: int
    score: float
    overlap: float
    cosine: float
    labelled: bool = False
    """True where the question names half of the field's label, or more."""


def rank_evidence(
    question: str, asked: str, candidates: Sequence[str], encoder: TextEncoder, ignored: Sequence[str] = ()
) -> tuple[Scored, ...]:
    """Candidates best first. `asked`: the question in words of the catalogue, which the encoder understands
    where it does not know the shopper's language. `ignored`: names of the product that all are about."""
    if not candidates:
        return ()
    left_out = {one for text in ignored for one in stems(text)}
    wanted = list(dict.fromkeys(one for word in lexicon().content(question) if (one := stem(word)) not in left_out))
    vectors = encoder.encode([question, asked or question, *candidates])
    cosines = np.clip((vectors[2:] @ vectors[:2].T).max(axis=1), 0.0, 1.0)
    overlaps = [_overlap(wanted, text) for text in candidates]
    scored = []
    for i, text in enumerate(candidates):
        score = DENSE_WEIGHT * float(cosines[i]) + (1 - DENSE_WEIGHT) * overlaps[i]
        labelled = _asks_for(wanted, text)
        score += LABEL * (labelled == 1.0)
        scored.append(Scored(i, min(1.0, score), overlaps[i], float(cosines[i]), labelled >= 0.5))
    return tuple(sorted(scored, key=lambda one: (-one.score, one.index)))


def _overlap(wanted: list[str], candidate: str) -> float:
    own = set(stems(candidate))
    met = sum(bool((lexicon().alike(one) | lexicon().related(one)) & own) for one in wanted)
    return met / len(wanted) if wanted else 0.0


def _asks_for(wanted: list[str], candidate: str) -> float:
    """Share of a field's label that the question names, or asks for in other words: of "Battery life: 40 hours"."""
    said = {other for one in wanted for other in (one, *lexicon().related(one))}
    label, colon, _ = candidate.partition(": ")
    own = [stem(word) for word in lexicon().content(label)]
    met = [one for one in own if lexicon().alike(one) & said]
    return len(met) / len(own) if colon and own else 0.0
