"""Answering: from an accepted message to a proven answer, or to the reason why there is none."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from schemas.chat import AcceptedTurn, AnswerProposed, AnswerUnavailable, AnswerWithheld, CustomerMessageAccepted
from schemas.reasons import Intent, Reason
from services.lib.answering import confidence as confidences
from services.lib.answering.catalogue_words import CatalogueWords
from services.lib.answering.compose import Gathered, compose, small_talk
from services.lib.answering.compose_order import OPEN, compose_order, which_order
from services.lib.answering.confidence import confidence
from services.lib.answering.facts import ASKED_AT_ONCE, read_live
from services.lib.answering.plain import plain_text
from services.lib.answering.result import Composed, Withhold
from services.lib.answering.retrieve import retrieve
from services.lib.answering.texts import LANGUAGES
from services.lib.answering.understand import Understanding, understand
from services.lib.answering.verify import REFUSED_KINDS, verify
from services.lib.index.port import Index, IndexUnavailable, Vocabulary
from services.lib.kit import metrics
from services.lib.language.encoder import TextEncoder
from services.lib.shop.models import Order
from services.lib.shop.port import Shop, ShopError

log = logging.getLogger(__name__)

Cause = Literal["shop", "index", "llm", "deadline", "internal"]
Answer = AnswerProposed | AnswerWithheld | AnswerUnavailable

UNVERIFIED = "an order is only shown to the customer it belongs to, after logging in"
"""The same words whether the order exists or not, and whoever asks."""


class AnsweringSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    limit_s: float = Field(default=8.0, gt=0, le=30)
    """Longest time for one answer, in seconds; less where `answer_by` comes sooner."""
    store_languages: Mapping[str, str] = {"default": "en"}
    """Store view to the language its catalogue is written in. Only where it is the shopper's own does a word
    that is missing from the catalogue mean that the thing is not sold."""


class _Context(NamedTuple):
    message: AcceptedTurn
    language: str
    catalogue: CatalogueWords
    within: float
    now: datetime


class Answering:
    """Understand, retrieve, facts, compose, verify, confidence. One instance serves all conversations."""

    def __init__(
        self,
        index: Index,
        shop: Shop,
        encoder: TextEncoder,
        clock: Callable[[], datetime],
        settings: AnsweringSettings | None = None,
    ) -> None:
        self._index = index
        self._shop = shop
        self._encoder = encoder
        self._clock = clock
        self._settings = settings or AnsweringSettings()
        self._catalogues: dict[str, tuple[Vocabulary, CatalogueWords]] = {}
        for kind in REFUSED_KINDS:  # counted from zero, so that the first one shows as an increase
            metrics.CLAIMS_REFUSED.labels(kind)

    async def answer(self, message: AcceptedTurn, *, identity: str, deadline: datetime | None = None) -> Answer:
        """`identity` is that of the accepted event; `deadline` (UTC) defaults to the message's `answer_by`.

        Never raises but for cancellation: a part that is away is `AnswerUnavailable` with its name, a defect
        of the pipeline is `internal`.
        """
        started = asyncio.get_running_loop().time()

        def about(intent: Intent) -> dict[str, Any]:
            return {
                "gateway": message.gateway,
                "conversation": message.conversation,
                "position": message.position,
                "message": identity,
                "intent": intent,
                "seconds": max(0.0, asyncio.get_running_loop().time() - started),
            }

        def unavailable(cause: Cause, detail: str) -> AnswerUnavailable:
            return AnswerUnavailable(**about(Intent.OTHER), cause=cause, detail=detail[:500])

        until = min(deadline or message.answer_by, message.answer_by)
        within = min(self._settings.limit_s, (until - self._clock()).total_seconds())
        try:
            if within <= 0:
                raise TimeoutError
            async with asyncio.timeout(within):
                result = await self._result(message, within)
            if isinstance(result, Withhold):
                detail = result.detail[:500]
                return AnswerWithheld(**about(result.intent), reason=result.reason, detail=detail)
            return self._proposed(result, about(result.intent))
        except TimeoutError:
            return unavailable("deadline", "no answer in the time there was")
        except ShopError as error:
            return unavailable("shop", str(error))
        except IndexUnavailable as error:
            return unavailable("index", str(error))
        except Exception as error:
            log.exception("answering failed")
            return unavailable("internal", type(error).__name__)

    def _proposed(self, result: Composed, about: dict[str, Any]) -> AnswerProposed | AnswerWithheld:
        draft = result.draft
        refused = verify(
            draft.text,
            draft.cards,
            draft.quick_replies,
            draft.claims,
            draft.proofs,
            draft.language,
            self._clock(),
        )
        if refused:
            for one in refused:
                metrics.CLAIMS_REFUSED.labels(one.kind).inc()
            detail = "; ".join(one.why for one in refused)[:500]
            return AnswerWithheld(**about, reason=Reason.UNVERIFIED_CLAIM, detail=detail)
        return AnswerProposed(
            **about,
            kind=draft.kind,
            text=draft.text,
            plain=plain_text(draft.text, draft.cards, draft.quick_replies, draft.language, draft.proofs),
            language=draft.language,
            cards=tuple(draft.cards),
            quick_replies=tuple(draft.quick_replies),
            claims=tuple(draft.claims),
            proofs=tuple(draft.proofs),
            confidence=result.confidence,
            versions={"encoder": self._encoder.version, "confidence": confidences.VERSION},
        )

    async def _result(self, message: AcceptedTurn, within: float) -> Composed | Withhold:
        if message.language not in LANGUAGES:
            return Withhold(Intent.OTHER, Reason.UNSUPPORTED_LANGUAGE, f"no answers in {message.language!r}")
        if isinstance(message, CustomerMessageAccepted) and message.attachments and not message.text.strip():
            return Withhold(Intent.OTHER, Reason.LOW_CONFIDENCE, "an attachment without words")
        catalogue = await self._catalogue(message.store)
        context = _Context(message, message.language, catalogue, within, self._clock())
        u = await asyncio.to_thread(understand, message, catalogue)
        result = await self._by_intent(u, context)
        if isinstance(result, Withhold):
            return result
        signals = result.signals
        if u.mixed:  # half of what was asked
            signals = replace(signals, coverage=signals.coverage / 2, exact=False, compromised=True)
        probability = confidence(signals, result.intent, sure=u.sure, hostile=u.hostile)
        return result.with_confidence(probability)

    async def _by_intent(self, u: Understanding, context: _Context) -> Composed | Withhold:
        if u.intent is Intent.SMALL_TALK:
            return small_talk(u, context.language)
        if u.not_shopper and not u.named:
            return Withhold(Intent.OTHER, Reason.NOT_A_SHOPPER, "the message is no shopper's")
        if u.action:
            return Withhold(u.intent, Reason.ACTION_REQUIRED, "the message asks for something to be done")
        if u.back_when and not u.order_cue:
            detail = "the shop does not say when it can be had again"
            return Withhold(Intent.PRODUCT_DETAIL, Reason.LOW_CONFIDENCE, detail)
        if u.intent is Intent.ORDER_STATE:
            return await self._order(u, context)
        return await self._documents(u, context)

    async def _documents(self, u: Understanding, context: _Context) -> Composed | Withhold:
        store = context.message.store
        same = self._settings.store_languages.get(store) == context.language
        retrieved = await retrieve(u, self._index, store, context.catalogue, foreign=not same)
        documents = [*retrieved.focus, *(hit.document for hit in retrieved.products[:ASKED_AT_ONCE])]
        live = await read_live(documents, self._shop, store, context.within) if documents else {}
        order = await self._order_named(u, context)
        return await asyncio.to_thread(
            compose,
            u,
            Gathered(retrieved, live, order),
            context.catalogue,
            self._encoder,
            context.language,
            same_language=same,
            now=self._clock(),
        )

    async def _order(self, u: Understanding, context: _Context) -> Composed | Withhold:
        refused = Withhold(Intent.ORDER_STATE, Reason.IDENTITY_UNVERIFIED, UNVERIFIED)
        customer = self._customer(context)
        if customer is None:
            if not u.sure and u.policy_cue:  # "how does tracking work" is a rule as well as an order
                policy = await self._documents(u.model_copy(update={"intent": Intent.POLICY, "sure": True}), context)
                return policy if isinstance(policy, Composed) else refused
            return refused
        if u.order_number is not None:
            order = await self._shop.order_by_number(u.order_number, customer, within=context.within)
            return self._said_of(order, context) if order is not None else refused
        orders = await self._shop.last_orders(customer, 6, within=context.within)
        if not orders:
            return Withhold(Intent.ORDER_STATE, Reason.LOW_CONFIDENCE, "the customer has no orders")
        under_way = tuple(order for order in orders if order.state in OPEN)
        if not u.last_order and len(under_way) > 1:
            return which_order(under_way, context.language)
        chosen = under_way[0] if len(under_way) == 1 and not u.last_order else orders[0]
        return self._said_of(chosen, context)

    def _said_of(self, order: Order, context: _Context) -> Composed | Withhold:
        composed = compose_order(order, context.language)
        return composed or Withhold(Intent.ORDER_STATE, Reason.LOW_CONFIDENCE, f"no words for state {order.state!r}")

    async def _order_named(self, u: Understanding, context: _Context) -> Order | None:
        """The customer's own order a question about returns is about; None where nobody is proven."""
        customer = self._customer(context)
        if customer is None or not u.returns or not u.order_cue:
            return None
        if u.order_number is not None:
            return await self._shop.order_by_number(u.order_number, customer, within=context.within)
        latest = await self._shop.last_orders(customer, 1, within=context.within) if u.last_order else ()
        return latest[0] if latest else None

    def _customer(self, context: _Context) -> int | None:
        identity = context.message.identity
        if identity.customer_id is None or identity.expires_at is None or identity.expires_at <= context.now:
            return None
        return identity.customer_id

    async def _catalogue(self, store: str) -> CatalogueWords:
        vocabulary = await self._index.vocabulary(store)
        cached = self._catalogues.get(store)
        if cached is None or cached[0] is not vocabulary:
            cached = (vocabulary, await asyncio.to_thread(CatalogueWords.of, vocabulary))
            self._catalogues[store] = cached
        return cached[1]
