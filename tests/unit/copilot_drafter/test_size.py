"""A brief always fits into its event."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.support import BriefLine, BriefPrepared, TrackingLink
from schemas.topics import EVENT_LIMIT, SUPPORT_BRIEFS, TRANSCRIPT_LIMIT
from services.copilot_drafter.decide import brief
from services.copilot_drafter.gathered import Gathered, Transcript
from services.copilot_drafter.size import fitted
from services.lib.shop.fake import FakeShop
from services.lib.shop.models import Track
from tests.unit.copilot_drafter.conftest import JANE, NOW, event, item, order, proposed, raised


def prepared(lines=(), orders=(), **more):
    shop = FakeShop()
    found = Gathered(NOW, Transcript(tuple(lines), False, NOW), JANE, tuple(orders), proposed())
    return brief(raised(**more), found, shop.order_admin_url, shop.customer_admin_url)


def line(text, n=0):
    return BriefLine(role="customer", text=text, at=NOW + timedelta(seconds=n))


def test_an_ordinary_brief_stays_as_it_is():
    small = prepared([line("hello")], [order("1")])
    assert fitted(small) == small


def test_of_a_long_transcript_the_newest_lines_are_kept_and_it_says_so():
    lines = [line("x" * 1000, n) for n in range(400)]
    short = fitted(prepared(lines))
    assert short.transcript == tuple(lines[-len(short.transcript) :])
    assert 240 < len(short.transcript) < 256
    assert short.transcript_cut is True
    assert short.transcript_from == short.transcript[0].at


def test_a_single_line_that_does_not_fit_leaves_none():
    short = fitted(prepared([line("x" * TRANSCRIPT_LIMIT)]))
    assert (short.transcript, short.transcript_cut, short.transcript_from) == ((), True, None)


def test_of_a_wholesale_order_the_first_lines_are_shown_and_the_rest_is_counted():
    tracks = tuple(Track(carrier="ups", title="UPS", number=str(n)) for n in range(150))
    large = order("000000001", items=tuple(item(n) for n in range(1000)), tracks=tracks)
    short = fitted(prepared(orders=[large, order("000000002")]))
    assert [one.sku for one in short.orders[0].items] == [f"M{n}" for n in range(50)]
    assert len(short.orders[0].tracking) == 50
    assert short.missing == ("Order 000000001: 950 more lines and 100 more parcels in the shop.",)


@pytest.mark.parametrize("character", ["x", "ü", "€", "😡", "\x01", '"'])
def test_with_everything_at_its_largest_it_is_an_event(character):
    """Characters that JSON writes with more bytes than one count as what they take."""
    name = character * 255
    items = tuple(item(n, name=name, sku=character * 64) for n in range(500))
    orders = [order(str(n), items=items) for n in range(20)]
    lines = [line(character * 2000, n) for n in range(1000)]
    full = fitted(prepared(lines, orders, text=character * 8000))
    written = encode(SUPPORT_BRIEFS, event(full))
    assert len(written) <= EVENT_LIMIT
    assert full.transcript


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=300), max_size=30), st.integers(1_500, 6_000), st.integers(0, 40))
def test_it_fits_whatever_was_said(texts, room, links):
    base = prepared([line(text, n) for n, text in enumerate(texts)], [order("1")])
    tracking = tuple(TrackingLink(carrier="c", number=str(n)) for n in range(links))
    large = base.model_copy(update={"orders": (base.orders[0].model_copy(update={"tracking": tracking}),)})
    short = fitted(large, room)
    size = len(short.model_dump_json(exclude_none=True).encode())
    assert size <= room + 64 or short.transcript == ()  # the flags that say so take some bytes
    assert short.transcript == large.transcript[len(large.transcript) - len(short.transcript) :]
    assert short.transcript_cut is (len(short.transcript) < len(large.transcript))
    assert BriefPrepared.model_validate_json(short.model_dump_json()) == short
