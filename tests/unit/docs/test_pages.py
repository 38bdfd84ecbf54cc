"""What the pages say is there is there: commands, targets, tests, links, settings, and code that runs."""

import base64
import contextlib
import hashlib
import hmac
import io
import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from schemas.codec import decode
from schemas.topics import CHAT_INBOUND
from services.cli.main import app
from services.lib.shop.identity import verify_identity
from tests.unit.docs.conftest import ROOT

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")],
    key=str,
)
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language and content of each fenced block, read fence by fence: what closes one opens none."""
    parts = re.split(r"^```(.*)\n", text, flags=re.MULTILINE)
    return zip(parts[1::4], parts[2::4], strict=True)


def fenced(text: str, language: str) -> list[str]:
    return [content for name, content in blocks(text) if name == language]


def commands(text: str, program: str) -> Iterator[list[str]]:
    """Command lines of a program, from code blocks and code spans."""
    lines = [line for block in fenced(text, "") for line in block.splitlines()]
    for line in [*lines, *re.findall(r"`([^`\n]+)`", text)]:
        bare = re.sub(r"^\s*\.venv/bin/", "", line.partition("#")[0]).strip()
        if bare.startswith(f"{program} "):
            yield shlex.split(bare)[1:]


def test_the_first_minute_is_described(readme: str) -> None:
    assert {"run", "test"} <= {words[0] for words in commands(readme, "make")}
    assert {"chat", "index", "topics", "dlq"} <= {words[0] for words in commands(readme, "baton")}


@pages
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for words in commands(page.read_text("utf-8"), "make"):
        named = {word for word in words if "=" not in word}
        # `make models` is named by files that say where weights come from.
        assert named <= targets, words


@pages
def test_baton_commands_and_their_options_exist(page: Path) -> None:
    for words in commands(page.read_text("utf-8"), "baton"):
        command: Any = get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        assert not hasattr(command, "commands") or not words, words
        assert {word for word in words if word.startswith("--")} <= options, words


@pages
def test_tests_that_are_named_exist(page: Path) -> None:
    file = ""
    for named, name in re.findall(r"(tests/[\w/]+\.py)?(?:::(test_\w+))?", page.read_text("utf-8")):
        file = named or file  # `::name` alone is in the file named before it
        if named:
            assert (ROOT / file).is_file(), file
        if name:
            assert f"def {name}(" in (ROOT / file).read_text("utf-8"), f"{file}::{name}"


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_decision_page_is_listed() -> None:
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (ROOT / "docs/adr/README.md").read_text("utf-8"))
    assert listed == sorted(path.name for path in (ROOT / "docs/adr").glob("0*.md"))


def test_the_event_of_the_readme_is_one(readme: str) -> None:
    (block,) = fenced(readme, "json")
    event = json.loads(block)
    decoded = decode(CHAT_INBOUND, event["subject"].encode(), block.encode())
    assert decoded.data.last_reply_sequence == 4


def test_the_php_example_signs_what_ingest_believes(readme: str) -> None:
    """PHP is not run here: its claims and its steps are, in the order in which it takes them."""
    (php,) = fenced(readme, "php")
    claims_named = set(re.findall(r"^        '(\w+)' =>", php, re.MULTILINE))
    now = datetime(2026, 1, 5, 10, tzinfo=UTC)
    values: dict[str, Any] = {
        "iss": "https://shop.example",
        "aud": "baton",
        "sub": "7",
        "website": 1,
        "group": 2,
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 900,
    }
    assert claims_named == values.keys()
    assert "'alg' => 'HS256', 'typ' => 'JWT'" in php
    assert "hash_hmac('sha256', \"$head.$body\", $key, true)" in php
    assert "'exp' => $now + 900" in php
    assert "'sub' => (string) $customerId" in php

    def encode(raw: bytes) -> str:
        return base64.b64encode(raw).decode().translate(str.maketrans("+/", "-_")).rstrip("=")

    key = "k" * 32
    head, body = (encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, values))
    token = f"{head}.{body}.{encode(hmac.digest(key.encode(), f'{head}.{body}'.encode(), hashlib.sha256))}"
    proven = verify_identity(token, key, now + timedelta(minutes=5), issuer="https://shop.example")
    assert proven is not None
    assert (proven.customer_id, proven.website, proven.group) == (7, 1, 2)


def test_the_assignors_do_what_the_page_says() -> None:
    text = (ROOT / "docs/adr/0001-range-assignor.md").read_text("utf-8")
    (code,), (output,) = fenced(text, "python"), fenced(text, "text")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "0001", "exec"), {"__name__": "page"})  # noqa: S102  # our own page
    assert [line.split() for line in printed.getvalue().splitlines()] == [
        line.split() for line in output.splitlines()
    ]


def test_the_license_is_apaches() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert hashlib.sha256(text.encode()).hexdigest().startswith("cfc7749b96f63bd3")
