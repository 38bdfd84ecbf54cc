"""JSON logs: one object a line on standard error, with the fields given as `extra={"fields": {...}}`."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Literal, TextIO

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def frames(error: BaseException) -> str:
    """Type and stack of an error without its text, which may repeat what a shopper wrote."""
    where = "".join(traceback.format_tb(error.__traceback__))
    return f"{where}{type(error).__module__}.{type(error).__qualname__}"


def configure(level: Level = "INFO", stream: TextIO | None = None) -> None:
    """Send all logs as JSON to `stream`, or standard error. Replaces what was configured before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # aiokafka writes some hundred lines a second while the broker is away; our readiness says it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    for chatty in ("httpx", "httpcore", "httpx2", "httpcore2", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for own in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # it brings handlers that do not write JSON
        logging.getLogger(own).handlers.clear()
        logging.getLogger(own).propagate = True
