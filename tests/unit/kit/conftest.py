"""One embedded Kafka for all tests of the kit that need one, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from schemas.topics import TOPICS
from services.lib.kit.settings import KafkaSettings


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaSettings]:
    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letters)]
    command = [sys.executable, "-m", "services.lib.kit.embedded", *names, *(f"plain-{n}" for n in range(10))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        yield KafkaSettings(bootstrap=json.loads(process.stdout.readline())["bootstrap"])
        process.communicate(timeout=10)
