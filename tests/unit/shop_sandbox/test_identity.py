"""Identity tokens: what is in them, when they end, and who gets one."""

from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest

from services.lib.shop.sandbox.data import SandboxData
from services.lib.shop.sandbox.identity import sign_identity

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
KEY = "a-signing-key-of-more-than-32-bytes"


def claims(token: str, key: str = KEY, verify_exp: bool = False) -> dict[str, object]:
    options = {"verify_exp": verify_exp, "verify_iat": False}
    return jwt.decode(token, key, algorithms=["HS256"], audience="baton", issuer="sandbox-shop", options=options)


def test_claims(data: SandboxData) -> None:
    customer = data.customer(3)
    assert customer is not None
    assert claims(sign_identity(customer, KEY, NOW)) == {
        "iss": "sandbox-shop",
        "aud": "baton",
        "sub": "3",
        "website": 2,
        "group": 1,
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 900,
    }


def test_another_key_or_an_old_token_is_refused(data: SandboxData) -> None:
    customer = data.customers[0]
    with pytest.raises(jwt.InvalidSignatureError):
        claims(sign_identity(customer, KEY, NOW), "another-key-that-is-long-enough-too")
    old = sign_identity(customer, KEY, datetime.now(UTC) - timedelta(minutes=16))
    with pytest.raises(jwt.ExpiredSignatureError):
        claims(old, verify_exp=True)


@pytest.mark.parametrize(
    ("key", "now", "ttl_s"),
    [("short", NOW, 900), (KEY, NOW.replace(tzinfo=None), 900), (KEY, NOW, 0), (KEY, NOW, -5)],
)
def test_nonsense_is_not_signed(data: SandboxData, key: str, now: datetime, ttl_s: int) -> None:
    with pytest.raises(ValueError):
        sign_identity(data.customers[0], key, now, ttl_s)


async def test_the_endpoint_signs_for_its_customers(shop: httpx.AsyncClient) -> None:
    response = await shop.post("/sandbox/identity", json={"customer_id": 1})
    assert response.status_code == 200
    assert claims(response.json()["token"])["sub"] == "1"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"customer_id": 999}', 404), (b'{"customer_id": "1"}', 400), (b'{"customer_id": true}', 400),
     (b"{}", 400), (b"[]", 400), (b"\xff", 400), (b"", 400), (b"[" * 100_000, 400), (b"1" * 1_100_000, 400)],
)  # fmt: skip
async def test_the_endpoint_refuses(shop: httpx.AsyncClient, body: bytes, status: int) -> None:
    response = await shop.post("/sandbox/identity", content=body)
    assert (response.status_code, "message" in response.json()) == (status, True)


async def test_the_endpoint_needs_the_token(shop: httpx.AsyncClient) -> None:
    response = await shop.post(
        "/sandbox/identity", json={"customer_id": 1}, headers={"Authorization": "Bearer wrong"}
    )
    assert response.status_code == 401


async def test_health_is_open(shop: httpx.AsyncClient) -> None:
    response = await shop.get("/sandbox/health", headers={"Authorization": ""})
    assert response.json()["status"] == "ok"
