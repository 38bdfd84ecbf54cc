"""The repository's root, and a file of it as YAML."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]


def read(path: str) -> Any:
    """Anchors are merged."""
    return yaml.safe_load((ROOT / path).read_text("utf-8"))
