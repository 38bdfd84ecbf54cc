"""Drafts through the real pipeline, over a shop in memory."""

import pytest

from schemas.codec import decode
from schemas.reasons import Reason
from schemas.topics import SUPPORT_BRIEFS
from services.copilot_drafter.handlers import draft_with
from services.copilot_drafter.transcripts import FakeTranscripts
from services.lib.answering.pipeline import Answering
from services.lib.index.documents import passage_documents, product_document
from services.lib.index.sqlite import SqliteIndex
from services.lib.kit.fakes import MemoryPublisher
from services.lib.language.encoder import HashEncoder
from services.lib.shop.fake import FakeShop
from services.lib.shop.models import Customer
from tests.unit.answering.conftest import CATALOGUE, NOW, ORDERS, PAGES, facts
from tests.unit.copilot_drafter.conftest import event, raised

WHO = Customer(id=2, email="x@example.com", first_name="Ada", last_name="Byron")


@pytest.fixture
async def brief_of(tmp_path):
    index = SqliteIndex.open(tmp_path / "index.db", HashEncoder(), create=True)
    passages = [part for page in PAGES for part in passage_documents(page, NOW)]
    await index.replace("default", [*(product_document(one, NOW) for one in CATALOGUE), *passages])
    shop = FakeShop(catalogue=CATALOGUE, facts=facts(), orders=ORDERS, cms=PAGES, customers=(WHO,))

    async def brief_of(text, reason, customer_id=WHO.id):
        publisher = MemoryPublisher()
        handle = draft_with(
            shop=shop,
            answers=Answering(index, shop, HashEncoder(), lambda: NOW),
            transcripts=FakeTranscripts(),
            publisher=publisher,
            clock=lambda: NOW,
            read_s=10,
            last_orders=5,
        )
        await handle(event(raised(text, reason=reason, customer_id=customer_id)))
        (sent,) = publisher.sent
        return decode(SUPPORT_BRIEFS, sent.key, sent.value).data

    yield brief_of
    index.close()


async def test_which_of_two_orders_is_not_asked_back(brief_of):
    prepared = await brief_of("Where is my order? I am fed up!", Reason.NEGATIVE_SENTIMENT)
    latest = prepared.orders[0].number
    assert latest in prepared.draft.text
    assert f"The draft takes order {latest} to be meant" in prepared.summary


async def test_an_order_that_is_named_is_the_one(brief_of):
    prepared = await brief_of("Where is my order 000000022?", Reason.NEGATIVE_SENTIMENT)
    assert "000000022" in prepared.draft.text
    assert "The draft takes" not in prepared.summary


async def test_a_guest_gets_no_draft_about_an_order(brief_of):
    prepared = await brief_of("Where is my order 000000022?", Reason.IDENTITY_UNVERIFIED, customer_id=None)
    assert prepared.draft is None
    assert "Draft: an order is only told to the customer it belongs to." in prepared.missing


async def test_who_got_a_broken_mug_is_offered_no_mugs(brief_of):
    prepared = await brief_of("The camp mug is broken", Reason.DAMAGED_OR_WRONG_ITEM)
    assert prepared.draft is None
    assert prepared.missing[-1].startswith("Draft: ")


async def test_a_question_about_the_rules_gets_the_passage(brief_of):
    prepared = await brief_of("How many days do I have to return unused goods after delivery?", Reason.ROLLOUT_ARM)
    assert "30 days" in prepared.draft.text
    assert prepared.draft.proofs
