"""Logs: one JSON object a line, whatever is logged."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.lib.kit.logs import JsonFormatter, configure, frames


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What was logged since, as objects."""
    root, stream = logging.getLogger(), io.StringIO()
    before = (root.handlers[:], root.level)
    root.handlers.clear()
    monkeypatch.setattr(sys, "stderr", stream)
    configure("INFO")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def test_a_line_is_an_object_with_its_fields(log: Any) -> None:
    logging.getLogger("x").info(
        "decided %s\nnow", "🙂", extra={"fields": {"reason": "safety", "at": datetime(2026, 1, 1, tzinfo=UTC)}}
    )
    logging.getLogger("x").debug("not this")
    [line] = log()
    assert line["message"] == "decided 🙂\nnow"
    assert (line["level"], line["logger"], line["reason"]) == ("info", "x", "safety")
    assert line["at"] == "2026-01-01 00:00:00+00:00"
    assert datetime.fromisoformat(line["time"]).utcoffset() is not None


def test_an_exception_stays_on_its_line(log: Any) -> None:
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("x").exception("failed")
    [line] = log()
    assert line["exception"].endswith("ValueError: no")


def test_what_shouts_is_quiet(log: Any) -> None:
    logging.getLogger("aiokafka.conn").error("Connect attempt failed")
    logging.getLogger("uvicorn.access").info("GET /health/live")
    logging.getLogger("httpx").info("GET http://shop")
    assert log() == []


def test_a_message_with_wrong_arguments_does_not_end_the_process() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "plain {} %", (), None)
    assert json.loads(JsonFormatter().format(record))["message"] == "plain {} %"


def test_frames_tell_where_and_not_what() -> None:
    shopper = "my card is 4111" + " 1111"
    try:
        raise KeyError(shopper)
    except KeyError as error:
        told = frames(error)
    assert "test_logs.py" in told
    assert told.endswith("KeyError")
    assert shopper not in told
