"""Sending and reading over a real protocol: librdkafka's mock cluster, in this process."""

import json
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from tests.real.checker import check, outstanding
from tests.real.load import INBOUND, Load
from tests.real.topics import Topics

DEAD = f"{INBOUND}.dlq"


@pytest.fixture
def kafka() -> Iterator[str]:
    """Address of a cluster of one broker, with the topics that are used here."""
    cluster = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = cluster.list_topics(timeout=10).brokers.values()
    for topic in (INBOUND, DEAD, "baton.chat.messages.v1", "baton.chat.sentiment.v1", "baton.chat.answers.v1"):
        cluster.list_topics(topic, timeout=10)  # asking for a topic creates it
    yield f"{broker.host}:{broker.port}"
    cluster.flush(5)


def test_what_was_sent_is_read_back_in_order(kafka: str) -> None:
    load = Load(kafka, conversations=10, messages=40)
    some = load.send(15)
    assert len(load.plan) - load.remaining == 15
    assert 0 < len(some) <= 15
    sent = load.send(rate=2000)
    assert load.remaining == 0
    with Topics(kafka) as topics:
        log = topics.read()
    assert len(log.records) == len(load.plan)
    identities = {f"{raw['source']}#{raw['id']}" for r in log.records for raw in [json.loads(r.value or b"")]}
    assert identities == {said.identity for of_one in sent.conversations.values() for said in of_one}
    problems = check(log, sent=sent).problems
    assert not any("chat.inbound" in problem for problem in problems)
    assert sum("is lost" in problem for problem in problems) == outstanding(log, sent)


def test_a_thread_sends_beside_the_test(kafka: str) -> None:
    load = Load(kafka, conversations=5, messages=20)
    load.start(rate=400)
    assert len(load.join(within_s=20)) == len({one.said.id for one in load.plan})


def test_headers_and_what_is_no_json_are_read_as_they_are(kafka: str) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(DEAD, key="web:a", value=b"\x00\xff", headers={"x-origin": f"{INBOUND}/0/7"})
    producer.flush(10)
    with Topics(kafka) as topics:
        (record,) = topics.read().records
    assert (record.value, record.key, record.headers) == (b"\x00\xff", "web:a", {"x-origin": f"{INBOUND}/0/7"})
    assert record.short == "chat.inbound.dlq"


def test_it_reads_on_where_it_ended(kafka: str) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    with Topics(kafka) as topics:
        assert topics.read().records == ()
        for number in range(3):
            producer.produce(DEAD, key="web:a", value=f"{number}".encode(), partition=number % 2)
            producer.flush(10)
            assert sorted(record.value or b"" for record in topics.read().records) == [
                f"{n}".encode() for n in range(number + 1)
            ]
