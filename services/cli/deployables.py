"""`run`: one service in a process of its own, as `baton up --service` does."""

from enum import StrEnum
from importlib import import_module

from services.lib.kit.settings import load


class ServiceName(StrEnum):
    """Of what can be deployed."""

    INGEST = "ingest"
    SENTIMENT = "sentiment"
    RETRIEVAL_ANSWER = "retrieval-answer"
    ESCALATION_ROUTER = "escalation-router"
    COPILOT_DRAFTER = "copilot-drafter"
    CATALOG_INDEXER = "catalog-indexer"

    @property
    def package(self) -> str:
        return f"services.{self.value.replace('-', '_')}"


def run(name: ServiceName, host: str, port: int) -> int:
    """The exit status of the process. Raises `WrongSettings`, which ends it with one sentence."""
    from services.lib.kit.deployable import serve

    load(import_module(f"{name.package}.settings").Settings)  # a plain sentence, before there are logs
    return serve(import_module(f"{name.package}.app").app, host, port)
