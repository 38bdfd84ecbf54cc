"""What is found out before the transaction; every part that reads may fail, and the message still passes."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import chat
from schemas.reasons import Reason
from schemas.support import EscalationCancelled
from services.ingest.examine import Readers, carried, examine
from services.ingest.redact import redact
from services.lib.language.masking import mask, unmask

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NAMES = {"gateway": "web", "conversation": "c1"}
PROVEN = chat.Identity(customer_id=7, website="1", group="2", expires_at=datetime(2026, 3, 2, 10, 0, tzinfo=UTC))


def masked(text):
    return mask(text, region="US")


def screen(text, language):
    found = re.search(r"my lawyer|\S+@law\.example", text)
    if found is None:
        return chat.Screening(complete=True, version="rules-1")
    reason = Reason.LEGAL_THREAT
    evidence = (chat.Evidence(source=f"rule:{language}.x", reason=reason, span=found.span()),)
    return chat.Screening(complete=True, reason=reason, evidence=evidence, version="rules-1")


def identify(token, now):
    return PROVEN if token == "good" else None


READERS = Readers(masked, screen, lambda text: "fr" if "bonjour" in text else None, identify, "rules-1")


def fails(*_):
    raise RuntimeError("secret words")


def message(text, **fields):
    return chat.CustomerMessage(**NAMES, message_id="m1", text=text, **fields)


def test_a_message_is_masked_screened_and_its_spans_are_those_of_the_masked_text():
    found = examine(message("Write to anna@shop.example or my lawyer"), 100, READERS, NOW)
    assert found.masked == "Write to [email 1] or my lawyer"
    assert found.private == {"[email 1]": "anna@shop.example"}
    assert found.original == "Write to anna@shop.example or my lawyer"
    (evidence,) = found.screening.evidence
    assert found.masked[slice(*evidence.span)] == "my lawyer"


def test_what_a_mask_covers_is_screened_too_and_the_span_is_the_placeholder():
    found = examine(message("ask kim@law.example"), 100, READERS, NOW)
    assert found.screening.reason is Reason.LEGAL_THREAT
    assert found.masked[slice(*found.screening.evidence[0].span)] == "[email 1]"


def test_cards_are_nowhere():
    found = examine(message("4111111111111111 and a@b.example"), 100, READERS, NOW)
    assert "411111111111" not in found.model_dump_json()
    assert found.original == "[card ending 1111] and a@b.example"


@pytest.mark.parametrize(
    ("text", "locale", "asked", "found_language"),
    [("bonjour", "de_DE", "fr", "fr"), ("👍 ok", "de_DE", "de", None), ("👍 ok", None, "en", None)],
)
def test_the_language_falls_back_for_screening_alone(text, locale, asked, found_language):
    asked_for = []
    readers = replace(READERS, screen=lambda text, language: asked_for.append(language) or screen(text, language))
    assert examine(message(text, locale=locale), 10, readers, NOW).language == found_language
    assert asked_for == [asked]


def test_a_picture_alone_has_nothing_to_screen():
    picture = chat.Attachment(url="https://cdn.example/1", media_type="image/png")
    readers = replace(READERS, screen=fails)
    assert examine(message("", attachments=(picture,)), 10, readers, NOW).screening.complete


def test_where_masking_raises_the_models_see_nothing_and_humans_what_can_be_kept():
    readers = replace(READERS, mask=fails)
    found = examine(message("Card 4111-1111-1111-1111 cvc 123, call me", identity_token="good"), 10, readers, NOW)
    assert found.masked == ""
    assert found.original == "Card ••••-••••-••••-•••• cvc •••, call me"
    assert found.private == {"[message]": found.original}
    assert not found.screening.complete
    assert found.identity == PROVEN


def test_where_screening_raises_the_message_is_unscreened():
    found = examine(message("my lawyer"), 10, replace(READERS, screen=fails), NOW)
    assert (found.masked, found.screening.complete, found.screening.version) == ("my lawyer", False, "rules-1")


def test_where_language_identification_raises_it_does_not_tell():
    found = examine(message("bonjour"), 10, replace(READERS, language_of=fails), NOW)
    assert found.language is None
    assert found.screening.complete


def test_logs_never_quote_what_was_written(caplog):
    for part in ("mask", "screen", "language_of", "identify"):
        examine(message("x", identity_token="t"), 10, replace(READERS, **{part: fails}), NOW)
    assert len(caplog.records) == 4
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("token", "expected"),
    [(None, ("absent", None)), ("good", ("proven", PROVEN)), ("bad", ("refused", None))],
)
def test_identity(token, expected):
    found = examine(message("x", identity_token=token), 10, READERS, NOW)
    assert (found.token, found.identity) == expected
    broken = examine(message("x", identity_token="good"), 10, replace(READERS, identify=fails), NOW)
    assert (broken.token, broken.identity) == ("refused", None)


def test_a_message_that_will_be_refused_for_its_size_is_not_read():
    readers = replace(READERS, mask=fails, screen=fails, language_of=fails)
    found = examine(message("x" * 1_000_000), 1_000_100, readers, NOW)
    assert (found.size, found.original, found.private) == (1_000_100, "", {})


def test_a_contact_keeps_its_fields_apart():
    data = chat.ContactLeft(
        **NAMES, message_id="1", email="a@b.example", phone="4111111111111111", note="or c@d.example"
    )
    found = examine(data, 10, READERS, NOW)
    assert found.masked == "or [email 1]"
    assert found.private == {
        "[email 1]": "c@d.example",
        "[contact email]": "a@b.example",
        "[contact phone]": "[card ending 1111]",
    }
    assert found.original == "or c@d.example\na@b.example\n[card ending 1111]"


def test_replies_are_masked_and_other_events_left_alone():
    reply = chat.HumanReplySent(**NAMES, language="en", text="Write to kim@shop.example", plain="x", agent="kim")
    assert examine(reply, 10, READERS, NOW).masked == "Write to [email 1]"
    assert examine(EscalationCancelled(**NAMES, handoff="h", epoch=1, by="customer"), 10, READERS, NOW) is None


def test_an_agents_words_do_not_set_the_shoppers_language():
    data = chat.AgentMessageSeen(**NAMES, message_id="1", text="bonjour a@b.example")
    found = examine(data, 10, READERS, NOW)
    assert (found.language, found.masked) == (None, "bonjour [email 1]")


PIECES = st.lists(
    st.tuples(st.booleans(), st.text(alphabet="abc é👋", min_size=1, max_size=12)), min_size=1, max_size=8
)


@given(PIECES, st.data())
def test_spans_are_carried_to_what_shows_them(pieces, data):
    """Every character outside a placeholder keeps its place; one inside stands for the whole placeholder."""
    private, masked, shown = {}, "", []
    for hidden, text in pieces:
        if hidden:
            name = f"[email {len(private) + 1}]"
            private[name] = text
            shown += [(len(masked), len(masked) + len(name))] * len(text)
            masked += name
        else:
            shown += [(len(masked) + n, len(masked) + n + 1) for n in range(len(text))]
            masked += text
    original = "".join(text for _, text in pieces)
    assert unmask(masked, private) == original
    start = data.draw(st.integers(0, len(original) - 1))
    end = data.draw(st.integers(start + 1, len(original)))
    assert carried((start, end), masked, private) == (shown[start][0], shown[end - 1][1])


@given(st.text(alphabet="0123456789 -./x"))
def test_no_number_of_three_digits_survives_redaction(text):
    kept = redact(text)
    assert not re.search(r"\d[\W_]{0,3}\d[\W_]{0,3}\d", kept)
    assert len(kept) == len(text)
