"""A handoff from end to end, with a desk that asks as a desk does."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from schemas.chat import AnswerSent, HumanReplySent
from schemas.event import Event
from schemas.reasons import Decision, Owner
from schemas.support import (
    ActionRefused,
    ClaimRequested,
    EscalationClaimed,
    EscalationRaised,
    EscalationReturned,
    GiveBackRequested,
    ReplyRequested,
    ResolveRequested,
)
from schemas.topics import SUPPORT_AGENT_ACTIONS
from services.lib.kit.broker import Publisher, connect

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Desk:
    def __init__(self, shopper, publisher, agent):
        self.shopper, self.publisher, self.agent = shopper, publisher, agent

    async def ask(self, type_, epoch, **fields):
        data = type_(gateway="test", conversation=self.shopper.name, agent=self.agent, epoch=epoch, **fields)
        event = Event.new(data, source="desk", subject=data.key, time=datetime.now(UTC), cause=str(uuid4()))
        await self.publisher.publish(SUPPORT_AGENT_ACTIONS, event)

    async def heard(self, type_, number=1):
        def found():
            events = self.shopper.heard.of(type_)
            return events[number - 1] if len(events) >= number else None

        return await self.shopper.heard.until(found, 20)


async def test_claim_reply_give_back_resolve(whole, shopper):
    line, _ = whole
    async with connect(line.kafka, "desk") as broker:
        ann, bob = (Desk(shopper, Publisher(broker), name) for name in ("ann", "bob"))
        await shopper.say("let me talk to a person please")
        raised = await ann.heard(EscalationRaised)
        assert (await shopper.notice("human_request")).position == 1

        await ann.ask(ClaimRequested, raised.epoch)
        claimed = await ann.heard(EscalationClaimed)
        assert (claimed.agent, claimed.handoff) == ("ann", raised.handoff)
        await bob.ask(ClaimRequested, raised.epoch)
        refused = await bob.heard(ActionRefused)
        assert (refused.agent, refused.cause, refused.claimed_by) == ("bob", "not_queued", "ann")

        await shopper.say("Is the Stormglass Rain Jacket waterproof?")
        made = await shopper.decision(2)
        assert (made.decision, made.owner) == (Decision.SUPPRESS, Owner.HUMAN)

        await ann.ask(ReplyRequested, claimed.epoch, text="Hello, this is Ann.")
        assert (await ann.heard(HumanReplySent)).text == "Hello, this is Ann."
        assert shopper.heard.of(AnswerSent) == []

        await ann.ask(GiveBackRequested, claimed.epoch)
        returned = await ann.heard(EscalationReturned)
        await shopper.notice("given_back")
        await shopper.say("Is the Stormglass Rain Jacket waterproof?")
        assert (await shopper.decision(3)).owner is Owner.AI
        await ann.ask(ResolveRequested, returned.epoch)
        assert (await ann.heard(ActionRefused, 2)).cause in ("no_handoff", "not_yours")
    sequences = [e.sequence for e in shopper.heard.events if e.source.endswith("router") and "Sent" in e.type]
    assert sequences == list(range(1, len(sequences) + 1))
