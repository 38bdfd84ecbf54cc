"""Real servers as fixtures: a test skips where one is missing, and fails instead under BATON_REAL_REQUIRED=1."""

import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

import pytest

from tests.real.rig import Missing
from tests.real.rig import kafka as real_kafka
from tests.real.rig import postgres as real_postgres
from tests.real.rig.kafka import Kafka
from tests.real.rig.postgres import Postgres
from tests.real.stage import Line, Stage

Server = TypeVar("Server")


def entered(stack: ExitStack, server: AbstractContextManager[Server]) -> Server:
    """The running server, or the end of the test with one sentence."""
    try:
        return stack.enter_context(server)
    except Missing as missing:
        sentence = str(missing)
    if os.environ.get("BATON_REAL_REQUIRED") == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One broker, with a secure listener too, for the session. Tests use topics and groups of their own."""
    with ExitStack() as stack:
        yield entered(stack, real_kafka.kafka(tmp_path_factory.mktemp("kafka"), security="SASL_SSL"))


@pytest.fixture(scope="module")
def three_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Three brokers for one module, whose tests leave them all running."""
    with ExitStack() as stack:
        yield entered(stack, real_kafka.kafka(tmp_path_factory.mktemp("three-brokers"), nodes=3))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the session. Tests create and drop databases of their own."""
    with ExitStack() as stack:
        yield entered(stack, real_postgres.postgres())


@pytest.fixture(scope="session")
def stage(kafka: Kafka, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The line's surroundings: topics, databases, the sandbox shop and its index. Which services run, a test says."""
    folder = tmp_path_factory.mktemp("stage")
    with Stage(kafka, postgres, folder, prefix=f"s{uuid.uuid4().hex[:6]}") as stage:
        stage.open_shop()
        yield stage


@pytest.fixture(scope="session")
def quiet_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One broker on which the whole line never runs, whose services have the groups of those that a test starts."""
    with ExitStack() as stack:
        yield entered(stack, real_kafka.kafka(tmp_path_factory.mktemp("quiet-kafka"), security="SASL_SSL"))


@pytest.fixture(scope="module")
def bare_stage(quiet_kafka: Kafka, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The same without a shop or an index: for services that read neither."""
    folder = tmp_path_factory.mktemp("bare-stage")
    with Stage(quiet_kafka, postgres, folder, prefix=f"s{uuid.uuid4().hex[:6]}") as stage:
        yield stage


@pytest.fixture
def line(stage: Stage) -> Line:
    """One sound process of each service, whatever the test before left behind."""
    return stage.whole()
