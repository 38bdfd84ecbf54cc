"""Settings of retrieval-answer."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.lib.answering.pipeline import AnsweringSettings
from services.lib.kit.settings import ServiceSettings
from services.lib.shop.settings import ShopSettings


class Settings(ServiceSettings):
    shop: ShopSettings
    """The shop whose facts are read live."""
    index_path: Path = Path("var/index.db")
    """File of the search index that the catalogue indexer writes."""
    answering: AnsweringSettings = AnsweringSettings()
    answers_at_once: Annotated[int, Field(ge=1, le=512)] = 32
    """Messages worked on side by side; most of their time is waiting for the shop."""
