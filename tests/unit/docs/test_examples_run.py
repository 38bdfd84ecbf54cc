"""The examples as programs, on the embedded Kafka: what they publish arrives, what is published they show."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import chat, support
from schemas.codec import decode
from schemas.event import Event
from schemas.reasons import Owner, Priority, Reason
from schemas.topics import (
    BY_NAME,
    CHAT_INBOUND,
    CHAT_REPLIES,
    SUPPORT_AGENT_ACTIONS,
    SUPPORT_BRIEFS,
    SUPPORT_ESCALATIONS,
)
from services.lib.kit.broker import Publisher, connect, groupless
from services.lib.kit.embedded import embedded_kafka
from services.lib.kit.settings import KafkaSettings
from tests.unit.docs.conftest import ROOT

TOPICS = (CHAT_INBOUND, CHAT_REPLIES, SUPPORT_ESCALATIONS, SUPPORT_BRIEFS, SUPPORT_AGENT_ACTIONS)
PATIENCE_S = 30.0
NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
ADDRESS = {"gateway": "example", "conversation": "c1"}


@pytest.fixture
async def kafka() -> AsyncIterator[KafkaSettings]:
    async with embedded_kafka([topic.name for topic in TOPICS]) as broker:
        yield KafkaSettings(bootstrap=broker.bootstrap)


class Program:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()

    async def says(self, what: str) -> str:
        """The next line that contains `what`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := (await self.process.stdout.readline()).decode():
                if what in line:
                    return line
        raise AssertionError(f"ended without saying {what!r}")


@asynccontextmanager
async def running(name: str, *arguments: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / f"docs/examples/{name}.py"),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def baton(kafka: KafkaSettings, topic: Any) -> AsyncIterator[tuple[Publisher, Any]]:
    """The other side: publishes, and gives the next event of `topic`."""
    async with connect(kafka, "test") as broker, groupless(kafka, topic.name) as consumer:

        async def following() -> Event[Any]:
            async with asyncio.timeout(PATIENCE_S):
                record = await consumer.getone()
            return decode(BY_NAME[record.topic], record.key, record.value)

        yield Publisher(broker), following


def from_router(data: Any, sequence: int) -> Event[Any]:
    return Event.new(
        data,
        source="baton/escalation-router",
        subject="example:c1",
        time=NOW,
        cause=f"test#{sequence}",
        sequence=sequence,
    )


async def test_a_conversation_over_the_gateway(kafka: KafkaSettings) -> None:
    options = ("--conversation", "c1", "--store", "de")
    async with (
        baton(kafka, CHAT_INBOUND) as (publisher, following),
        running("gateway", kafka.bootstrap, *options) as gateway,
    ):
        started = await following()
        assert (started.type, started.subject, started.data.store) == ("ConversationStarted", "example:c1", "de")
        await gateway.type("Grüße, ein Geschenk?")
        said = await following()
        assert (said.type, said.data.text, said.data.last_reply_sequence) == (
            "CustomerMessage",
            "Grüße, ein Geschenk?",
            None,
        )
        reply = from_router(
            chat.NoticeSent(
                **ADDRESS,
                language="de",
                text="Hier ist etwas",
                plain="Hier ist etwas",
                notice="greeting",
                quick_replies=(chat.QuickReply(id="human", title="Ein Mensch, bitte"),),
            ),
            7,
        )
        await publisher.publish(CHAT_REPLIES, reply)
        await publisher.publish(CHAT_REPLIES, reply)
        assert await gateway.says("Hier ist etwas")
        assert await gateway.says("[1] Ein Mensch, bitte")
        await gateway.type("1")
        chosen = await following()
        assert (chosen.type, chosen.data.quick_reply) == ("QuickReplyChosen", "human")
        assert chosen.data.last_reply_sequence == 7
        await publisher.publish(CHAT_REPLIES, from_router(reply.data.model_copy(update={"text": "Gern"}), 8))
        # The copy of the first reply lies between: it is not shown again.
        assert gateway.process.stdout is not None
        line = await gateway.process.stdout.readline()
        assert line.decode() == "shop> Gern\n"
        assert gateway.process.stdin is not None
        gateway.process.stdin.close()
        assert (await following()).type == "ConversationClosed"
        assert await gateway.process.wait() == 0


async def test_a_handoff_over_the_desk(kafka: KafkaSettings) -> None:
    raised = support.EscalationRaised(
        **ADDRESS,
        handoff="h1",
        epoch=1,
        position=1,
        reason=Reason.HUMAN_REQUEST,
        evidence=(),
        priority=Priority.NORMAL,
        language="en",
        store="default",
        transcript=(chat.Utterance(role="customer", text="a person, please", at=NOW),),
        versions=support.Versions(policy="p"),
    )
    async with baton(kafka, SUPPORT_AGENT_ACTIONS) as (publisher, following):
        await publisher.publish(SUPPORT_ESCALATIONS, from_router(raised, 1))  # before the desk is there
        async with running("desk", kafka.bootstrap, "--agent", "ann") as desk:
            await desk.says("new: example:c1")
            await desk.type("show 1")
            await desk.says("customer> a person, please")
            await desk.type("claim 1")
            claim = await following()
            assert (claim.type, claim.data.agent, claim.data.epoch) == ("ClaimRequested", "ann", 1)
            claimed = support.EscalationClaimed(**ADDRESS, handoff="h1", epoch=2, agent="bob")
            await publisher.publish(SUPPORT_ESCALATIONS, from_router(claimed, 2))
            refused = support.ActionRefused(
                **ADDRESS,
                handoff="h1",
                epoch=2,
                agent="ann",
                action="claim",
                cause="not_queued",
                owner=Owner.HUMAN,
                claimed_by="bob",
                request=claim.identity,
            )
            await publisher.publish(SUPPORT_ESCALATIONS, from_router(refused, 3))
            await desk.says("REFUSED: claim of example:c1 (not_queued); it is with bob")
            await desk.type("reply 1 hello")
            asked = await following()
            assert (asked.type, asked.data.text, asked.data.epoch) == ("ReplyRequested", "hello", 2)
            await desk.type("quit")
            assert await desk.process.wait() == 0


async def test_without_a_kafka_one_sentence_and_status_1() -> None:
    async def end(name: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / f"docs/examples/{name}.py"),
            "127.0.0.1:1",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        return process.returncode, errors.decode()

    # Side by side: each waits its five seconds for a broker.
    for status, errors in await asyncio.gather(end("gateway"), end("desk")):
        assert status == 1
        assert "Kafka at 127.0.0.1:1" in errors
        assert "Traceback" not in errors
