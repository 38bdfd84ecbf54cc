"""What is committed is what the registry says, the examples are events, and the registry is sane."""

import json
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from schemas import catalog, chat, event, money, support
from schemas.codec import decode, encode
from schemas.event import Data, derived_id
from schemas.export import (
    artifacts,
    drift,
    incompatibilities,
    main,
    read_committed,
    read_examples,
    topics_page,
)
from schemas.json_schema import json_schema
from schemas.topics import CHAT_INBOUND, CHAT_MESSAGES, DEAD_LETTER_LIMIT, TOPICS, Topic

ROOT = Path(__file__).parents[2]
TYPES = [pytest.param(topic, type_, id=type_.__name__) for topic in TOPICS for type_ in topic.types]
EXAMPLES = read_examples(ROOT)
DOCUMENTS = {topic.name: json_schema(topic) for topic in TOPICS}
EXAMPLE_FILES = sorted((ROOT / "schemas/examples").glob("*/*.json"))
MODELS = sorted(
    {
        model
        for module in (event, money, chat, support, catalog)
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, BaseModel) and model is not BaseModel
    },
    key=lambda model: model.__name__,
)


moment = datetime.fromisoformat


def example(topic: Topic, name: str) -> dict[str, Any]:
    return json.loads((ROOT / f"schemas/examples/{topic.name}/{name}.json").read_text("utf-8"))


def record(raw: dict[str, Any]) -> tuple[bytes, bytes]:
    return raw["subject"].encode(), json.dumps(raw).encode()


# --- drift ---------------------------------------------------------------------------------------------


def test_committed_files_are_the_generated_ones() -> None:
    generated = artifacts(TOPICS, EXAMPLES)
    assert drift(read_committed(ROOT, generated), generated) == [], "run python -m schemas.export"


def test_what_the_models_say_now_breaks_nothing_that_is_committed() -> None:
    generated = artifacts(TOPICS, EXAMPLES)
    assert incompatibilities(read_committed(ROOT, generated), generated) == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository with examples and with all that is generated from them."""
    shutil.copytree(ROOT / "schemas/examples", tmp_path / "schemas/examples")
    assert main([], tmp_path) == 0
    return tmp_path


def test_generation_is_the_same_every_time(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main([], copy) == 0
    assert capsys.readouterr().out == ""
    assert main(["--check"], copy) == 0


def test_check_names_what_differs_is_missing_or_is_left_over(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, missing = copy / "docs/topics.md", copy / "schemas/asyncapi.json"
    page.write_text(page.read_text("utf-8") + "\n", "utf-8")
    missing.unlink()
    left = copy / "schemas/json/baton.chat.whispers.v1.json"
    left.write_text((copy / "schemas/json/baton.chat.inbound.v1.json").read_text("utf-8"), "utf-8")
    assert main(["--check"], copy) == 1
    said = capsys.readouterr().err
    for path in ("docs/topics.md", "schemas/asyncapi.json", "schemas/json/baton.chat.whispers.v1.json"):
        assert f"differs: {path};" in said
    assert "baton.chat.sentiment.v1.json" not in said
    assert not missing.exists()


def test_an_incompatible_change_is_not_written_unless_asked_for(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = copy / "schemas/json/baton.chat.inbound.v1.json"
    document = json.loads(file.read_text("utf-8"))
    document["$defs"]["CustomerMessage"]["properties"]["mood"] = {"type": "string"}
    file.write_text(json.dumps(document), "utf-8")
    assert main([], copy) == 1
    said = capsys.readouterr().err
    assert "baton.chat.inbound.v1: CustomerMessage.data.mood: the field is gone" in said
    assert json.loads(file.read_text("utf-8")) == document
    assert main(["--incompatible"], copy) == 0
    assert main(["--check"], copy) == 0


def test_the_page_names_every_topic_and_type_and_its_links_lead_somewhere() -> None:
    page = topics_page(TOPICS)
    for topic in TOPICS:
        assert f"| `{topic.name}` |" in page
    links = re.findall(r"\]\(\.\./([^)]+)\)", page)
    assert len(links) == len(TOPICS) + len(TYPES)
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_asyncapi_refers_only_to_what_it_defines() -> None:
    document = json.loads((ROOT / "schemas/asyncapi.json").read_text("utf-8"))
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {name for topic in TOPICS for name in (topic.name, topic.dead_letters)}
    receivers = {o for o, operation in document["operations"].items() if operation["action"] == "receive"}
    assert receivers == {f"{s}.receives.{topic.short}" for topic in TOPICS for s in topic.consumers}
    for name, channel in document["channels"].items():
        limit = channel["bindings"]["kafka"]["topicConfiguration"]["max.message.bytes"]
        assert limit > (DEAD_LETTER_LIMIT if name.endswith(".dlq") else channel["x-max-event-bytes"])


# --- examples ------------------------------------------------------------------------------------------


def test_every_type_has_one_example_and_there_is_no_other() -> None:
    expected = {f"{topic.name}/{type_.__name__}.json" for topic in TOPICS for type_ in topic.types}
    assert {"/".join(file.parts[-2:]) for file in EXAMPLE_FILES} == expected


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.short)
def test_json_schema_is_one(topic: Topic) -> None:
    Draft202012Validator.check_schema(DOCUMENTS[topic.name])


@pytest.mark.parametrize(("topic", "type_"), TYPES)
def test_example_fits_its_json_schema(topic: Topic, type_: type[Data]) -> None:
    validator = Draft202012Validator(DOCUMENTS[topic.name])
    raw = example(topic, type_.__name__)
    assert [error.message for error in validator.iter_errors(raw)] == []
    assert raw["type"] == type_.__name__
    assert not validator.is_valid(raw | {"type": "SomethingElse"})
    assert not validator.is_valid({name: value for name, value in raw.items() if name != "specversion"})


@pytest.mark.parametrize(("topic", "type_"), TYPES)
def test_example_decodes_and_encodes_to_the_same_meaning(topic: Topic, type_: type[Data]) -> None:
    raw = example(topic, type_.__name__)
    found = decode(topic, *record(raw))
    body = encode(topic, found)
    assert type(found.data) is type_
    assert decode(topic, raw["subject"].encode(), body) == found
    assert _lost(raw, json.loads(body)) == []


def _lost(before: Any, after: Any, path: str = "") -> list[str]:
    """Where `after` does not say what `before` says. What it says beyond that are defaults."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [lost for name in before for lost in _lost(before[name], after.get(name), f"{path}.{name}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [lost for index, (a, b) in pairs for lost in _lost(a, b, f"{path}[{index}]")]
    if isinstance(before, str) and isinstance(after, str) and re.match(r"\d{4}-\d\d-\d\dT", before):
        # 09:31:40.2 and 09:31:40.200 are one moment.
        return [] if moment(before) == moment(after) else [path]
    return [] if before == after else [path]


