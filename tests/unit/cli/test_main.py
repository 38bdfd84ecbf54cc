"""The command: what it prints, and that what goes wrong is one sentence and status 1."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.topics import TOPICS
from services.cli.main import app
from services.cli.running import RUNNING, NoLine, RunningLine
from services.lib.kit.settings import KafkaSettings

SENTIMENT = [{"id": 1, "text": "I love it"}, {"id": "b", "text": ""}, {"id": 3, "text": "😡 this is the worst"}]
TRIGGERS = [
    {"id": 1, "text": "let me talk to a person", "history": [], "reason": "human_request"},
    {"id": 2, "text": "do you have mugs?", "reason": None},
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """In a folder where no line runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BATON_KAFKA__BOOTSTRAP", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def one_sentence(result):
    """Of standard error, which is all there is."""
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("baton: ")
    assert "Traceback" not in result.output
    return result.stderr.removeprefix("baton: ").rstrip("\n")


@pytest.mark.parametrize("arguments", [("--help",), ()])
def test_help_names_the_commands(arguments):
    shown = run(*arguments).output
    for command in ("up", "chat", "index", "topics", "dlq", "evaluate"):
        assert f" {command} " in shown


@pytest.mark.parametrize(
    "command",
    [("up",), ("chat",), ("index",), ("topics", "list"), ("topics", "apply"), ("dlq", "list"),
     ("evaluate", "triggers"), ("evaluate", "sentiment")],
)  # fmt: skip
def test_every_command_says_what_it_does(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_an_unknown_command_is_a_usage_error():
    assert run("sing").exit_code == 2


def test_topics_are_listed_with_their_names():
    result = run("topics", "list")
    assert result.exit_code == 0
    for topic in TOPICS:
        assert topic.name in result.output
    assert result.output.count("compacted") == 2


# --- evaluate --------------------------------------------------------------------------------------


def written(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def test_evaluate_sentiment_writes_a_line_per_line_in_order(tmp_path):
    out = tmp_path / "out.jsonl"
    result = run("evaluate", "sentiment", "--input", written(tmp_path / "in", SENTIMENT), "--output", out)
    assert result.exit_code == 0
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [line["id"] for line in lines] == [1, "b", 3]
    for line in lines:
        assert line.keys() == {"id", "negative", "neutral", "positive"}
        assert sum(line[name] for name in ("negative", "neutral", "positive")) == pytest.approx(1)
    assert lines[0]["positive"] > 0.5 < lines[2]["negative"]
    assert result.stderr == ""


def test_evaluate_sentiment_prints_metrics_where_there_are_labels(tmp_path):
    lines = [{**line, "label": label} for line, label in zip(SENTIMENT, ("positive", 1, 0), strict=True)]
    result = run("evaluate", "sentiment", "--input", written(tmp_path / "in", lines), "--output", tmp_path / "out")
    assert "n=3" in result.stderr
    assert "macro_recall" in result.stderr


def test_evaluate_triggers_writes_a_line_per_line_in_order(tmp_path):
    out = tmp_path / "out.jsonl"
    result = run("evaluate", "triggers", "--input", written(tmp_path / "in", TRIGGERS), "--output", out)
    assert result.exit_code == 0
    first, second = (json.loads(line) for line in out.read_text("utf-8").splitlines())
    assert first.keys() == {"id", "escalate", "reason", "probability", "source"}
    assert (first["id"], first["escalate"], first["reason"]) == (1, True, "human_request")
    assert first["source"].startswith("rule:")
    assert (second["id"], second["escalate"], second["reason"], second["source"]) == (2, False, None, None)
    assert "recall" in result.stderr


@pytest.mark.parametrize("verb", ["sentiment", "triggers"])
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{nope", "JSON"),
        ("[]", "Input should be"),
        ('{"id": 2}', "text: Field required"),
    ],
)
def test_a_malformed_line_is_named_in_one_sentence(verb, line, says, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": 1, "text": "fine"}\n' + line + "\n", "utf-8")
    said = one_sentence(run("evaluate", verb, "--input", source, "--output", tmp_path / "out"))
    assert said.startswith("line 2: ")
    assert says in said


@pytest.mark.parametrize("verb", ["sentiment", "triggers"])
def test_what_is_no_text_is_told(verb, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"id": 1, "text": "\xff\xfe"}\n')
    assert "utf-8" in one_sentence(run("evaluate", verb, "--input", source, "--output", tmp_path / "out"))


@pytest.mark.parametrize(("option", "other"), [("--input", "--output"), ("--output", "--input")])
def test_a_file_that_cannot_be_opened_is_told(option, other, tmp_path):
    there = written(tmp_path / "there", [])
    said = one_sentence(run("evaluate", "sentiment", option, tmp_path / "no" / "file", other, there))
    assert "No such file" in said


@pytest.mark.parametrize("verb", ["sentiment", "triggers"])
def test_nothing_in_is_nothing_out(verb, tmp_path):
    out = tmp_path / "out"
    result = run("evaluate", verb, "--input", written(tmp_path / "in", []), "--output", out)
    assert (result.exit_code, out.read_text(), result.stderr) == (0, "", "")


def test_standard_streams_are_the_default():
    command = [sys.executable, "-m", "services.cli.main", "evaluate", "triggers"]
    lines = "".join(json.dumps(line) + "\n" for line in TRIGGERS).encode()
    root = Path(__file__).parents[3]
    done = subprocess.run(command, input=lines, capture_output=True, timeout=60, cwd=root, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.decode().splitlines()] == [1, 2]


# --- a line that runs, or does not -------------------------------------------------------------------


@pytest.mark.parametrize("command", [("chat",), ("chat", "--customer", 1), ("dlq", "list"), ("topics", "apply")])
def test_without_a_line_it_says_how_to_start_one(command):
    said = one_sentence(run(*command))
    assert said == "no line is running here: start one with `baton up`, or set BATON_KAFKA__BOOTSTRAP"


def test_a_wrong_address_is_told(monkeypatch):
    monkeypatch.setenv("BATON_KAFKA__BOOTSTRAP", "no address")
    result = run("chat")
    assert result.exit_code != 0
    assert "BATON_KAFKA__BOOTSTRAP" in str(result.exception) + result.output


def test_letters_of_an_unknown_topic(monkeypatch):
    monkeypatch.setenv("BATON_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    assert one_sentence(run("dlq", "list", "--topic", "nope")) == "'nope' is no topic: see `baton topics list`"


def test_index_without_a_shop_says_what_is_missing(monkeypatch):
    for name in ("BATON_SHOP__BASE_URL", "BATON_SHOP__TOKEN"):
        monkeypatch.delenv(name, raising=False)
    result = run("index")
    assert result.exit_code != 0
    assert "BATON_SHOP" in str(result.exception) + result.output


def line():
    return RunningLine(
        kafka=KafkaSettings(bootstrap="127.0.0.1:1234"),
        **{name: f"its {name}" for name in RunningLine.model_fields if name != "kafka"},
    )


def test_a_running_line_is_found_by_who_started_it_alone():
    line().write()
    assert RUNNING.stat().st_mode & 0o777 == 0o600
    assert RunningLine.read() == line()


def test_a_second_line_takes_the_place_of_the_first():
    line().write()
    line().model_copy(update={"url": "http://127.0.0.1:9"}).write()
    assert RunningLine.read().url == "http://127.0.0.1:9"
    assert RUNNING.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"null", b'{"kafka": 5}'])
def test_a_file_that_makes_no_sense_is_no_line(content):
    RUNNING.parent.mkdir()
    RUNNING.write_bytes(content)
    with pytest.raises(NoLine, match="baton up"):
        RunningLine.read()
