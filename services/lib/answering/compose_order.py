"""compose_order: what the shop says of a customer's own order: state, parcels, contents."""

from schemas.chat import QuickReply
from schemas.reasons import Intent
from services.lib.answering.draft import Draft
from services.lib.answering.result import CERTAIN, Composed, Signals
from services.lib.answering.texts import date, listed, money
from services.lib.answering.understand import ORDER_REPLY
from services.lib.shop.models import Order

INTENT = Intent.ORDER_STATE

OPEN = frozenset({"new", "pending_payment", "payment_review", "processing", "holded"})
"""States of an order that is still under way."""

STATES = OPEN | {"complete", "closed", "canceled"}


def state_of(order: Order) -> str:
    """The order's state as the texts name it: an order being processed may have been shipped in part."""
    return "partly" if order.state == "processing" and order.shipments else order.state


def compose_order(order: Order, language: str) -> Composed | None:
    """None for a state the shop made up itself, which has no words here."""
    if order.state not in STATES:
        return None
    draft = Draft(language)
    read_at, number = order.read_at, order.number
    state = state_of(order)
    placed = draft.fact("order", number, f"created {order.created_at:%Y-%m-%d}", read_at)
    has_state = draft.fact("order", number, f"state {state}", read_at)
    text = draft.say(
        "order_placed", number=number, date=date(order.created_at, language), state=draft.say(f"state_{state}")
    )
    draft.claim("order", text, placed, has_state)
    for shipment in order.shipments[:3]:
        sent = draft.fact("order", number, f"shipped {shipment.created_at:%Y-%m-%d}", read_at)
        draft.claim("order", draft.say("order_shipped_on", date=date(shipment.created_at, language)), sent)
        for track in shipment.tracks[:2]:
            carrier = track.title or track.carrier
            value = f"track {carrier} {track.number}"
            proof = draft.fact("order", number, value + (f" {track.url}" if track.url else ""), read_at)
            key = "order_track_url" if track.url else "order_track"
            fields = {"url": track.url} if track.url else {}
            draft.claim("order", draft.say(key, carrier=carrier, number=track.number, **fields), proof)
    if order.items:
        items = [f"{item.quantity_ordered.normalize():f} × {item.name}" for item in order.items]
        shown = listed(items, 6)
        proof = draft.fact("order", number, f"items {shown}", read_at)
        draft.claim("order", draft.say("order_items", items=shown), proof)
    total = draft.fact("order", number, f"total {order.total.amount:f} {order.total.currency}", read_at)
    draft.claim("order", draft.say("order_total", total=money(order.total, language)), total)
    return Composed(INTENT, draft, CERTAIN)


def which_order(orders: tuple[Order, ...], language: str) -> Composed:
    draft = Draft(language, kind="clarification")
    draft.add("which_order")
    for order in orders[:6]:
        title = f"{order.number} ({date(order.created_at, language)})"
        placed = draft.fact("order", order.number, f"created {order.created_at:%Y-%m-%d}", order.read_at)
        draft.claim("order", title, placed, line=False)
        draft.quick_replies.append(QuickReply(id=f"{ORDER_REPLY}{order.number}", title=title))
    return Composed(INTENT, draft, Signals(match=1.0, coverage=1.0))
