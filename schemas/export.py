"""`artifacts`: every file that is made from the registry, and `python -m schemas.export`, which writes them.

    python -m schemas.export            write; refused where a change would break readers or writers
    python -m schemas.export --check    write nothing; status 1 with the names of the files that differ
    python -m schemas.export --incompatible   write all the same: for contracts that nobody uses yet

Made are the JSON Schemas (`schemas/json`), the AsyncAPI document (`schemas/asyncapi.json`) and the table of
topics (`docs/topics.md`). The examples (`schemas/examples/TOPIC/TYPE.json`) are source: read here, written by
hand. Everything is pure but `main`.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.asyncapi import asyncapi
from schemas.compatibility import breaking_changes
from schemas.json_schema import KEY_FORMS, json_schema, retention_hours
from schemas.topics import TOPICS, Topic

JSON_FOLDER = "schemas/json"
EXAMPLES_FOLDER = "schemas/examples"


def artifacts(topics: Sequence[Topic], examples: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Path from the repository's root → content. `examples` holds one event per type name."""
    files = {f"{JSON_FOLDER}/{topic.name}.json": _json(json_schema(topic)) for topic in topics}
    files["schemas/asyncapi.json"] = _json(asyncapi(topics, examples))
    files["docs/topics.md"] = topics_page(topics)
    return files


def topics_page(topics: Sequence[Topic]) -> str:
    """The documentation's page: one table of topics, one of what each carries."""
    lines = [
        "# Topics",
        "",
        "Generated from `schemas/topics.py` by `python -m schemas.export`; not edited by hand.",
        "",
        "| topic | key | partitions | kept | largest event | written by | read by | about |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for topic in topics:
        cells = (
            f"`{topic.name}`",
            topic.key,
            str(topic.partitions),
            _kept(topic),
            f"{topic.max_bytes // 1024} KiB",
            ", ".join(topic.producers),
            ", ".join(topic.consumers),
            topic.about,
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "What a consumer cannot process goes to the topic's dead letters, the same name with `.dlq`, kept as long.",
        "Keys, which are also the events' subjects: "
        + "; ".join(f"*{key}* is {form}" for key, form in KEY_FORMS.items())
        + ".",
        "",
        "| topic | carries |",
        "|---|---|",
    ]
    for topic in topics:
        types = ", ".join(
            f"[`{t.__name__}`](../{EXAMPLES_FOLDER}/{topic.name}/{t.__name__}.json)" for t in topic.types
        )
        lines.append(f"| [`{topic.short}`](../{JSON_FOLDER}/{topic.name}.json) | {types} |")
    return "\n".join(lines) + "\n"


def incompatibilities(committed: Mapping[str, str], generated: Mapping[str, str]) -> list[str]:
    """What between two sets of JSON Schemas, path → content, would break someone: `TOPIC: what`."""
    found: list[str] = []
    for path in sorted(path for path in committed if path.startswith(JSON_FOLDER)):
        old = json.loads(committed[path])
        if path in generated:
            found += [f"{old['title']}: {change}" for change in breaking_changes(old, json.loads(generated[path]))]
        else:
            found.append(f"{old['title']}: the topic is gone")
    return found


def drift(committed: Mapping[str, str], generated: Mapping[str, str]) -> list[str]:
    """Paths whose content differs, is missing, or is no longer made, in order."""
    return sorted(p for p in committed.keys() | generated.keys() if committed.get(p) != generated.get(p))


def _kept(topic: Topic) -> str:
    hours = retention_hours(topic)
    if hours is None:
        return "compacted"
    return f"{hours} h" if hours < 96 else f"{hours // 24} d"


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read_examples(root: Path) -> dict[str, dict[str, Any]]:
    """Type name → example event, from the files under `root`, the repository's."""
    return {
        path.stem: json.loads(path.read_text("utf-8")) for path in sorted((root / EXAMPLES_FOLDER).glob("*/*.json"))
    }


def read_committed(root: Path, generated: Mapping[str, str]) -> dict[str, str]:
    """What stands on disk of the generated files, and of JSON Schemas that are no longer made."""
    paths = {root / path for path in generated} | set((root / JSON_FOLDER).glob("*.json"))
    return {p.relative_to(root).as_posix(): p.read_text("utf-8") for p in sorted(paths) if p.is_file()}


def main(arguments: Sequence[str] | None = None, root: Path = Path(__file__).parents[1]) -> int:
    """Exit status: 0 where all is written (or agrees), 1 otherwise, with the reason on standard error."""
    parser = argparse.ArgumentParser("python -m schemas.export", description="Write what the registry implies.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing; status 1 where a file differs")
    mode.add_argument("--incompatible", action="store_true", help="write although it breaks readers or writers")
    options = parser.parse_args(arguments)
    generated = artifacts(TOPICS, read_examples(root))
    committed = read_committed(root, generated)
    broken = incompatibilities(committed, generated)
    changed = drift(committed, generated)
    for change in broken:
        sys.stderr.write(f"incompatible: {change}\n")
    if options.check:
        for path in changed:
            sys.stderr.write(f"differs: {path}; run python -m schemas.export\n")
        return 1 if changed else 0
    if broken and not options.incompatible:
        sys.stderr.write("nothing written: an incompatible change is a new version of the topic\n")
        return 1
    for path in changed:
        file = root / path
        if path in generated:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(generated[path], "utf-8")
        else:
            file.unlink()
        sys.stdout.write(f"{'wrote' if path in generated else 'removed'} {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
