"""What counts as blank, and how message ids are kept."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas import chat
from services.ingest.limits import counted, is_blank, is_known, remembered
from services.ingest.state import Conversation, Item

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@given(st.text())
def test_a_text_with_a_letter_or_digit_is_never_blank(text):
    assert not is_blank(text + "a")
    assert not is_blank("7" + text)


@given(st.text(alphabet=" \t\r\n\u00a0\u2009\u200b\u200c\u200d\u2060\ufeff\u00ad\u3164\u2800\ufe0f"))
def test_invisible_characters_are_blank_in_any_number(text):
    assert is_blank(text)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.integers(0, 9 * 24)), max_size=60), st.text(min_size=1))
def test_exactly_the_ids_that_were_counted_are_known(tools, counted_ids, other):
    state = Conversation(key="web:c1")
    for message_id, hours in counted_ids:
        data = chat.CustomerMessage(gateway="web", conversation="c1", message_id=message_id, text="x")
        now = NOW + timedelta(hours=hours)
        item = Item(identity="i", said_at=now, arrived_at=now, data=data, found=tools.plain(data))
        state = counted(state, item, now)
    ids = {message_id for message_id, _ in counted_ids}
    for message_id in {*ids, other}:
        data = chat.CustomerMessage(gateway="web", conversation="c1", message_id=message_id, text="y")
        assert is_known(state, data) is (message_id in ids)
    assert remembered(state, NOW) == len(counted_ids)
