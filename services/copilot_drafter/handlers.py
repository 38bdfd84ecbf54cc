"""Prepares the brief of one raised escalation: reads what there is side by side, and publishes it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from schemas.chat import (
    AcceptedTurn,
    AnswerProposed,
    AnswerUnavailable,
    AnswerWithheld,
    CustomerMessageAccepted,
    Identity,
    QuickReplyChosenAccepted,
    Screening,
    Utterance,
)
from schemas.event import Event
from schemas.reasons import NO_LLM_EVER, Owner
from schemas.support import EscalationRaised
from schemas.topics import SUPPORT_BRIEFS, Topic
from services.copilot_drafter.decide import brief
from services.copilot_drafter.drafts import allows_draft, order_meant
from services.copilot_drafter.gathered import Gathered, Missing, Transcript
from services.copilot_drafter.size import fitted
from services.copilot_drafter.transcripts import NothingSaid, TranscriptError, Transcripts
from services.lib.answering.understand import ORDER_REPLY
from services.lib.kit import metrics
from services.lib.kit.logs import frames
from services.lib.shop.models import Customer, Order
from services.lib.shop.port import Shop, ShopError

SOURCE = "baton/copilot-drafter"
HANDLED = (EscalationRaised,)

Answer = AnswerProposed | AnswerWithheld | AnswerUnavailable

for _complete in ("yes", "no"):  # one that is born with its first brief, at 1, shows no increase
    metrics.BRIEFS.labels(_complete)
T = TypeVar("T")

_log = logging.getLogger(__name__)


class Answers(Protocol):
    async def answer(self, message: AcceptedTurn, *, identity: str) -> Answer: ...


class Publishes(Protocol):
    async def publish(self, topic: Topic, event: Event[Any]) -> None: ...


def draft_with(
    *,
    shop: Shop,
    answers: Answers,
    transcripts: Transcripts,
    publisher: Publishes,
    clock: Callable[[], datetime],
    read_s: float,
    last_orders: int,
) -> Callable[[Event[Any]], Awaitable[None]]:
    """The window's handler. Reads take `read_s` seconds at most, all together; a brief without a part beats none."""

    async def handle(event: Event[Any]) -> None:
        raised: EscalationRaised = event.data
        until = clock() + timedelta(seconds=read_s)
        transcript, customer, orders, answer = await asyncio.gather(
            _transcript(raised, transcripts, read_s),
            _customer(raised, shop, read_s),
            _orders(raised, shop, read_s, last_orders),
            _answer(raised, answers, event.identity, until, read_s),
        )
        meant = None
        if isinstance(answer, AnswerProposed) and answer.kind == "clarification" and isinstance(orders, tuple):
            meant = order_meant(raised.reason, answer, orders)
        if meant is not None:  # the agent sees the orders: one of them answered helps more than asking back
            left = (until - clock()).total_seconds()
            answer = await _part(
                "Draft", answers.answer(_of_order(raised, meant, until), identity=event.identity), left
            )
        gathered = Gathered(clock(), transcript, customer, orders, answer, meant)
        prepared = fitted(brief(raised, gathered, shop.order_admin_url, shop.customer_admin_url))
        whole = not any(isinstance(part, Missing) for part in (transcript, customer, orders))
        await publisher.publish(SUPPORT_BRIEFS, event.followed_by(prepared, source=SOURCE, time=clock()))
        metrics.BRIEFS.labels("yes" if whole else "no").inc()

    return handle


async def _transcript(raised: EscalationRaised, transcripts: Transcripts, read_s: float) -> Transcript | Missing:
    async def read() -> Transcript:
        try:
            return await transcripts.read(raised.gateway, raised.conversation)
        except NothingSaid:
            if raised.attachments or any(line.text.strip() for line in raised.transcript):
                raise
            return Transcript()  # the button for a person was the first thing: it has no words

    return await _part("Original transcript", read(), read_s)


async def _customer(raised: EscalationRaised, shop: Shop, read_s: float) -> Customer | Missing | None:
    if raised.customer_id is None:
        return None
    found = await _part("Customer", shop.customer(raised.customer_id, within=read_s), read_s)
    return found if found is not None else Missing("Customer: the shop does not know them any more.")


async def _orders(
    raised: EscalationRaised, shop: Shop, read_s: float, last_orders: int
) -> tuple[Order, ...] | Missing | None:
    if raised.customer_id is None:
        return None
    return await _part("Orders", shop.last_orders(raised.customer_id, last_orders, within=read_s), read_s)


async def _answer(
    raised: EscalationRaised, answers: Answers, identity: str, until: datetime, read_s: float
) -> Answer | Missing | None:
    """What the machine could have said, as a draft: the agent decides what becomes of it."""
    line = raised.transcript[-1] if raised.transcript else None
    if line is None or not line.text.strip() or not allows_draft(raised.reason):
        return None
    question = CustomerMessageAccepted(
        **_turn(raised, until), accepted_at=line.at, text=line.text, history=_history(raised.transcript[:-1])
    )
    return await _part("Draft", answers.answer(question, identity=identity), read_s)


def _of_order(raised: EscalationRaised, number: str, until: datetime) -> QuickReplyChosenAccepted:
    """The same question, as if the shopper had been asked which order is meant, and had said."""
    line = raised.transcript[-1]
    return QuickReplyChosenAccepted(
        **_turn(raised, until),
        accepted_at=line.at,
        text=number,
        quick_reply=f"{ORDER_REPLY}{number}",
        history=_history(raised.transcript),
    )


def _turn(raised: EscalationRaised, until: datetime) -> dict[str, Any]:
    return {
        "gateway": raised.gateway,
        "conversation": raised.conversation,
        "store": raised.store,
        "language": raised.language,
        "bucket": 0,
        # The shop proved them when the message was accepted; the draft is for the agent's eyes alone.
        "identity": Identity(customer_id=raised.customer_id, expires_at=until + timedelta(minutes=1)),
        "owner": Owner.QUEUED,
        "position": raised.position,
        "screening": Screening(complete=True, version=raised.versions.screening or "none"),
        "answer_by": until,
    }


def _history(lines: tuple[Utterance, ...]) -> tuple[Utterance, ...]:
    """Without what was said of safety, law or privacy before: no machine reads it, for a draft neither."""
    return tuple(line for line in lines if line.contained not in NO_LLM_EVER)


async def _part(name: str, read: Awaitable[T], within_s: float) -> T | Missing:
    """What was read, or why it is missing: one part that fails must not take the brief with it."""
    try:
        async with asyncio.timeout(within_s):
            return await read
    except TranscriptError as error:
        return Missing(f"{name}: {error}.")
    except ShopError as error:
        return Missing(f"{name}: the shop could not be read ({error}).")
    except TimeoutError:
        return Missing(f"{name}: it took longer than there was time for.")
    except Exception as error:
        _log.error("reading a part of a brief raised", extra={"fields": {"part": name, "error": frames(error)}})
        return Missing(f"{name}: reading it failed ({type(error).__name__}).")
