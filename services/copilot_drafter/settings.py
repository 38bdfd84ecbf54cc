"""Settings of the copilot drafter."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from services.lib.answering.pipeline import AnsweringSettings
from services.lib.kit.settings import ServiceSettings
from services.lib.shop.settings import ShopSettings


class Settings(ServiceSettings):
    shop: ShopSettings
    """The shop whose customers and orders are read live."""
    index_path: Path = Path("var/index.db")
    """File of the search index, for drafts."""
    answering: AnsweringSettings = AnsweringSettings()
    ingest_url: str = "http://localhost:8080"
    """Where ingest serves transcripts."""
    transcript_token: Annotated[SecretStr, Field(min_length=32)]
    """Bearer token that opens them."""
    read_s: Annotated[float, Field(gt=0, le=30)] = 6.0
    """Longest wait for all reads of one brief, in seconds; what is not there by then is named as missing."""
    last_orders: Annotated[int, Field(ge=1, le=20)] = 5
    """Orders shown."""
