"""Keeps the figures of a training run (`figures.json`) and writes the model card (`README.md`) from them."""

import hashlib
import json
import logging
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from string import Template
from typing import Any

TEMPLATE = Path(__file__).parent / "card.md"
ROUNDS = 3
BATCH = 32
log = logging.getLogger(__name__)


def latency(run: Callable[[Sequence[str]], object], texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds a text on one thread, tokenising included: median alone, mean in calls of 32 (best of three)."""
    run(texts[:BATCH])
    alone = []
    for text in texts:
        start = time.perf_counter()
        run([text])
        alone.append(time.perf_counter() - start)
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for at in range(0, len(texts), BATCH):
            run(texts[at : at + BATCH])
        rounds.append((time.perf_counter() - start) / len(texts))
    return {"ms_alone": statistics.median(alone) * 1000, "ms_in_calls_of_32": min(rounds) * 1000}


def record(out: Path, model: str, figures: dict[str, Any]) -> None:
    """Replace `model`'s figures, and write the card where both models have theirs."""
    file = out / "figures.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    weights = (out / f"{model}.onnx").read_bytes()
    known[model] = {
        **{name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()},
        "bytes": len(weights),
        "sha256": hashlib.sha256(weights).hexdigest(),
        "cpu": cpu(),
    }
    log.info("%s: %s", model, json.dumps(known[model], indent=2))
    file.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    if len(known) > 1:
        values = {f"{name}_{key}": value for name, own in known.items() for key, value in own.items()}
        card = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(values)
        (out / "README.md").write_text(card, encoding="utf-8")


def cpu() -> str:
    """The processor's kind and the vector extensions that int8 speed and rounding depend on."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("flags", 1)[1].split("\n", 1)[0].split()
    except (OSError, IndexError):
        flags = []
    found = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if flag in flags]
    return " ".join([platform.machine(), *found])
