"""Fine-tunes MiniLM-L6 with a three-class head on its mean-pooled tokens. CPU, fp32, seeded.

Two stages. The first learns sentiment from tweets; the second, short, is the same task on this project's own
support messages mixed with tweets seen before, so that a polite report of a problem stops being an angry tweet.
"""

import logging
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModel

from services.lib.language.train.base import base_model
from services.lib.language.train.tweets import LABELS, Example

BATCH = 32
MAX_TOKENS = 96
WARM_UP = 0.06
WEIGHT_DECAY = 0.01
SMOOTHING = 0.05
log = logging.getLogger(__name__)


class Stage(NamedTuple):
    """Epochs of examples, the peak learning rate, and after how many steps to stop where not at the end."""

    epochs: Sequence[Sequence[Example]]
    rate: float
    steps: int | None = None


class SentimentNetwork(torch.nn.Module):  # type: ignore[misc]  # torch is an extra, absent where types are checked
    """Encoder, mean pooling, dropout, linear head: (input_ids, attention_mask) to logits of shape (n, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(base_model(), attn_implementation="eager", add_pooling_layer=False)
        self.dropout = torch.nn.Dropout(0.1)
        self.head = torch.nn.Linear(self.encoder.config.hidden_size, len(LABELS))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        tokens = self.encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=torch.zeros_like(input_ids),
        ).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return self.head(self.dropout(mean))


def train(network: SentimentNetwork, tokenizer: Tokenizer, stage: Stage, seed: int) -> None:
    """Train in place: AdamW, label smoothing, linear warm-up, linear decay to zero at the end of the epochs.

    The word vectors stay as they are: they are half of the weights, and 50,000 tweets move few of them well.
    """
    torch.manual_seed(seed)
    shuffle = random.Random(seed)  # noqa: S311  (order of examples, not a secret)
    network.train()
    network.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=stage.rate, weight_decay=WEIGHT_DECAY, fused=True)
    batches = [batch for epoch in stage.epochs for batch in _batches(epoch, tokenizer, shuffle)]
    warm_up = max(1, int(WARM_UP * len(batches)))
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    running = 0.0
    for step, (ids, mask, labels) in enumerate(batches[: stage.steps]):
        factor = min((step + 1) / warm_up, (len(batches) - step) / max(1, len(batches) - warm_up))
        for group in optimizer.param_groups:
            group["lr"] = stage.rate * factor
        loss = loss_of(network(ids, mask), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        running += float(loss.detach())
        if (step + 1) % 25 == 0:
            log.info("step %d of %d, loss %.4f", step + 1, len(batches), running / 25)
            running = 0.0


def predict(network: SentimentNetwork, tokenizer: Tokenizer, texts: Sequence[str]) -> NDArray[np.float32]:
    """Logits of shape (len(texts), 3) in fp32."""
    network.eval()
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    logits = np.zeros((len(texts), len(LABELS)), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            numbers = order[start : start + BATCH]
            ids, mask = _tensors([encoding.ids for encoding in tokenizer.encode_batch([texts[n] for n in numbers])])
            logits[numbers] = network(ids, mask).numpy()
    return logits


def _batches(
    examples: Sequence[Example], tokenizer: Tokenizer, shuffle: random.Random
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Batches of similar lengths in random order: on a CPU padding is paid in full."""
    rows = [
        (encoding.ids, example.label)
        for encoding, example in zip(
            tokenizer.encode_batch([example.text for example in examples]), examples, strict=True
        )
    ]
    shuffle.shuffle(rows)
    pool = BATCH * 50
    batches = []
    for start in range(0, len(rows), pool):
        near = sorted(rows[start : start + pool], key=lambda row: len(row[0]))
        batches += [near[at : at + BATCH] for at in range(0, len(near), BATCH)]
    shuffle.shuffle(batches)
    for batch in batches:
        ids, mask = _tensors([ids for ids, _ in batch])
        yield ids, mask, torch.tensor([label for _, label in batch])


def _tensors(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, padded at the end with 0 ([PAD])."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    return ids, (torch.arange(longest) < torch.tensor([len(row) for row in rows]).unsqueeze(1)).long()
