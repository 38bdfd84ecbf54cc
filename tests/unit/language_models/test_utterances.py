"""The messages that were written for the containment models are what their page says."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import services.lib.language.train as train
from schemas.reasons import Intent, Reason

FOLDER = Path(train.__file__).parent / "utterances"
FILES = sorted(FOLDER.glob("*.jsonl"))
STYLES = {
    "terse", "long", "polite", "sarcastic", "ironic_praise", "typos", "slang", "caps", "emoji", "non_native",
    "indirect", "several_matters", "story", "follow_up",
}  # fmt: skip
CONTAINED = {Reason(name) for name in tuple(Reason)[: tuple(Reason).index(Reason.B2B_DEAL) + 1]}
each = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def messages(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@each
def test_every_message_is_well_formed(file: Path) -> None:
    for message in messages(file):
        assert message.keys() - {"near", "history"} == {"text", "reason", "kind", "language", "style"}
        assert message["text"].strip()
        assert message["language"] in {"en", "de", "fr", "es"}
        assert message["style"] in STYLES
        assert (message["reason"] is None) != (message["kind"] is None)
        if message["reason"] is not None:
            assert Reason(message["reason"]) in CONTAINED
            assert "near" not in message
        else:
            Intent(message["kind"])
            assert "near" not in message or Reason(message["near"]) in CONTAINED
        for said in message.get("history", ()):
            assert said.keys() == {"role", "text"}
            assert said["role"] in {"customer", "assistant"}


@each
def test_none_is_there_twice(file: Path) -> None:
    """What depends on its history counts with it."""
    seen = Counter((one["text"].casefold().strip(), json.dumps(one.get("history"))) for one in messages(file))
    assert [text for text, times in seen.items() if times > 1] == []


@each
def test_every_reason_has_enough_of_both_sides(file: Path) -> None:
    reasons = Counter(one["reason"] for one in messages(file))
    near = Counter(one.get("near") for one in messages(file))
    assert min(reasons[reason] for reason in CONTAINED) >= 30
    assert min(near[reason] for reason in CONTAINED) >= 30


def test_the_page_counts_them() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w)\.jsonl` \|[^|]*\| ([\d,]+) \| (\d+) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    told = {name: tuple(int(one.replace(",", "")) for one in counts) for name, *counts in rows}
    assert told == {
        file.stem: (
            len(all_ := messages(file)),
            sum(one["reason"] is not None for one in all_),
            sum("near" in one for one in all_),
            sum(one["reason"] is None and "near" not in one for one in all_),
        )
        for file in FILES
    }
