"""`brief`: what the agent gets, worked out of what was gathered. Pure."""

from collections.abc import Callable
from datetime import timedelta

from schemas.chat import Evidence
from schemas.support import (
    BriefPrepared,
    CustomerBrief,
    EscalationRaised,
    OrderBrief,
    OrderLine,
    TrackingLink,
)
from services.copilot_drafter.drafts import draft_of
from services.copilot_drafter.gathered import Gathered, Missing
from services.lib.answering.compose_order import OPEN
from services.lib.shop.models import Customer, Order

_QUOTED = 240
"""Characters of the shopper's words that a summary quotes: two lines on a desk."""
_FOUND = 80
"""Characters of the words that a rule caught: enough to find them in the transcript."""
_EVIDENCE = 5
_SHOWN = 6
"""Products a summary names: what was shown last counts."""


def brief(
    raised: EscalationRaised,
    gathered: Gathered,
    order_url: Callable[[Order], str],
    customer_url: Callable[[int], str],
) -> BriefPrepared:
    """The brief, not yet cut to the size of an event (see `fitted`)."""
    customer = gathered.customer if isinstance(gathered.customer, Customer) else None
    orders = gathered.orders if isinstance(gathered.orders, tuple) else ()
    transcript = None if isinstance(gathered.transcript, Missing) else gathered.transcript
    draft, no_draft = draft_of(raised.reason, gathered)
    parts = (gathered.transcript, gathered.customer, gathered.orders)
    missing = [part.why for part in parts if isinstance(part, Missing)]
    if no_draft is not None:
        missing.append(no_draft)
    if raised.customer_id is None:
        missing.append("Orders: the shopper has not proven who they are.")
    about = [summary(raised, gathered.orders)]
    if draft is not None and gathered.order_meant is not None:
        about.append(f"The draft takes order {gathered.order_meant} to be meant: they named none.")
    return BriefPrepared(
        gateway=raised.gateway,
        conversation=raised.conversation,
        handoff=raised.handoff,
        reason=raised.reason,
        why=why(raised),
        summary=" ".join(about),
        customer=_customer(customer, customer_url(customer.id)) if customer else None,
        orders=tuple(_order(order, order_url(order)) for order in orders),
        draft=draft,
        transcript=transcript.lines if transcript else (),
        transcript_cut=transcript.cut if transcript else False,
        transcript_from=transcript.reaches_back_to if transcript else None,
        missing=tuple(missing),
        read_at=gathered.read_at,
    )


def why(raised: EscalationRaised) -> str:
    """Reason and evidence in words an agent can check: which rule, which words, which score."""
    text = raised.transcript[-1].text if raised.transcript else ""
    found = [_said(evidence, text) for evidence in raised.evidence[:_EVIDENCE]]
    name = str(raised.reason).replace("_", " ")
    return f"{name}: {'; '.join(found)}" if found else name


def _said(evidence: Evidence, text: str) -> str:
    words = evidence.source
    if evidence.span is not None:
        start, end = evidence.span
        caught = quoted(text[max(0, start) : max(0, end)], _FOUND)
        words += f" found “{caught}”" if caught else ""
    if evidence.score is not None:
        words += f" ({evidence.score:.2f})"
    if evidence.detail:
        words += f": {evidence.detail}"
    return words


def quoted(text: str, at_most: int) -> str:
    """On one line, in at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= at_most else line[: at_most - 1].rstrip() + "…"


def summary(raised: EscalationRaised, orders: tuple[Order, ...] | Missing | None) -> str:
    """What was asked last, how long it has gone on, what was shown, what is open, a sentence each."""
    said = [line for line in raised.transcript if line.role == "customer"]
    sentences = []
    if said:
        last = quoted(said[-1].text, _QUOTED)
        sentences.append(f"The shopper wrote: {_in_quotes(last)}" if last else _without_words(raised))
        before = next((quoted(line.text, _QUOTED) for line in reversed(said[:-1]) if line.text.strip()), None)
        if not last and before:
            sentences.append(f"Before that they wrote: {_in_quotes(before)}")
    if raised.position > 1:
        sentences.append(_how_long(raised.position, len(said), said[-1].at - said[0].at if said else timedelta()))
    shown = list(dict.fromkeys(sku for line in reversed(raised.transcript) for sku in line.skus))
    if shown:
        sentences.append(f"They were shown {', '.join(shown[:_SHOWN])}.")
    if isinstance(orders, tuple):
        under_way = [f"{order.number} ({order.status})" for order in orders if order.state in OPEN]
        if under_way:
            sentences.append(f"Open orders: {', '.join(under_way[:3])}.")
        if not orders:
            sentences.append("They have ordered nothing yet.")
    if raised.attachments:
        sentences.append(f"They attached {_counted(raised.attachments, 'file')}.")
    return " ".join(sentences) or "Nothing was said before the handoff."


def _in_quotes(words: str) -> str:
    """With one full stop, theirs or ours."""
    return f"“{words}”" if words.endswith((".", "!", "?", "…")) else f"“{words}”."


def _without_words(raised: EscalationRaised) -> str:
    if raised.attachments:
        return "The shopper sent an attachment without words."
    if any(one.source.startswith("button") for one in raised.evidence):
        return "The shopper pressed the button for a person."
    return "The shopper sent nothing that can be read."


def _how_long(position: int, known: int, took: timedelta) -> str:
    """The position counts all messages; the transcript may hold only the last of them."""
    sentence = f"It is their {_ordinal(position)} message"
    if known < 2:
        return f"{sentence}."
    return f"{sentence}, {'all' if known >= position else f'the last {known} of them'} within {_span(took)}."


def _span(took: timedelta) -> str:
    minutes = max(1, round(took.total_seconds() / 60))
    if minutes < 120:
        return _counted(minutes, "minute")
    hours = round(minutes / 60)
    return _counted(hours, "hour") if hours < 48 else _counted(round(hours / 24), "day")


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _ordinal(n: int) -> str:
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def _customer(customer: Customer, url: str) -> CustomerBrief:
    return CustomerBrief(
        customer_id=customer.id,
        name=f"{customer.first_name} {customer.last_name}".strip() or customer.email,
        email=customer.email,
        group=str(customer.group_id),
        url=url,
    )


def _order(order: Order, url: str) -> OrderBrief:
    return OrderBrief(
        number=order.number,
        state=order.state,
        status=order.status,
        placed_at=order.created_at,
        total=order.total,
        items=tuple(
            OrderLine(
                sku=item.sku, name=item.name, quantity=f"{item.quantity_ordered.normalize():f}", total=item.total
            )
            for item in order.items
        ),
        tracking=tuple(
            TrackingLink(carrier=track.title or track.carrier, number=track.number, url=track.url)
            for shipment in order.shipments
            for track in shipment.tracks
        ),
        url=url,
    )
