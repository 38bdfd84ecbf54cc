"""What the deployment's files say, read as the programs read them that they are for."""

from typing import Any

import pytest

from tests.unit.deploy.files import read


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """docker-compose.yml with its anchors merged, its variables as they stand."""
    return read("docker-compose.yml")


@pytest.fixture(scope="session")
def prometheus() -> dict[str, Any]:
    return read("deploy/prometheus/prometheus.yml")


@pytest.fixture(scope="session")
def rules() -> list[dict[str, Any]]:
    """Recording rules and alerts, in their order."""
    return [rule for group in read("deploy/prometheus/rules/baton.yml")["groups"] for rule in group["rules"]]
