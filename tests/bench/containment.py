"""What the containment rules find in messages whose writers had not read them, half of them without the usual words.

    python -m tests.bench.containment

For each batch of services/lib/language/train/utterances: contained messages that were found, those found for their
reason, and how many near misses and ordinary messages were contained by mistake. Dev figures: no batch is held back.
"""

import json
from collections import Counter
from pathlib import Path

import services.lib.language.train as train
from services.lib.language.screening import Screen


def counted(file: Path, screen: Screen) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in file.read_text("utf-8").splitlines():
        message = json.loads(line)
        found = screen.screen(message["text"], message["language"]).reason
        group = "contained" if message["reason"] else "near misses" if "near" in message else "ordinary"
        counts[group] += 1
        counts[f"{group} found"] += found is not None
        counts["right"] += found is not None and found == message["reason"]
    return counts


def main() -> None:
    screen = Screen.load()
    total: Counter[str] = Counter()
    print("batch   contained found   for its reason   near misses contained   ordinary contained")
    for file in sorted((Path(train.__file__).parent / "utterances").glob("*.jsonl")):
        counts = counted(file, screen)
        total += counts
        print(_row(file.stem, counts), flush=True)
    print(_row("all", total))


def _row(name: str, counts: Counter[str]) -> str:
    parts = [
        f"{counts['contained found']} of {counts['contained']}",
        f"{counts['right']}",
        f"{counts['near misses found']} of {counts['near misses']}",
        f"{counts['ordinary found']} of {counts['ordinary']}",
    ]
    return f"{name:<5} {parts[0]:>18} {parts[1]:>16} {parts[2]:>23} {parts[3]:>20}"


if __name__ == "__main__":
    main()
