"""`Policy`: what the router weighs, from one validated file whose SHA-256 is its version."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.reasons import Arm, Intent, Priority, Reason

PACKAGED = Path(__file__).with_name("policy.toml")

Share = Annotated[float, Field(ge=0, le=1)]


class WrongPolicy(Exception):
    """The file is no policy; the text names file and field."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Timing(_Part):
    moment_s: Annotated[float, Field(gt=0, le=60)]
    facts_s: Annotated[float, Field(gt=0, le=900)]


class Clarify(_Part):
    at_most: Annotated[int, Field(ge=0, le=5)]


class SentimentPolicy(_Part):
    angry: Share
    upset: Share

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.angry < self.upset:
            raise ValueError("angry must not be below upset")
        return self


class AnswerPolicy(_Part):
    threshold: Share
    sure: Share

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.sure < self.threshold:
            raise ValueError("sure must not be below threshold")
        return self


class Policy(_Part):
    timing: Timing
    clarify: Clarify
    sentiment: SentimentPolicy
    answer: dict[Intent, AnswerPolicy]
    rollout: dict[Arm, Annotated[int, Field(ge=0, le=100)]]
    priority: dict[Reason, Priority]
    version: str

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: dict[str, Any]) -> dict[str, Any]:
        for field, names in (("answer", Intent), ("priority", Reason), ("rollout", Arm)):
            if not isinstance(table := given.get(field), dict):
                continue  # pydantic says so
            if unknown := sorted(set(table) - {str(name) for name in names}):
                raise ValueError(f"{field}: {unknown[0]!r} is not known")
        return given

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if missing := sorted(set(Intent) - set(self.answer)):
            raise ValueError(f"answer: no thresholds for {', '.join(missing)}")
        if missing_reasons := sorted(set(Reason) - set(self.priority)):
            raise ValueError(f"priority: none for {', '.join(missing_reasons)}")
        if (total := sum(self.rollout.values())) != 100:
            raise ValueError(f"rollout: the percentages add up to {total}, not to 100")
        return self

    @classmethod
    def load(cls, path: Path = PACKAGED) -> Self:
        """Raises `WrongPolicy` with one sentence."""
        try:
            raw = path.read_bytes()
            given = tomllib.loads(raw.decode())
        except OSError as error:
            raise WrongPolicy(f"{path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise WrongPolicy(f"{path}: {error}") from None
        if "version" in given:
            raise WrongPolicy(f"{path}: version: it is worked out from the file, not written into it")
        try:
            return cls.model_validate({**given, "version": hashlib.sha256(raw).hexdigest()})
        except ValidationError as error:
            raise WrongPolicy(f"{path}: {sentence(error)}") from None

    def arm(self, bucket: int) -> Arm:
        """The rollout arm of a bucket (hundredths of a percent). Growing an arm keeps those who are in it."""
        edge = 0
        for arm in (Arm.AI, Arm.ASSIST, Arm.HUMAN):
            edge += self.rollout.get(arm, 0) * 100
            if bucket < edge:
                return arm
        return Arm.HUMAN


def sentence(error: ValidationError) -> str:
    """The first thing that is wrong, with the field: `timing.facts_s: Input should be ...`."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"] if part != "[key]")
    what = first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
