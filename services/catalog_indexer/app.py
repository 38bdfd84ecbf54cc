"""Composition root of the catalogue indexer."""

import httpx

from schemas.topics import CATALOG_CHANGES
from services.catalog_indexer.changes import Changes
from services.catalog_indexer.handlers import HANDLED, apply_with
from services.catalog_indexer.indexing import Indexed, Progress, index_store, silent
from services.catalog_indexer.settings import IndexSettings, Settings
from services.catalog_indexer.size import watch_size
from services.lib.index.sqlite import SqliteIndex
from services.lib.kit.assembly import window_service
from services.lib.kit.deployable import deployable
from services.lib.kit.service import Service, utc_now
from services.lib.language.encoder import Encoder
from services.lib.shop.magento import Magento

NAME = "catalog-indexer"


def create(settings: Settings) -> Service:
    """Keeps the index up with `catalog.changes`. Raises `IndexUnavailable` where the file is another program's."""
    http = httpx.AsyncClient()
    shop = Magento(settings.shop, http)
    index = SqliteIndex.open(settings.index_path, Encoder.load(), create=True)
    stores = [view.code for view in settings.shop.stores]
    changes = Changes(shop, index, stores, utc_now)

    service = window_service(
        NAME,
        settings,
        (CATALOG_CHANGES,),
        HANDLED,
        lambda _: apply_with(changes),
        needs=(lambda: http, lambda: index),
        width=4,
    )
    service.run_beside(lambda: watch_size(index, stores))
    return service


async def index_all(
    settings: IndexSettings, progress: Progress = silent, *, anew: bool = False
) -> dict[str, Indexed]:
    """Index every store view, as `baton index` does; what came of it by store view. `anew` is `--full`."""
    index = SqliteIndex.open(settings.index_path, Encoder.load(threads=2), create=True)
    try:
        async with httpx.AsyncClient() as http:
            shop = Magento(settings.shop, http)
            done = {
                view.code: await index_store(shop, index, view.code, utc_now, progress, anew=anew)
                for view in settings.shop.stores
            }
    finally:
        index.close()
    return done


app = deployable(NAME, Settings, create)
