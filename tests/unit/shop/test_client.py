import asyncio
import gzip
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from services.lib.shop.client import Client
from services.lib.shop.port import ShopRefused, ShopUnavailable

OK = (200, {"fine": 1})


@pytest.fixture
def to(time, http_to, shop_settings):
    def build(app: Any, **changes: Any) -> Client:
        return Client(shop_settings(**changes), http_to(app), clock=time.clock, jitter=lambda: 1.0)

    return build


async def test_a_read_by_rest(to, script) -> None:
    shop = script([OK])
    assert await to(shop).rest("products/A%2FB", [("a[b]", "c d&e")], store="de") == {"fine": 1}
    (asked,) = shop.asked
    assert (asked["method"], asked["path"]) == ("GET", "/rest/de/V1/products/A/B")
    assert asked["raw_path"] == b"/rest/de/V1/products/A%2FB"
    assert asked["query"] == "a%5Bb%5D=c+d%26e"
    assert asked["headers"]["authorization"] == "Bearer integration-token-of-the-tests"


async def test_a_storefront_read_is_a_guests(to, script) -> None:
    shop = script([(200, {"data": {"products": {"items": []}}})])
    await to(shop).graphql("{ x }", {"a": 1}, store="de")
    (asked,) = shop.asked
    assert (asked["method"], asked["path"]) == ("POST", "/graphql")
    assert (asked["headers"]["store"], asked["headers"]["content-currency"]) == ("de", "EUR")
    assert "authorization" not in asked["headers"]


async def test_a_customers_own_token_is_sent_for_group_prices(to, script) -> None:
    shop = script([(200, {"data": {"x": 1}})])
    await to(shop).graphql("{ x }", {}, store="default", customer_token="theirs")
    assert shop.asked[0]["headers"]["authorization"] == "Bearer theirs"


async def test_no_cookie_of_one_answer_goes_into_another_request(to, script) -> None:
    shop = script([(200, {"data": {"x": 1}}, {"set-cookie": "PHPSESSID=theirs; path=/"})])
    client = to(shop)
    for token in ("first", "second"):
        await client.graphql("{ x }", {}, store="default", customer_token=token)
    assert all("cookie" not in asked["headers"] for asked in shop.asked)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nStore: admin", "ü", "x" * 5000])
async def test_what_is_no_token_of_a_customer_is_never_sent(to, script, token: str) -> None:
    shop = script([OK])
    with pytest.raises(ShopRefused):
        await to(shop).graphql("{ x }", {}, store="default", customer_token=token)
    assert not shop.asked


async def test_what_does_not_exist_is_none_and_is_asked_once(to, script) -> None:
    shop = script([(404, {"message": "No such entity"})])
    assert await to(shop).rest("customers/9") is None
    assert len(shop.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 405, 422, 204])
async def test_a_refusal_is_not_repeated(to, script, status: int) -> None:
    shop = script([(status, {"message": "The consumer isn't authorized to access %resources."})])
    with pytest.raises(ShopRefused, match=f"GET V1/orders: status {status}") as caught:
        await to(shop).rest("orders/17")
    assert caught.value.status == status
    assert len(shop.asked) == 1


async def test_a_refusal_names_no_person_and_no_secret(to, script) -> None:
    shop = script([(400, {"message": "No %field", "parameters": {"field": "ada@example.org"}})])
    with pytest.raises(ShopRefused) as caught:
        await to(shop).rest("customers/17")
    assert str(caught.value) == "GET V1/customers: status 400: No %field"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520])
async def test_a_passing_failure_is_repeated_after_growing_pauses(to, script, time, status: int) -> None:
    shop = script([(status, b"<html>busy</html>"), (status, b""), OK])
    assert await to(shop).rest("products") == {"fine": 1}
    assert time.slept == [0.2, 0.4]


async def test_repetitions_are_bounded(to, script) -> None:
    shop = script([(500, {})])
    with pytest.raises(ShopUnavailable, match="status 500"):
        await to(shop, attempts=4).rest("products")
    assert len(shop.asked) == 4


async def test_jitter_spreads_the_pauses(time, http_to, shop_settings, script) -> None:
    rolls = iter([0.5, 0.25])
    client = Client(
        shop_settings(), http_to(script([(500, {}), (500, {}), OK])), clock=time.clock, jitter=lambda: next(rolls)
    )
    await client.rest("products")
    assert time.slept == [0.1, 0.1]


@pytest.mark.parametrize(
    ("value", "pause"), [("3", 3.0), ("0", 0.2), ("-5", 0.2), ("soon", 0.2), ("", 0.2), ("٣", 0.2), ("date", 4.0)]
)
async def test_retry_after_is_respected(to, script, time, value: str, pause: float) -> None:
    header = format_datetime(time.now() + timedelta(seconds=4), usegmt=True) if value == "date" else value
    raw = header.encode().decode("latin-1")
    await to(script([(429, {}, {"retry-after": raw}), OK])).rest("products")
    assert time.slept == [pause]


async def test_who_asks_for_more_patience_than_there_is_gets_none(to, script, time) -> None:
    shop = script([(429, {}, {"retry-after": "3600"})])
    with pytest.raises(ShopUnavailable, match="status 429"):
        await to(shop).rest("products")
    assert (len(shop.asked), time.slept) == (1, [])


