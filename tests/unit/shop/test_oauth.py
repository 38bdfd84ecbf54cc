import base64
import hashlib
import hmac
import re
from urllib.parse import unquote

import httpx

from services.lib.shop.criteria import criteria
from services.lib.shop.oauth import OAuth, base_string
from services.lib.shop.settings import OAuthKeys

KEYS = OAuthKeys.model_validate(
    {"consumer_key": "ck", "consumer_secret": "c&s", "access_token": "at", "access_token_secret": "t/s"}
)


def test_the_base_string_is_that_of_the_rfc() -> None:
    """RFC 5849, 3.4.1.1: its own example, with duplicates, empty values and escaped characters."""
    fields = [
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
        ("c2", ""),
        ("a3", "2 q"),
    ]
    assert base_string("post", "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b", fields) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D"
        "%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
        "%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_a_signature_can_be_checked_by_who_knows_the_secrets(time) -> None:
    request = httpx.Request(
        "GET", "https://shop.test/rest/V1/orders", params=criteria([("sku", "eq", "a b,c")], size=1)
    )
    signed = next(OAuth(KEYS, time.now).auth_flow(request))
    given = {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', signed.headers["Authorization"])}
    signature = given.pop("oauth_signature")
    base = base_string("GET", str(request.url), given.items())
    digest = hmac.new(b"c%26s&t%2Fs", base.encode(), hashlib.sha256).digest()
    assert signature == base64.b64encode(digest).decode()
    assert given["oauth_timestamp"] == str(int(time.now().timestamp()))
    assert "searchCriteria%255BfilterGroups%255D%255B0%255D" in base


def test_every_request_has_a_nonce_of_its_own(time) -> None:
    auth = OAuth(KEYS, time.now)
    headers = {
        next(auth.auth_flow(httpx.Request("GET", "https://shop.test/"))).headers["Authorization"] for _ in "ab"
    }
    assert len(headers) == 2
