"""Trains, exports, calibrates and measures the sentiment model.

Recipe: MiniLM-L6, mean pooling, three classes. Stage one: SemEval 2013-2016 and TweetEval emotion, in epochs of every
negative tweet and two thirds of the others (negatives are a fifth), the first half of a two-epoch schedule from lr
5e-5. Stage two takes lr from 2.5e-5 to zero, on four rounds of the support messages, each with 2,000 tweets of the
second epoch. Stage three settles what stage two was too short for: four rounds with 300 tweets each, from lr 2e-5.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from services.lib.language.evaluate import Metrics, measure
from services.lib.language.sentiment import SentimentScores
from services.lib.language.text_model import TextModel
from services.lib.language.train.classifier import SentimentNetwork, Stage, predict, train
from services.lib.language.train.export import append_softmax, export
from services.lib.language.train.smooth import smooth
from services.lib.language.train.support import read_support
from services.lib.language.train.tweets import (
    EMOTIONS,
    LABELS,
    Example,
    distinct,
    read_semeval,
    read_tweeteval,
    without_overlap,
)

SEED = 20170
SHARE_OF_CLASS = (1.0, 0.66, 0.66)
EPOCHS = 2
TWEET_RATE = 5e-5
TWEET_STEPS = 1_141
"""About half of the schedule: what stage two cools down from."""
ROUNDS = 4
COOLING = (2_000, 2.5e-5)
SETTLING = (300, 2e-5)
"""Tweets a round and learning rate of the stages with support messages."""
SMOOTHING = 0.88
"""Of .65, .72, .8 and .88 the one whose logits are nearest to those in fp32."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """Dev figures of a trained model. `support` is on this project's held-back messages, the rest on TweetEval's
    validation part; `unscaled` is before calibration, `calibrated` with the temperature of the other half."""

    examples: int
    full_precision: Metrics
    unscaled: Metrics
    calibrated: Metrics
    support: Metrics
    temperature: float

    def figures(self) -> dict[str, float]:
        """Flat, for the model card: `dev_macro_recall` and so on."""
        parts = {
            "fp32": self.full_precision,
            "raw": self.unscaled,
            "dev": self.calibrated,
            "support": self.support,
        }
        figures: dict[str, float] = {"examples": self.examples, "temperature": self.temperature}
        for part, metrics in parts.items():
            figures |= {f"{part}_{name}": value for name, value in metrics.model_dump().items()}
        return figures


def train_sentiment(data: Path, target: Path, tokenizer: Tokenizer) -> Report:
    """Read `data/sentiment`, write the int8 graph with `logits` and `probabilities`, both (n, 3), to `target`."""
    dev = read_dev(data)
    tweets = read_training(data, dev)
    log.info("%d tweets to learn from, %d to measure on", len(tweets), len(dev))
    torch.manual_seed(SEED)
    network = SentimentNetwork()
    train(network, tokenizer, Stage(tweet_epochs(tweets), TWEET_RATE, TWEET_STEPS), SEED)
    _log("after tweets", network, tokenizer, dev)
    for number, (count, rate) in enumerate((COOLING, SETTLING), start=1):
        train(network, tokenizer, Stage(support_rounds(tweets, count, SEED + number), rate), SEED + number)
    full = _log("after support messages", network, tokenizer, dev)
    calibration = random.Random(SEED).sample(tweets, 200) + read_support(held_back=False)  # noqa: S311
    smooth(network, tokenizer, [example.text for example in calibration], SMOOTHING)
    export(network, {"logits": 1}, target)
    return finish(target, tokenizer, dev, len(tweets), full)


def finish(target: Path, tokenizer: Tokenizer, dev: Sequence[Example], examples: int, full: Metrics) -> Report:
    """Calibrate the exported graph on `dev`, in place, and measure it."""
    gold = np.array([example.label for example in dev])
    logits = _logits(target, tokenizer, dev)
    support = read_support(held_back=True)
    temperature = fit_temperature(logits, gold)
    halves = np.empty_like(logits)
    for half in (0, 1):
        halves[half::2] = logits[half::2] / fit_temperature(logits[1 - half :: 2], gold[1 - half :: 2])
    report = Report(
        examples,
        full,
        _measure(logits, dev),
        _measure(halves, dev),
        _measure(_logits(target, tokenizer, support) / temperature, support),
        temperature,
    )
    append_softmax(target, "logits", "probabilities", temperature)
    return report


def read_dev(data: Path) -> list[Example]:
    """TweetEval's validation part."""
    return read_tweeteval(data / "sentiment/tweeteval_val", "val", {"0": 0, "1": 1, "2": 2})


def read_training(data: Path, dev: Sequence[Example]) -> list[Example]:
    """Distinct tweets without those that `dev` holds, also near-duplicates."""
    emotion = read_tweeteval(data / "sentiment/tweeteval_emotion", "train", EMOTIONS)
    return without_overlap(distinct([*read_semeval(data / "sentiment/semeval"), *emotion]), dev)


def tweet_epochs(tweets: Sequence[Example]) -> list[list[Example]]:
    """Epochs that take `SHARE_OF_CLASS` of each class, going round it, so that two see every tweet."""
    shuffle = random.Random(SEED)  # noqa: S311  (order of examples, not a secret)
    classes = [[example for example in tweets if example.label == label] for label in range(len(LABELS))]
    for examples in classes:
        shuffle.shuffle(examples)
    epochs = []
    for number in range(EPOCHS):
        epoch: list[Example] = []
        for examples, share in zip(classes, SHARE_OF_CLASS, strict=True):
            count = int(share * len(examples))
            epoch += [examples[(number * count + place) % len(examples)] for place in range(count)]
        epochs.append(epoch)
    return epochs


def support_rounds(tweets: Sequence[Example], count: int, seed: int) -> list[list[Example]]:
    """Rounds of all support messages to train on, each with `count` other tweets of the last epoch."""
    beside = random.Random(seed).sample(tweet_epochs(tweets)[-1], ROUNDS * count)  # noqa: S311
    return [[*read_support(held_back=False), *beside[number::ROUNDS]] for number in range(ROUNDS)]


def fit_temperature(logits: NDArray[np.float32], gold: NDArray[np.int64]) -> float:
    """The temperature of least negative log-likelihood (Guo et al. 2017), to a hundredth between .3 and 3."""

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chosen = scaled[np.arange(len(gold)), gold]
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - chosen))

    return min((step / 100 for step in range(30, 301)), key=loss)


def _logits(target: Path, tokenizer: Tokenizer, examples: Sequence[Example]) -> NDArray[np.float32]:
    """Of the exported graph, run as the service runs it."""
    with_file = TextModel.load(target, target.parent / "tokenizer.json")
    return np.stack(with_file.run([example.text for example in examples], "logits"))


def _measure(logits: NDArray[np.float32], examples: Sequence[Example]) -> Metrics:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    rows = weights / weights.sum(axis=1, keepdims=True)
    scores = [SentimentScores(*(float(value) for value in row)) for row in rows]
    return measure([example.label for example in examples], scores)


def _log(when: str, network: SentimentNetwork, tokenizer: Tokenizer, dev: Sequence[Example]) -> Metrics:
    support = read_support(held_back=True)
    metrics = _measure(predict(network, tokenizer, [example.text for example in dev]), dev)
    own = _measure(predict(network, tokenizer, [example.text for example in support]), support)
    log.info("%s: dev %s; support %s", when, metrics, own)
    return metrics
