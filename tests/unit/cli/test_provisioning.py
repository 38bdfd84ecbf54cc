"""Topics as they are created: a table over the registry."""

import pytest
from aiokafka.errors import TopicAlreadyExistsError, TopicAuthorizationFailedError

from schemas.topics import DEAD_LETTER_LIMIT, TOPICS
from services.lib.kit.provisioning import Found, Plan, _state, plans

PLANS = {topic.name: plans(topic, 3) for topic in TOPICS}
HOURS_MS = 3_600_000
KEPT_MS = {
    "baton.chat.inbound.v1": 72 * HOURS_MS,
    "baton.chat.messages.v1": 72 * HOURS_MS,
    "baton.chat.sentiment.v1": 14 * 24 * HOURS_MS,
    "baton.chat.answers.v1": 14 * 24 * HOURS_MS,
    "baton.chat.replies.v1": 72 * HOURS_MS,
    "baton.support.escalations.v1": 14 * 24 * HOURS_MS,
    "baton.support.briefs.v1": 72 * HOURS_MS,
    "baton.support.agent-actions.v1": 72 * HOURS_MS,
    "baton.support.presence.v1": None,
    "baton.support.control.v1": None,
    "baton.support.decisions.v1": 90 * 24 * HOURS_MS,
    "baton.support.outcomes.v1": 90 * 24 * HOURS_MS,
    "baton.catalog.changes.v1": 7 * 24 * HOURS_MS,
    "baton.privacy.erasures.v1": 30 * 24 * HOURS_MS,
}


def test_every_topic_has_a_plan():
    assert PLANS.keys() == KEPT_MS.keys()


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.short)
def test_a_topic_is_kept_as_long_as_the_registry_says(topic):
    plan = PLANS[topic.name][0]
    kept = KEPT_MS[topic.name]
    assert (plan.name, plan.partitions) == (topic.name, topic.partitions)
    if kept is None:
        assert plan.config["cleanup.policy"] == "compact"
        assert "retention.ms" not in plan.config
    else:
        assert plan.config["cleanup.policy"] == "delete"
        assert plan.config["retention.ms"] == str(kept)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.short)
def test_what_is_consumed_has_dead_letters(topic):
    letters = PLANS[topic.name][1:]
    assert len(letters) == bool(topic.consumers)
    for plan in letters:
        assert (plan.name, plan.partitions) == (f"{topic.name}.dlq", topic.partitions)
        assert plan.config["cleanup.policy"] == "delete"
        kept = KEPT_MS[topic.name] or 14 * 24 * HOURS_MS
        assert plan.config["retention.ms"] == str(kept)


def test_what_is_kept_72_hours_is_gone_soon_after():
    """Kafka deletes whole segments: the active one must be closed long before its week."""
    for plan in (plan for both in PLANS.values() for plan in both if "retention.ms" in plan.config):
        assert int(plan.config["segment.ms"]) <= int(plan.config["retention.ms"]) / 6


@pytest.mark.parametrize(("replication", "insync"), [(1, "1"), (2, "1"), (3, "2"), (5, "4")])
def test_a_write_is_confirmed_by_more_than_one_replica_where_there_are_more(replication, insync):
    for plan in plans(TOPICS[0], replication):
        assert plan.config["min.insync.replicas"] == insync


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.short)
def test_the_broker_takes_what_a_writer_may_write(topic):
    """A record is its value and more: key, headers, the batch's own."""
    first, *letters = PLANS[topic.name]
    assert int(first.config["max.message.bytes"]) > topic.max_bytes
    assert all(int(plan.config["max.message.bytes"]) > DEAD_LETTER_LIMIT for plan in letters)


def test_settings_are_text():
    """As Kafka's protocol has them."""
    for plan in (plan for both in PLANS.values() for plan in both):
        assert all(isinstance(value, str) for value in plan.config.values())


PLAN = Plan("t", 12, {"retention.ms": "72"})


@pytest.mark.parametrize(
    ("found", "error", "state", "wrong"),
    [
        (None, None, "created", False),
        (None, (0, None), "created", False),
        (Found(12, {}), None, "there", False),
        (Found(12, {"retention.ms": "72", "segment.ms": "1"}), None, "there", False),
        (Found(12, {"retention.ms": "71"}), None, "retention.ms is 71, not 72", True),
        (Found(4, {}), None, "has 4 partitions, not 12", True),
        (Found(13, {"retention.ms": "1"}), (0, None), "has 13 partitions, not 12; retention.ms is 1, not 72", True),
        (None, (TopicAuthorizationFailedError.errno, None), "TopicAuthorizationFailedError", True),
        (None, (TopicAuthorizationFailedError.errno, "not yours"), "not yours", True),
    ],
)
def test_what_became_of_a_topic(found, error, state, wrong):
    assert _state(PLAN, found, error) == ("t", state, wrong)


def test_one_that_somebody_else_made_meanwhile_is_not_wrong():
    assert not _state(PLAN, None, (TopicAlreadyExistsError.errno, "exists")).wrong
