"""verify: what is proven leaves, and any single altered figure, word of stock or state is refused."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.chat import Card, Claim, FactProof, PassageProof
from schemas.money import Money
from services.lib.answering.draft import CATALOGUE, SINGLE, Draft, card_line
from services.lib.answering.texts import LANGUAGES, date, money
from services.lib.answering.verify import Refused, expired, verify
from services.lib.shop.facts import LIFETIME

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CURRENCIES = ("USD", "EUR", "GBP", "CHF", "CAD", "AUD", "JPY", "SEK", "PLN")


def problems(draft: Draft, now: datetime = NOW) -> list[Refused]:
    return verify(draft.text, draft.cards, draft.quick_replies, draft.claims, draft.proofs, draft.language, now)


def altered(draft: Draft, old: str, new: str) -> Draft:
    """The draft as a liar would write it: other words, the same proofs."""
    assert old in draft.text
    return Draft(
        draft.language,
        lines=[line.replace(old, new, 1) for line in draft.lines],
        claims=[claim.model_copy(update={"text": claim.text.replace(old, new, 1)}) for claim in draft.claims],
        proofs=list(draft.proofs),
    )


def price_draft(language: str, amount: str, currency: str) -> Draft:
    draft = Draft(language)
    value = Money(amount=Decimal(amount), currency=currency)
    name = draft.fact("product", "T1", "Trail 2 Jacket", NOW)
    proof = draft.price_fact("T1", value, NOW)
    draft.claim("price", draft.say("price_is", name="Trail 2 Jacket", price=money(value, language)), proof, name)
    return draft


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("currency", CURRENCIES)
def test_a_price_as_read_leaves(language: str, currency: str) -> None:
    amount = "1299" if currency == "JPY" else "1299.50"
    assert problems(price_draft(language, amount, currency)) == []


@given(
    language=st.sampled_from(LANGUAGES),
    cents=st.integers(min_value=100, max_value=9_999_999),
    place=st.integers(min_value=0, max_value=20),
    digit=st.sampled_from("0123456789"),
)
def test_any_altered_digit_of_a_price_is_refused(language: str, cents: int, place: int, digit: str) -> None:
    amount = f"{Decimal(cents) / 100:.2f}"
    draft = price_draft(language, amount, "EUR")
    assert problems(draft) == []
    written = money(Money(amount=Decimal(amount), currency="EUR"), language)
    digits = [i for i, char in enumerate(written) if char.isdigit()]
    at = digits[place % len(digits)]
    lie = written[:at] + digit + written[at + 1 :]
    if lie != written:
        assert problems(altered(draft, written, lie))


@pytest.mark.parametrize("language", LANGUAGES)
def test_another_currency_is_refused(language: str) -> None:
    draft = price_draft(language, "49.00", "USD")
    usd, gbp = (money(Money(amount=Decimal(49), currency=code), language) for code in ("USD", "GBP"))
    assert problems(altered(draft, usd, gbp))


@pytest.mark.parametrize("language", LANGUAGES)
def test_stock_that_was_not_read_is_refused(language: str) -> None:
    for in_stock in (True, False):
        draft = Draft(language)
        proof = draft.stock_fact("T1", in_stock, NOW)
        name = draft.fact("product", "T1", "Trail 2 Jacket", NOW)
        yes, no = draft.say("in_stock"), draft.say("out_of_stock")
        text = draft.say("stock_is", name="Trail 2 Jacket", stock=yes if in_stock else no)
        draft.claim("stock", text, proof, name)
        assert problems(draft) == []
        word, lie = (yes, no) if in_stock else (no, yes)
        assert problems(altered(draft, word, lie))


STATES = ("new", "pending_payment", "processing", "complete", "closed", "canceled", "holded", "partly")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
def test_another_state_of_an_order_is_refused(language: str, state: str) -> None:
    draft = Draft(language)
    placed = draft.fact("order", "000000042", "created 2026-05-01", NOW)
    proof = draft.fact("order", "000000042", f"state {state}", NOW)
    day = date(datetime(2026, 5, 1, tzinfo=UTC), language)
    text = draft.say("order_placed", number="000000042", date=day, state=draft.say(f"state_{state}"))
    draft.claim("order", text, placed, proof)
    assert problems(draft) == []
    for other in STATES:
        if other != state:
            assert problems(altered(draft, draft.say(f"state_{state}"), draft.say(f"state_{other}"))), other
    assert problems(altered(draft, "000000042", "000000043"))
    assert problems(altered(draft, day, date(datetime(2026, 5, 2, tzinfo=UTC), language)))


TRUE = [
    ("attribute", "Weight: 1.4 lb", "About Slate: Weight: 1.4 lb."),
    (
        "attribute",
        "Battery life: 40 hours, 30 with noise cancelling",
        "Battery life: 40 hours, 30 with noise cancelling",
    ),
    ("attribute", "Dimensions: 150 x 200 cm", "It measures 150 x 200 cm"),
    ("attribute", "Capacity: 350 ml", "Es fasst 350 ml"),
    ("attribute", "It survives 30 minutes at 1.5 m.", "“It survives 30 minutes at 1.5 m.”"),
]


@pytest.mark.parametrize(("kind", "value", "text"), TRUE)
def test_every_altered_figure_of_an_attribute_is_refused(kind: str, value: str, text: str) -> None:
    def made(text: str) -> Draft:
        draft = Draft("en")
        draft.claim("attribute", text, draft.fact("attribute", "S1", value, NOW))
        return draft

    assert problems(made(text)) == []
    for found in re.finditer(r"\d", text):
        for digit in "0123456789":
            if digit != found[0]:
                assert problems(made(text[: found.start()] + digit + text[found.end() :]))


QUOTE = "You can return goods within 30 days. Shipping back costs $4.95, batteries excepted."


def policy(text: str, quote: str = QUOTE) -> Draft:
    draft = Draft("en")
    proof = PassageProof(source="p", title="Returns", url="https://x.example/2", quote=quote, read_at=NOW)
    draft.proofs.append(proof)
    draft.claim("policy", f"From “Returns”:\n“{text}”", 0)
    draft.add("read_more", url="https://x.example/2")
    return draft


def test_a_quotation_is_word_for_word() -> None:
    assert problems(policy(QUOTE)) == []
    for found in re.finditer(r"\d", QUOTE):
        assert problems(policy(QUOTE[: found.start()] + "8" + QUOTE[found.end() :]))
    assert problems(policy(QUOTE.replace(", batteries excepted", "")))


def test_a_figure_outside_all_claims_is_refused() -> None:
    draft = policy(QUOTE)
    draft.lines.append("You get 20 % off.")
    assert problems(draft)
    stock = policy(QUOTE)
    stock.lines.append("It is in stock.")
    assert problems(stock)


def test_a_claim_without_proof_is_refused() -> None:
    draft = Draft("en", lines=["It costs $5.00."], claims=[Claim(text="It costs $5.00.", kind="price", proofs=())])
    assert problems(draft)
    draft.claims[0] = Claim(text="It costs $5.00.", kind="price", proofs=(3,))
    assert problems(draft)


def test_a_proof_of_another_kind_is_refused() -> None:
    draft = Draft("en")
    draft.claim("price", "Trail Jacket", draft.fact("product", "T1", "Trail Jacket", NOW))
    assert problems(draft)


def test_a_claim_the_reply_does_not_make_is_refused() -> None:
    draft = price_draft("en", "49.00", "USD")
    draft.lines = ["Here it is."]
    assert problems(draft)


@pytest.mark.parametrize(
    ("age", "fine"),
    [(timedelta(0), True), (LIFETIME, True), (LIFETIME + timedelta(seconds=1), False), (-timedelta(hours=1), False)],
)
def test_old_facts_and_facts_from_the_future_prove_nothing(age: timedelta, fine: bool) -> None:
    assert (problems(price_draft("en", "49.00", "USD"), NOW + age) == []) is fine


def test_only_live_facts_expire() -> None:
    later = NOW + timedelta(days=3)
    attribute = FactProof(kind="attribute", subject="S", value="Weight: 1 kg", read_at=NOW)
    price = FactProof(kind="price", subject="S", value="1.00 USD", read_at=NOW)
    assert not expired([attribute], later)
    assert expired([attribute, price], later)


def test_inside_is_worked_out_again() -> None:
    for placed, fine in (("2026-05-01", True), ("2026-03-01", False), ("nonsense", False)):
        draft = Draft("en")
        draft.proofs.append(PassageProof(source="p", title="Returns", quote="Return within 30 days.", read_at=NOW))
        proof = draft.fact("order", "000000042", f"created {placed}", NOW)
        day = date(datetime(2026, 5, 1, tzinfo=UTC), "en") if fine else date(datetime(2026, 3, 1, tzinfo=UTC), "en")
        draft.claim("order", draft.say("return_inside", number="000000042", date=day), proof, 0)
        assert (problems(draft) == []) is fine


def test_not_sold_names_the_words_that_were_looked_for() -> None:
    draft = Draft("en")
    proof = draft.fact("product", CATALOGUE, "chainsaws", NOW)
    draft.claim("product", draft.say("not_sold", words="“chainsaws”"), proof)
    assert problems(draft) == []
    assert problems(altered(draft, "chainsaws", "jackets"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_version_is_said_only_where_it_was_read(language: str) -> None:
    draft = Draft(language)
    name = draft.fact("product", "T1", "Trail 2 Jacket", NOW)
    single = draft.fact("attribute", "T1", SINGLE, NOW)
    text = draft.say("one_version", name="Trail 2 Jacket")
    draft.claim("attribute", text, single, name)
    assert problems(draft) == []
    words = draft.say("one_version_words")
    assert problems(altered(draft, words, "in red"))
    unread = Draft(language)
    name = unread.fact("product", "T1", "Trail 2 Jacket", NOW)
    unread.claim("product", text, name)
    assert problems(unread)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("lowest", [True, False])
def test_a_card_says_from_where_others_cost_more_and_only_there(language: str, lowest: bool) -> None:
    for read in (True, False):
        draft = Draft(language)
        price, dearest = (Money(amount=Decimal(amount), currency="EUR") for amount in ("49.00", "55.00"))
        proofs = [draft.fact("product", "T1", "Trail 2 Jacket", NOW), draft.price_fact("T1", price, NOW)]
        if read:
            proofs.append(draft.maximum_fact("T1", dearest, NOW))
        card = Card(sku="T1", name="Trail 2 Jacket", url="https://shop.example/t1", price=price, read_at=NOW)
        draft.cards.append(card)
        draft.claim("price", card_line(card, language, lowest=lowest), *proofs, line=False)
        assert (problems(draft) == []) is (lowest is read)
