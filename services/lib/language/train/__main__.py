"""`python -m services.lib.language.train --data DIR --out DIR [--only encoder|sentiment]` (extra `train`).

Trains and exports the shipped models on the CPU, with fixed seeds, prints their dev figures and writes them with a
model card beside the weights. `--data` is a folder laid out as the model card says. Under an hour on two cores.
"""

import argparse
import logging
import shutil
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer

from services.lib.language.encoder import Encoder
from services.lib.language.sentiment import SentimentModel
from services.lib.language.train.base import base_model
from services.lib.language.train.card import latency, record
from services.lib.language.train.classifier import MAX_TOKENS
from services.lib.language.train.encoder import export_encoder, fidelity
from services.lib.language.train.sentiment import read_dev, train_sentiment
from services.lib.language.train.support import read_support

CALIBRATION = slice(0, 200)
COMPARISON = slice(1000, 1300)


def main(arguments: list[str]) -> None:
    """Write `tokenizer.json`, the asked-for graphs, `figures.json` and `README.md` to `--out`."""
    parser = argparse.ArgumentParser(prog="python -m services.lib.language.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sentiment/ and product_qa/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--only", choices=("encoder", "sentiment"))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(message)s", stream=sys.stdout)
    logging.getLogger("services").setLevel(logging.INFO)  # the exporters tell of every tensor
    torch.use_deterministic_algorithms(True)
    options.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(base_model() / "tokenizer.json", options.out / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(options.out / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    if options.only != "sentiment":
        encoder(options.data, options.out, tokenizer)
    if options.only != "encoder":
        sentiment(options.data, options.out, tokenizer)


def encoder(data: Path, out: Path, tokenizer: Tokenizer) -> None:
    """Export the encoder and compare it with the original."""
    texts = passages(data)
    calibration = [*texts[CALIBRATION], *(example.text for example in read_support(held_back=False))]
    original = export_encoder(out / "encoder.onnx", tokenizer, calibration)
    shipped = Encoder.load(out)
    near = fidelity(original, shipped, tokenizer, texts[COMPARISON])
    record(out, "encoder", {**near._asdict(), **latency(shipped.encode, texts[COMPARISON])})


def sentiment(data: Path, out: Path, tokenizer: Tokenizer) -> None:
    """Train, export and measure the sentiment model."""
    report = train_sentiment(data, out / "sentiment.onnx", tokenizer)
    texts = [example.text for example in read_dev(data)[:300]]
    record(out, "sentiment", {**report.figures(), **latency(SentimentModel.load(out).score, texts)})


def passages(data: Path) -> list[str]:
    """Questions and passages about products (`product_qa/hetpqa_answers/train.tsv`), the longest texts of a shop."""
    lines = (data / "product_qa/hetpqa_answers/train.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [" ".join(line.split("\t")[2:4]) for line in lines]


if __name__ == "__main__":
    main(sys.argv[1:])