@pytest.mark.parametrize(
    "body", [b"", b"<html>Maintenance</html>", b'{"price": NaN}', b'{"cut', b"\xff\xfe\x00", b"[" * 50_000]
)
async def test_what_is_not_json_counts_as_a_failure(to, script, body: bytes) -> None:
    shop = script([(200, body)])
    with pytest.raises(ShopUnavailable, match="not JSON"):
        await to(shop).rest("products")
    assert len(shop.asked) == 3


async def test_a_body_beyond_the_limit_is_not_read(to, script) -> None:
    shop = script([(200, b'"' + b"x" * 10_000_000 + b'"')])
    with pytest.raises(ShopUnavailable, match="more than 10000000 bytes"):
        await to(shop, attempts=1).rest("products")


async def test_a_compressed_body_counts_unpacked(to, script) -> None:
    bomb = gzip.compress(b"[" + b" " * 20_000_000 + b"]")
    assert len(bomb) < 100_000
    with pytest.raises(ShopUnavailable, match="more than"):
        await to(script([(200, bomb, {"content-encoding": "gzip"})]), attempts=1).rest("products")


async def test_a_body_that_does_not_unpack_is_a_failure(to, script) -> None:
    with pytest.raises(ShopUnavailable, match="no connection"):
        await to(script([(200, b"no gzip", {"content-encoding": "gzip"})])).rest("products")


async def test_a_refused_connection_is_unavailable(to, script) -> None:
    for error in (httpx.ConnectError("refused"), httpx.ReadError("reset"), ConnectionResetError()):
        with pytest.raises(ShopUnavailable, match="no connection"):
            await to(script([error])).rest("products")


async def never() -> Any:
    await asyncio.Event().wait()


async def test_a_silent_shop_times_out_in_each_attempt(to, script) -> None:
    shop = script([never])
    with pytest.raises(ShopUnavailable, match=r"no answer within 0.02 s \(attempt 2\)"):
        await to(shop, attempt_s=0.02, attempts=2).rest("products")
    assert len(shop.asked) == 2


async def test_all_attempts_share_one_limit(to, script) -> None:
    with pytest.raises(ShopUnavailable, match=r"no answer within 0.05 s$"):
        await to(script([never]), attempt_s=5, limit_s=0.05).rest("products")


async def test_a_failing_shop_is_left_alone_and_tried_again(to, script, time) -> None:
    shop = script([(500, {})] * 4 + [OK])
    client = to(shop, attempts=2, breaker_failures=4, breaker_rest_s=30)
    for _ in range(2):
        with pytest.raises(ShopUnavailable, match="status 500"):
            await client.rest("products")
    with pytest.raises(ShopUnavailable, match="circuit open"):
        await client.rest("products")
    assert len(shop.asked) == 4
    time.passed += 30
    assert await client.rest("products") == {"fine": 1}


async def test_a_refusal_shows_that_the_shop_lives(to, script) -> None:
    shop = script([(500, {}), (401, {}), (500, {}), (401, {}), OK])
    client = to(shop, attempts=1, breaker_failures=2)
    for kind in (ShopUnavailable, ShopRefused, ShopUnavailable, ShopRefused):
        with pytest.raises(kind):
            await client.rest("products")
    assert await client.rest("products") == {"fine": 1}


async def test_a_caller_who_leaves_is_not_the_shops_failure(to, script) -> None:
    client = to(script([never, OK]), breaker_failures=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await client.rest("products")
    assert await client.rest("products") == {"fine": 1}


async def test_no_more_requests_in_flight_than_allowed(to, script) -> None:
    flying = most = 0

    async def slow() -> Any:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.005)
        flying -= 1
        return OK

    client = to(script([slow]), concurrency=3)
    await asyncio.gather(*(client.rest("products") for _ in range(12)))
    assert most == 3


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (
            200,
            {"errors": [{"extensions": {"category": "graphql-authorization"}}], "data": {"products": None}},
            ShopRefused,
        ),
        (200, {"errors": [{"extensions": {"category": "graphql-input"}}]}, ShopRefused),
        (500, {"errors": [{"extensions": {"category": "graphql-input"}}]}, ShopRefused),
        (200, {"errors": [{"message": "Internal server error"}], "data": None}, ShopUnavailable),
        (500, {"errors": [{"message": "Internal server error"}]}, ShopUnavailable),
        (200, ["not", "graphql"], ShopUnavailable),
        (200, {"data": "text"}, ShopUnavailable),
        (200, {"errors": "text"}, ShopUnavailable),
        (404, {}, ShopUnavailable),
    ],
)
async def test_errors_of_graphql(to, script, status: int, answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await to(script([(status, answer)]), attempts=1).graphql("{ x }", {}, store="default")


async def test_partial_data_is_data(to, script) -> None:
    answer = {"errors": [{"message": "one went wrong"}], "data": {"products": {"items": [None]}}}
    assert await to(script([(200, answer)])).graphql("{ x }", {}, store="default") == answer["data"]


async def test_a_store_that_is_not_served_is_never_asked_about(to, script) -> None:
    shop = script([OK])
    with pytest.raises(ValueError, match="store view 'fr'"):
        await to(shop).graphql("{ x }", {}, store="fr")
    assert not shop.asked


async def test_signed_requests_carry_a_new_signature_each_time(to, script) -> None:
    keys = {"consumer_key": "ck", "consumer_secret": "cs", "access_token": "at", "access_token_secret": "ts"}
    shop = script([(500, {}), OK])
    await to(shop, token=None, oauth=keys).rest("products", [("searchCriteria[pageSize]", "1")])
    first, second = (asked["headers"]["authorization"] for asked in shop.asked)
    assert first.startswith("OAuth oauth_consumer_key=")
    assert first != second
