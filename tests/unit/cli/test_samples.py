"""The packaged sample conversations: what they expect can happen, over the shop that is there."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from schemas.reasons import Decision
from services.cli.line import STORE_LANGUAGES
from services.cli.samples import Sample, load
from services.lib.shop.sandbox.data import load as load_shop
from services.lib.shop.sandbox.orders import expand_orders

SAMPLES = load()
STEPS = [(sample, step) for sample in SAMPLES for step in sample.step]


@pytest.fixture(scope="module")
def shop():
    return load_shop(datetime(2026, 5, 4, 12, 0, tzinfo=UTC))


def test_there_are_about_a_dozen_and_none_twice():
    assert 12 <= len(SAMPLES) <= 20
    assert len({sample.title for sample in SAMPLES}) == len(SAMPLES)


@pytest.mark.parametrize(("sample", "step"), STEPS, ids=lambda one: getattr(one, "title", ""))
def test_a_step_says_something_and_expects_what_can_be(sample, step):
    assert (step.say is None) != (step.button is None)
    assert step.say is None or step.say.strip()
    assert step.button in (None, "human")
    assert (step.reason is not None) is (step.expect == [Decision.ESCALATE])
    assert not step.brief or step.expect == [Decision.ESCALATE]
    assert "{order}" not in (step.say or "") or sample.customer or sample.order_of


def test_they_show_every_decision_but_the_question_back():
    shown = {decision for _, step in STEPS for decision in step.expect}
    assert shown >= {Decision.ANSWER, Decision.ANSWER_AND_OFFER_HUMAN, Decision.ESCALATE, Decision.SUPPRESS}
    assert {sample.locale.split("_")[0] for sample in SAMPLES} >= {"en", "de", "fr"}
    assert any(step.brief for _, step in STEPS)


def test_customers_orders_stores_and_products_exist(shop):
    ordered = {order.get("customer_id") for order in expand_orders(shop).orders}
    for sample in SAMPLES:
        assert sample.store in STORE_LANGUAGES
        assert sample.page_sku is None or sample.page_sku.lower() in shop.by_sku
        assert sample.customer is None or shop.customer(sample.customer) is not None
        if any("{order}" in (step.say or "") for step in sample.step):
            assert (sample.customer or sample.order_of) in ordered


def test_store_languages_are_those_of_the_shop(shop):
    assert set(STORE_LANGUAGES) == {store.code for store in shop.stores}


@pytest.mark.parametrize(
    "step",
    [
        {"say": "hi", "expect": []},
        {"say": "hi", "expect": ["shrug"]},
        {"say": "hi", "expect": ["escalate"], "reason": "boredom"},
        {"say": "hi", "expect": ["answer"], "expects": 1},
    ],
)
def test_an_expectation_that_cannot_be_is_refused(step):
    with pytest.raises(ValidationError):
        Sample.model_validate({"title": "t", "step": [step]})
