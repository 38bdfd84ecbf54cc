"""What the models cost a process, and that the committed weights are those of the model card."""

import hashlib
import json
import subprocess
import sys

import pytest

from services.lib.language.text_model import MODELS

IMPORTS = """
import sys
import services.lib.language.encoder, services.lib.language.sentiment
import services.lib.language.evaluate, services.lib.language.huggingface
services.lib.language.sentiment.SentimentModel.load().score(["hello"])
print(sorted({"torch", "transformers", "onnx", "sklearn"} & set(sys.modules)))
"""
LIMIT = 25_000_000


def test_neither_torch_nor_transformers_is_imported_to_score() -> None:
    run = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("model", ["encoder", "sentiment"])
def test_weights_are_those_of_the_model_card(model: str) -> None:
    weights = (MODELS / f"{model}.onnx").read_bytes()
    figures = json.loads((MODELS / "figures.json").read_text(encoding="utf-8"))[model]
    assert len(weights) == figures["bytes"] <= LIMIT
    digest = hashlib.sha256(weights).hexdigest()
    assert digest == figures["sha256"]
    assert digest in (MODELS / "README.md").read_text(encoding="utf-8")
