"""`breaking_changes` finds what would break a reader or a writer, and lets pass what would not."""

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

from schemas.chat import CustomerMessage
from schemas.compatibility import breaking_changes
from schemas.event import Data
from schemas.export import incompatibilities, read_committed
from schemas.json_schema import json_schema
from schemas.topics import CHAT_ANSWERS, CHAT_INBOUND, SUPPORT_CONTROL, TOPICS, Topic

ROOT = Path(__file__).parents[2]
Document = dict[str, Any]


def changed(topic: Topic, change: Callable[[Document], object]) -> list[str]:
    """What is found between a topic's document and the same one after `change`."""
    old = json_schema(topic)
    new = copy.deepcopy(old)
    change(new)
    return breaking_changes(old, new)


def fields(document: Document, model: str) -> dict[str, Any]:
    return document["$defs"][model]["properties"]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.short)
def test_no_change_breaks_nothing(topic: Topic) -> None:
    assert breaking_changes(json_schema(topic), json_schema(topic)) == []


# --- as a developer makes them: in the models and the registry -------------------------------------------


def test_removed_type() -> None:
    fewer = replace(CHAT_INBOUND, types=CHAT_INBOUND.types[:-1])
    found = breaking_changes(json_schema(CHAT_INBOUND), json_schema(fewer))
    assert found == ["ConversationClosed: the type is gone"]


def test_added_type() -> None:
    more = replace(CHAT_ANSWERS, types=(*CHAT_ANSWERS.types, CustomerMessage))
    assert breaking_changes(json_schema(CHAT_ANSWERS), json_schema(more)) == []


def with_field(**field: Any) -> Topic:
    """`chat.inbound` with `CustomerMessage` extended, under its own name."""
    extended: type[Data] = create_model("CustomerMessage", __base__=CustomerMessage, **field)
    return replace(CHAT_INBOUND, types=tuple(extended if t is CustomerMessage else t for t in CHAT_INBOUND.types))


def test_added_optional_field_and_its_removal() -> None:
    with_mood = json_schema(with_field(mood=(str | None, None)))
    assert breaking_changes(json_schema(CHAT_INBOUND), with_mood) == []
    assert breaking_changes(with_mood, json_schema(CHAT_INBOUND)) == ["CustomerMessage.data.mood: the field is gone"]


def test_new_required_field() -> None:
    found = breaking_changes(json_schema(CHAT_INBOUND), json_schema(with_field(mood=(str, ...))))
    assert found == ["CustomerMessage.data.mood: a new field is required"]


def test_narrowed_type() -> None:
    found = breaking_changes(json_schema(CHAT_INBOUND), json_schema(with_field(text=(int, 0))))
    assert "CustomerMessage.data.text: type changed from 'string' to 'integer'" in found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"partitions": 24}, "partitions changed from 12 to 24"),
        ({"key": "customer"}, "key changed from conversation to customer"),
        ({"retention": timedelta(hours=24)}, "retention shortened from 72 to 24 hours"),
        ({"retention": None}, "compacted changed from False to True"),
        ({"max_bytes": 1024}, "max bytes changed from 65536 to 1024"),
        ({"max_bytes": 128 * 1024}, "max bytes changed from 65536 to 131072"),
    ],
)
def test_what_kafka_must_know(change: dict[str, Any], said: str) -> None:
    found = breaking_changes(json_schema(CHAT_INBOUND), json_schema(replace(CHAT_INBOUND, **change)))
    assert found == [said]


@pytest.mark.parametrize(
    "change",
    [
        {"retention": timedelta(days=7)},
        {"producers": ("edge",)},
        {"consumers": ("ingest", "reports")},
        {"about": "Other words"},
    ],
)
def test_what_nobody_rests_on_may_change(change: dict[str, Any]) -> None:
    assert breaking_changes(json_schema(CHAT_INBOUND), json_schema(replace(CHAT_INBOUND, **change))) == []


