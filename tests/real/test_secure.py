"""Kafka behind TLS and SASL: settings alone make a service speak it, and wrong ones end it with one sentence."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.real.router_alone import RouterAlone
from tests.real.router_inputs import router_inputs
from tests.real.stage import Stage

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def secured(bare_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The stage whose services are told of the secure listener alone."""
    kafka = bare_stage.kafka
    told = {
        "BOOTSTRAP": kafka.secure_bootstrap,
        "SECURITY": "SASL_SSL",
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "USERNAME": kafka.user,
        "PASSWORD": kafka.password,
        "CA_FILE": str(kafka.ca),
    }
    for name, value in told.items():
        monkeypatch.setitem(bare_stage.environment, f"BATON_KAFKA__{name}", value)
    return bare_stage


def test_the_router_decides_over_tls_with_scram(secured: Stage) -> None:
    line = RouterAlone(secured, "secure")
    router = line.start()
    line.publish(router_inputs(20, 1, spread=timedelta(seconds=1), now=datetime.now(UTC), gateway=line.gateway))
    report = line.report(within_s=30)
    assert report.problems == []
    assert report.counts["turns"] == 20
    assert router.stop() == 0


def test_topics_are_provisioned_over_tls_with_plain(secured: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(secured.environment, "BATON_KAFKA__SASL_MECHANISM", "PLAIN")
    assert "baton.chat.messages.v1" in secured.baton("topics", "apply", "--replication", "1")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password_is_said_in_one_sentence(
    secured: Stage, monkeypatch: pytest.MonkeyPatch, mechanism: str
) -> None:
    monkeypatch.setitem(secured.environment, "BATON_KAFKA__SASL_MECHANISM", mechanism)
    monkeypatch.setitem(secured.environment, "BATON_KAFKA__PASSWORD", "a-wrong-one")
    router = RouterAlone(secured, "refused").start(wait=False)
    assert router.child.wait(30) == 1
    (ended,) = (line for line in lines(router.log) if line["message"] == "did not start")
    assert ended["why"].startswith(f"Kafka at {secured.kafka.secure_bootstrap} does not answer or refuses: ")
    assert "Authentication failed" in ended["why"]
    assert "exception" not in ended
    said = router.log.read_text()
    assert "Traceback" not in said
    assert "a-wrong-one" not in said


def lines(log: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
