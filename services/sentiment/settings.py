"""Settings of the sentiment service."""

from typing import Annotated

from pydantic import Field

from services.lib.kit.settings import ServiceSettings


class Settings(ServiceSettings):
    sentiment_model: str | None = None
    """Folder or name of a Hugging Face classifier to use in place of the shipped head (extra `torch`)."""
    sentiment_threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Texts scored side by side, one core each."""
