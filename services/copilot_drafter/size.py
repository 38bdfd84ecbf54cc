"""`fitted`: a brief that fits into an event, whatever the shop and the conversation hold. Pure.

An order of a wholesale shop has a thousand lines, and a brief that Kafka does not take is no brief.
"""

from schemas.support import BriefLine, BriefPrepared, OrderBrief
from schemas.topics import EVENT_LIMIT, TRANSCRIPT_LIMIT

ROOM = EVENT_LIMIT - 8 * 1024
"""Bytes of JSON for the data; the rest is the envelope's."""
_LINES = 100
"""Order lines, and tracking links, of all orders together: more than a desk shows, at most some 200 KiB."""


def fitted(brief: BriefPrepared, room: int = ROOM) -> BriefPrepared:
    """The brief in `room` bytes of JSON: of orders the first lines, of the transcript the newest. It says so."""
    each = max(1, _LINES // max(1, len(brief.orders)))
    short = brief.model_copy(
        update={
            "orders": tuple(
                order.model_copy(update={"items": order.items[:each], "tracking": order.tracking[:each]})
                for order in brief.orders
            ),
            "missing": (*brief.missing, *(_left_out(order, each) for order in brief.orders if _is_long(order, each))),
            "transcript": (),
        }
    )
    lines = _newest(brief.transcript, min(TRANSCRIPT_LIMIT, room - len(_json(short))))
    if len(lines) == len(brief.transcript):
        return short.model_copy(update={"transcript": lines})
    since = lines[0].at if lines else None
    return short.model_copy(update={"transcript": lines, "transcript_cut": True, "transcript_from": since})


def _is_long(order: OrderBrief, each: int) -> bool:
    return len(order.items) > each or len(order.tracking) > each


def _left_out(order: OrderBrief, each: int) -> str:
    parts = [
        f"{len(all_) - each} more {what}"
        for all_, what in ((order.items, "lines"), (order.tracking, "parcels"))
        if len(all_) > each
    ]
    return f"Order {order.number}: {' and '.join(parts)} in the shop."


def _newest(lines: tuple[BriefLine, ...], room: int) -> tuple[BriefLine, ...]:
    kept = len(lines)
    for line in reversed(lines):
        room -= len(_json(line)) + 1
        if room < 0:
            break
        kept -= 1
    return lines[kept:]


def _json(part: BriefPrepared | BriefLine) -> bytes:
    return part.model_dump_json(exclude_none=True).encode()
