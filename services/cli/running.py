"""`RunningLine`: where a line that was started here can be talked to, for commands in another terminal."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from services.lib.kit.settings import KafkaSettings

RUNNING = Path("var/line.json")
"""Written when an embedded line is up, gone when it is not."""


class NoLine(Exception):
    """No line was found; the text says how to start one."""


class RunningLine(BaseModel):
    model_config = ConfigDict(frozen=True)

    kafka: KafkaSettings
    url: str
    shop_url: str
    identity_key: str
    transcript_token: str
    dead_letter_key: str
    """Keys of the embedded line alone: made at its start, worth nothing after it."""

    def write(self, path: Path = RUNNING) -> None:
        """For this user's eyes alone, whatever was there before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(self.model_dump_json())
        new.replace(path)

    def remove(self, path: Path = RUNNING) -> None:
        """Unless another line has put itself there meanwhile."""
        try:
            if self.read(path) == self:
                path.unlink(missing_ok=True)
        except NoLine:
            return

    @classmethod
    def read(cls, path: Path = RUNNING) -> Self:
        try:
            return cls.model_validate_json(path.read_text())
        except (OSError, ValidationError):
            raise NoLine(
                "no line is running here: start one with `baton up`, or set BATON_KAFKA__BOOTSTRAP"
            ) from None
