"""Counters begin at zero with the service, so that their first event shows as an increase."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from schemas.codec import Undecodable
from schemas.topics import CHAT_INBOUND, CHAT_MESSAGES, CHAT_REPLIES
from services.lib.kit.assembly import FOLD_CAUSES, WINDOW_CAUSES, fold_service, window_service
from services.lib.kit.dead_letters import Vault
from services.lib.kit.settings import ServiceSettings, StatefulSettings
from services.lib.kit.sql import Database


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


@pytest.fixture
async def fold(tmp_path: Any) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path / 'x.db'}"
    settings = StatefulSettings(dead_letter_key=Vault.new_key(), database_url=url)
    fold: Any = None  # nothing is folded
    topics = (CHAT_INBOUND, CHAT_REPLIES)
    fold_service("ingest", settings, fold, topics, database=Database(url, "ingest"), context=lambda: None)
    return "ingest"


@pytest.fixture
async def window() -> str:
    settings = ServiceSettings(dead_letter_key=Vault.new_key())
    handle: Any = None  # nothing is handled
    window_service("sentiment", settings, (CHAT_MESSAGES,), (), lambda publisher: handle)
    return "sentiment"


async def test_of_a_fold(fold: str) -> None:
    assert {"broken", "unwritable", "unknown_type"} <= set(FOLD_CAUSES)
    for topic in (CHAT_INBOUND, CHAT_REPLIES):
        for cause in FOLD_CAUSES:
            assert value("baton_dead_letters_total", service=fold, topic=topic.name, cause=cause) is not None
    assert value("baton_timer_delay_seconds_count", service=fold) is not None
    assert value("baton_outbox_relayed_total", service=fold) is not None
    assert value("baton_outbox_refused_total", service=fold, topic=CHAT_MESSAGES.name) is not None
    assert value("baton_commit_failures_total", service=fold) is not None
    assert value("baton_paused", service=fold) is not None


async def test_of_a_window(window: str) -> None:
    assert {"poison", "transient", "timeout", "broken"} <= set(WINDOW_CAUSES)
    for cause in WINDOW_CAUSES:
        assert value("baton_dead_letters_total", service=window, topic=CHAT_MESSAGES.name, cause=cause) is not None
    assert value("baton_retries_total", service=window) is not None
    assert value("baton_in_flight_records", service=window) is not None
    assert value("baton_commit_failures_total", service=window) is not None


def test_every_cause_of_what_is_no_event_is_among_them() -> None:
    causes = Undecodable.__init__.__annotations__["cause"].__args__
    assert len(causes) >= 10
    assert set(causes) <= set(FOLD_CAUSES) & set(WINDOW_CAUSES)