def test_examples_tell_one_story() -> None:
    """Ids follow from their causes, causes that are shown exist, and a topic's sequence has no duplicates."""
    known = {f"{raw['source']}#{raw['id']}": raw for raw in EXAMPLES.values()}
    assert len(known) == len(EXAMPLES)
    topic_of = {type_.__name__: topic for topic in TOPICS for type_ in topic.types}
    sequences = set()
    for name, raw in EXAMPLES.items():
        cause = raw.get("causationid")
        if cause is not None:
            assert raw["id"] == derived_id(cause, name), name
        if cause in known:
            assert moment(known[cause]["time"]) <= moment(raw["time"]), name
        if topic_of[name].key == "conversation":
            assert raw["subject"] == "web:c-20417", name
        if "sequence" in raw:
            place = (topic_of[name].name, raw["sequence"])
            assert place not in sequences, name
            sequences.add(place)
    assert EXAMPLES["CustomerMessageAccepted"]["causationid"] in known
    assert EXAMPLES["AnswerSent"]["id"] in EXAMPLES["DecisionMade"]["data"]["effects"]
    assert EXAMPLES["EscalationRaised"]["id"] == EXAMPLES["BriefPrepared"]["data"]["handoff"]


# --- registry ------------------------------------------------------------------------------------------


def test_names_are_regular_and_unique() -> None:
    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letters)]
    assert len(set(names)) == len(names)
    for topic in TOPICS:
        assert re.fullmatch(r"baton\.[a-z]+\.[a-z]+(-[a-z]+)*\.v[1-9][0-9]*", topic.name)
        assert topic.dead_letters == f"{topic.name}.dlq"
        assert topic.producers
        assert topic.consumers
        assert topic.about


def test_a_type_name_means_one_thing() -> None:
    names = [type_.__name__ for topic in TOPICS for type_ in topic.types]
    assert sorted(set(names)) == sorted(names)


def test_conversation_topics_share_one_partition_count_and_say_their_key() -> None:
    topics = [topic for topic in TOPICS if topic.key == "conversation"]
    assert len(topics) > 1
    assert {topic.partitions for topic in topics} == {12}
    for topic in topics:
        assert [t.__name__ for t in topic.types if not issubclass(t, chat.InConversation)] == []


def test_every_inbound_type_has_its_accepted_one() -> None:
    accepted = {type_.__name__ for type_ in CHAT_MESSAGES.types}
    assert accepted - {"MessageRejected"} == {f"{type_.__name__}Accepted" for type_ in CHAT_INBOUND.types}


def test_originals_live_no_longer_than_a_weekend() -> None:
    """What is not masked stays in topics of at most 72 hours."""
    unmasked = {"private", "identity_token", "email", "customer", "orders"}
    for topic in TOPICS:
        for type_ in topic.types:
            if unmasked & type_.model_fields.keys():
                assert topic.retention is not None, type_
                assert topic.retention.total_seconds() <= 72 * 3600, type_


def test_events_fit_the_limits_of_what_carries_them_on() -> None:
    for topic in TOPICS:
        assert 0 < topic.max_bytes < DEAD_LETTER_LIMIT


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_models_are_frozen_and_closed_when_written(model: type[BaseModel]) -> None:
    assert model.model_config.get("frozen") is True
    assert model.model_config.get("extra") == "forbid"
