"""What ingest counts: messages that it refused."""

from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from schemas.chat import MessageRejected, RejectionCause
from schemas.topics import CHAT_MESSAGES
from services.ingest.counting import count
from services.ingest.decide import IngestFold
from services.lib.kit.fold import Publish, Step

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STATE = IngestFold().initial("web:c1")


def value(cause: str) -> float:
    found = REGISTRY.get_sample_value("baton_rejections_total", {"cause": cause})
    assert found is not None, "not counted from zero"
    return found


@pytest.mark.parametrize("cause", RejectionCause)
@pytest.mark.parametrize("announce", [True, False])
def test_each_refusal_is_counted_by_its_cause(cause: RejectionCause, announce: bool) -> None:
    before = {one: value(one) for one in RejectionCause}
    refused = MessageRejected(gateway="web", conversation="c1", cause=cause, language="en", announce=announce)
    count("web:c1", STATE, Step(STATE, (Publish(CHAT_MESSAGES, refused),)), NOW)
    assert {one: value(one) - before[one] for one in RejectionCause} == {
        one: float(one is cause) for one in RejectionCause
    }


def test_nothing_else_is() -> None:
    before = [value(one) for one in RejectionCause]
    count("web:c1", STATE, Step(STATE, ()), NOW)
    assert [value(one) for one in RejectionCause] == before