# --- rule by rule, in the document -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "change", "said"),
    [
        (
            CHAT_INBOUND,
            lambda d: fields(d, "ConversationClosed")["by"]["enum"].remove("agent"),
            "ConversationClosed.data.by: no longer allows 'agent'",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "ConversationClosed")["by"]["enum"].append("nobody"),
            "ConversationClosed.data.by: allows 'nobody' too, which readers of today refuse",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "CustomerMessage")["message_id"].update(maxLength=50),
            "CustomerMessage.data.message_id: narrowed: maxLength changed from 200 to 50",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "CustomerMessage")["message_id"].update(maxLength=500),
            "CustomerMessage.data.message_id: widened: maxLength changed from 200 to 500",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "CustomerMessage")["message_id"].update(minLength=3),
            "CustomerMessage.data.message_id: narrowed: minLength changed from 1 to 3",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "CustomerMessage")["text"].update(maxLength=9),
            "CustomerMessage.data.text: narrowed: maxLength changed from nothing to 9",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "CustomerMessage")["store"].update(pattern="^[a-z]+$"),
            r"CustomerMessage.data.store: pattern changed from '^[^\\s:\\x00-\\x1f\\x7f]+$' to '^[a-z]+$'",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "CustomerMessage")["store"].update(default="en"),
            "CustomerMessage.data.store: the default changed, and with it what an absent field means",
        ),
        (
            CHAT_INBOUND,
            lambda d: d["$defs"]["CustomerMessage"]["required"].append("text"),
            "CustomerMessage.data.text: became required",
        ),
        (
            CHAT_INBOUND,
            lambda d: d["$defs"]["CustomerMessage"]["required"].remove("message_id"),
            "CustomerMessage.data.message_id: became optional, and readers of today require it",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "CustomerMessage")["locale"]["anyOf"].pop(),
            "CustomerMessage.data.locale: no longer allows null",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "CustomerMessage")["locale"]["anyOf"][0].update(maxLength=5),
            "CustomerMessage.data.locale: narrowed: maxLength changed from 35 to 5",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "Attachment").pop("name"),
            "CustomerMessage.data.attachments[].name: the field is gone",
        ),
        (
            CHAT_INBOUND,
            lambda d: fields(d, "CustomerMessageEvent").pop("traceparent"),
            "CustomerMessage.traceparent: the field is gone",
        ),
        (
            CHAT_ANSWERS,
            lambda d: fields(d, "AnswerProposed")["proofs"]["items"]["oneOf"].pop(),
            "AnswerProposed.data.proofs[]: no longer allows PassageProof",
        ),
        (
            CHAT_ANSWERS,
            lambda d: fields(d, "Money")["amount"].update(pattern="^[0-9]+$"),
            "AnswerProposed.data.cards[].price.amount: pattern changed from ",
        ),
        (
            CHAT_ANSWERS,
            lambda d: d["$defs"]["Reason"]["enum"].remove("low_confidence"),
            "AnswerWithheld.data.reason: no longer allows 'low_confidence'",
        ),
        (
            SUPPORT_CONTROL,
            lambda d: fields(d, "RolloutSet")["percentages"]["additionalProperties"].update(maximum=50),
            "RolloutSet.data.percentages.*: narrowed: maximum changed from 100 to 50",
        ),
        (
            SUPPORT_CONTROL,
            lambda d: d["$defs"]["Arm"]["enum"].remove("assist"),
            "RolloutSet.data.percentages.*: no longer allows 'assist'",
        ),
    ],
)
def test_breaking(topic: Topic, change: Callable[[Document], object], said: str) -> None:
    found = changed(topic, change)
    assert [sentence for sentence in found if sentence.startswith(said)], found


@pytest.mark.parametrize(
    "change",
    [
        lambda d: fields(d, "CustomerMessage").update(mood={"type": "string", "default": ""}),
        lambda d: fields(d, "Attachment").update(size={"type": "integer", "default": 0}),
        lambda d: fields(d, "CustomerMessage")["text"].update(description="Other words", title="Text"),
        lambda d: d["oneOf"].reverse(),
        lambda d: fields(d, "CustomerMessage")["locale"]["anyOf"].reverse(),
        lambda d: d["$defs"].update(Unused={"type": "object"}),
    ],
)
def test_compatible(change: Callable[[Document], object]) -> None:
    assert changed(CHAT_INBOUND, change) == []


def test_a_model_may_be_renamed_where_its_name_is_not_on_the_wire() -> None:
    document = json.dumps(json_schema(CHAT_ANSWERS))
    renamed = json.loads(document.replace("/Money", "/Amount").replace('"Money": {', '"Amount": {'))
    assert "Amount" in renamed["$defs"]
    assert breaking_changes(json_schema(CHAT_ANSWERS), renamed) == []


def test_a_recursive_model_ends() -> None:
    def recursive(document: Document) -> None:
        fields(document, "Attachment")["inner"] = {"$ref": "#/$defs/Attachment"}

    old, new = json_schema(CHAT_INBOUND), json_schema(CHAT_INBOUND)
    recursive(old)
    recursive(new)
    assert breaking_changes(old, new) == []


# --- against the last release ------------------------------------------------------------------------------


def git(root: Path, *arguments: str) -> str:
    program = shutil.which("git")
    assert program
    ran = subprocess.run([program, *arguments], cwd=root, check=True, capture_output=True, text=True)  # noqa: S603  # fixed words
    return ran.stdout


def released(root: Path) -> dict[str, str] | None:
    """The JSON Schemas of the newest release, path → content; None before the first."""
    tags = git(root, "tag", "--list", "v[0-9]*", "--sort=-version:refname").split()
    if not tags:
        return None
    paths = git(root, "ls-tree", "-r", "--name-only", tags[0], "schemas/json").split()
    return {path: git(root, "show", f"{tags[0]}:{path}") for path in paths}


def against_release(root: Path) -> list[str] | None:
    then = released(root)
    return None if then is None else incompatibilities(then, read_committed(root, {}))


def test_what_is_committed_breaks_nothing_that_was_released() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git history here to compare with")
    broken = against_release(ROOT)
    if broken is None:
        pytest.skip("nothing is released yet: the contracts freeze at the first tag v*")
    assert broken == []


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_release_is_held_against_what_is_committed_since(tmp_path: Path) -> None:
    folder = tmp_path / "schemas/json"
    folder.mkdir(parents=True)
    file = folder / f"{CHAT_INBOUND.name}.json"
    git(tmp_path, "init", "--quiet")
    file.write_text(json.dumps(json_schema(CHAT_INBOUND)), "utf-8")
    assert against_release(tmp_path) is None
    git(tmp_path, "add", ".")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    git(tmp_path, *identity, "commit", "--quiet", "-m", "first")
    git(tmp_path, "tag", "v1.0.0")
    assert against_release(tmp_path) == []
    file.write_text(json.dumps(json_schema(replace(CHAT_INBOUND, partitions=6))), "utf-8")
    assert against_release(tmp_path) == [f"{CHAT_INBOUND.name}: partitions changed from 12 to 6"]
    file.unlink()
    assert against_release(tmp_path) == [f"{CHAT_INBOUND.name}: the topic is gone"]
