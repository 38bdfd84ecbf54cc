"""Exports the retrieval encoder: all-MiniLM-L6-v2 as it is, with pooling and normalisation inside the graph."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from services.lib.language.encoder import Encoder
from services.lib.language.train.base import base_model
from services.lib.language.train.export import export
from services.lib.language.train.smooth import smooth

SMOOTHING = 0.8
"""Of .5, .7 and .85 the upper two kept a text's ten nearest best (.87, .95, .94; .92 without)."""


class Fidelity(NamedTuple):
    """int8 against fp32: cosine of a text's two vectors, and the share of its ten nearest that stay."""

    mean_cosine: float
    least_cosine: float
    neighbours: float


class EncoderNetwork(torch.nn.Module):  # type: ignore[misc]  # torch is an extra, absent where types are checked
    """(input_ids, attention_mask) to the unit mean of the token vectors, and the token vectors themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(base_model(), attn_implementation="eager", add_pooling_layer=False)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=torch.zeros_like(input_ids),
        ).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=1), tokens


def export_encoder(target: Path, tokenizer: Tokenizer, texts: Sequence[str]) -> EncoderNetwork:
    """Write the int8 graph with outputs `embedding` (n, 384) and `token_embeddings` (n, tokens, 384).

    Calibrated on `texts`. Returns the network in fp32, to compare with.
    """
    network = EncoderNetwork()
    smooth(network, tokenizer, texts, SMOOTHING)
    original = EncoderNetwork()
    original.eval()
    export(network, {"embedding": 1, "token_embeddings": 2}, target)
    return original


def fidelity(network: EncoderNetwork, shipped: Encoder, tokenizer: Tokenizer, texts: Sequence[str]) -> Fidelity:
    """How near the int8 vectors of `texts` (eleven or more) are to the network's."""
    exact = []
    with torch.inference_mode():
        for encoding in tokenizer.encode_batch(list(texts)):
            ids = torch.tensor([encoding.ids])
            exact.append(network(ids, torch.ones_like(ids))[0][0].numpy())
    left, right = np.stack(exact), shipped.encode(texts)
    cosines = (left * right).sum(1)
    shared = [
        len({*np.argsort(-left @ left[row])[1:11]} & {*np.argsort(-right @ right[row])[1:11]}) / 10
        for row in range(len(texts))
    ]
    return Fidelity(float(cosines.mean()), float(cosines.min()), float(np.mean(shared)))
