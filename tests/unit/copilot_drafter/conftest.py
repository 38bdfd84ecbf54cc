"""A raised escalation, and a shop with a customer who has ordered."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from schemas.chat import AnswerProposed, Card, Evidence, QuickReply, Utterance
from schemas.event import Event
from schemas.money import Money
from schemas.reasons import Intent, Priority, Reason
from schemas.support import EscalationRaised, Versions
from services.lib.shop.models import Customer, Order, OrderItem, Shipment, Track

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JANE = Customer(id=7, email="jane@example.com", first_name="Jane", last_name="Miller", group_id=1)


def money(amount):
    return Money(amount=Decimal(amount), currency="USD")


def item(n=1, **more):
    values = {"sku": f"M{n}", "name": f"Mug {n}", "quantity_ordered": Decimal("2.0000"), "total": money("24.00")}
    return OrderItem(**(values | more))


MUG = item()


def order(number, state="processing", days_ago=2, tracks=(), items=(MUG,), shipped=False, **more):
    created = NOW - timedelta(days=days_ago)
    shipments = (Shipment(increment_id="1", created_at=created, tracks=tracks),) if tracks or shipped else ()
    values = {
        "entity_id": int(number),
        "number": number,
        "customer_id": JANE.id,
        "email": JANE.email,
        "state": state,
        "status": state,
        "created_at": created,
        "total": money("61.00"),
        "items": items,
        "shipments": shipments,
        "read_at": NOW,
    }
    return Order(**(values | more))


UPS = Track(carrier="ups", title="UPS", number="1Z999AA10123456784", url="https://www.ups.com/track?1Z")
NEW = order("000000096", "new", 1)
SENT = order("000000085", "processing", 3, tracks=(UPS,))
OLD = order("000000069", "complete", 40, tracks=(Track(carrier="dhl", title="", number="JD1"),))


def line(text, minutes_ago=0, role="customer", **more):
    return Utterance(role=role, text=text, at=NOW - timedelta(minutes=minutes_ago), **more)


def raised(text="My parcel never came.", reason=Reason.DELIVERY_PROBLEM, before=(), **more):
    transcript = (*before, line(text))
    values = {
        "gateway": "web",
        "conversation": "c1",
        "handoff": "h1",
        "epoch": 1,
        "position": sum(one.role == "customer" for one in transcript),
        "reason": reason,
        "evidence": (Evidence(source="rule:en.test", reason=reason),),
        "priority": Priority.NORMAL,
        "language": "en",
        "store": "default",
        "customer_id": JANE.id,
        "transcript": transcript,
        "versions": Versions(policy="p", screening="s"),
    }
    return EscalationRaised(**(values | more))


def event(data, cause="m1"):
    return Event.new(
        data, source="baton/escalation-router", subject=data.key, time=NOW, cause=cause, traceparent=TRACE
    )


def proposed(text="Return it within 30 days.", **more):
    values = {
        "gateway": "web",
        "conversation": "c1",
        "position": 1,
        "message": "m",
        "intent": Intent.POLICY,
        "seconds": 0.1,
        "kind": "answer",
        "text": text,
        "plain": text,
        "language": "en",
        "confidence": 0.9,
    }
    return AnswerProposed(**(values | more))


def which_order(*orders):
    return proposed(
        "Which order do you mean?",
        kind="clarification",
        intent=Intent.ORDER_STATE,
        quick_replies=tuple(QuickReply(id=f"order/{one.number}", title=one.number) for one in orders),
    )


CARD = Card(sku="M1", name="Mug", url="https://shop.example/m1", read_at=NOW)
