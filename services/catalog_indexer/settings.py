"""Settings of the catalogue indexer."""

from pathlib import Path

from pydantic_settings import BaseSettings

from services.lib.kit.settings import ServiceSettings
from services.lib.shop.settings import ShopSettings


class IndexSettings(BaseSettings):
    """What `baton index` needs, which talks to no Kafka."""

    model_config = ServiceSettings.model_config

    shop: ShopSettings
    """The shop whose catalogue is indexed."""
    index_path: Path = Path("var/index.db")
    """File of the search index. One process writes it."""


class Settings(IndexSettings, ServiceSettings):
    """Of the service."""
