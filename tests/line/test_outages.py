"""Promise 4: the way to a human is open with the models, the answers and the shop away."""

import asyncio

import pytest

from schemas.chat import AnswerSent
from schemas.reasons import Decision, Reason
from tests.line.conftest import Shopper, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_without_sentiment_and_answers_contained_messages_escalate_at_once_and_others_in_time():
    async with opened(without=frozenset({"sentiment", "retrieval-answer"})) as (line, channel):
        contained, ordinary = Shopper(line, channel), Shopper(line, channel)
        await ordinary.say("Do you have rain jackets?")
        await contained.say("My lawyer will sue you over this")
        made = await contained.decision()
        assert (made.decision, made.reason) == (Decision.ESCALATE, Reason.LEGAL_THREAT)
        assert (made.decided_at - made.accepted_at).total_seconds() < 5
        await contained.notice("legal_threat")

        await ordinary.notice("one_moment", 15)
        late = await ordinary.decision(within_s=40)
        assert (late.decision, late.reason) == (Decision.ESCALATE, Reason.AI_UNAVAILABLE)
        assert 30 <= (late.decided_at - late.accepted_at).total_seconds() < 38
        await ordinary.notice("ai_unavailable")
        assert ordinary.heard.of(AnswerSent) == contained.heard.of(AnswerSent) == []


async def test_without_the_shop_the_line_says_so_and_escalates():
    async with opened() as (line, channel):
        before, after = Shopper(line, channel), Shopper(line, channel)
        line.stop_shop()
        await asyncio.sleep(0.5)
        await before.say("How much is the Drift Mini Bluetooth Speaker?")
        made = await before.decision(within_s=40)
        assert (made.decision, made.reason) == (Decision.ESCALATE, Reason.AI_UNAVAILABLE)
        assert made.evidence[0].source == "answer:shop"
        notice = await before.notice("ai_unavailable")
        assert "cannot look this up" in notice.text
        await after.say("My parcel arrived broken")
        assert (await after.decision()).reason is Reason.DAMAGED_OR_WRONG_ITEM
