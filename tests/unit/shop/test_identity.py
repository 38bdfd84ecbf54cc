import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.api_jws import PyJWS

from services.lib.shop.identity import Identity, verify_identity

KEY = "a key that is long enough for HS256 by far"
NOW = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
ISSUED = int(NOW.timestamp())


def claims(**changes: Any) -> dict[str, Any]:
    whole = {
        "sub": "17",
        "website": 1,
        "group": 2,
        "iss": "shop.test",
        "aud": "baton",
        "iat": ISSUED,
        "exp": ISSUED + 900,
    } | changes
    return {name: value for name, value in whole.items() if value is not ...}


def signed(key: str = KEY, algorithm: str = "HS256", **changes: Any) -> str:
    """As any signer could write it: `jwt.encode` would check some claims itself."""
    return PyJWS().encode(json.dumps(claims(**changes)).encode(), key, algorithm=algorithm)


def unsigned(header: dict[str, Any], body: dict[str, Any], signature: str = "") -> str:
    pieces = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, body))
    return ".".join([*pieces, signature])


def test_a_token_of_the_shop_proves_who_it_is() -> None:
    proven = verify_identity(signed(), KEY, NOW, issuer="shop.test")
    assert proven == Identity(17, 1, 2, NOW + timedelta(seconds=900))


@pytest.mark.parametrize(
    ("seconds", "valid"),
    [(0, True), (899, True), (929, True), (930, False), (-30, True), (-31, False), (86_400, False)],
)
def test_it_holds_from_issue_to_expiry_with_little_leeway(seconds: int, valid: bool) -> None:
    assert (verify_identity(signed(), KEY, NOW + timedelta(seconds=seconds)) is not None) is valid


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"aud": ...},
        {"aud": []},
        {"iss": ...},
        {"iss": ""},
        {"iss": 5},
        {"sub": ...},
        {"sub": ""},
        {"sub": "0"},
        {"sub": "-1"},
        {"sub": "17; drop"},
        {"sub": "١٧"},
        {"sub": "1" * 40},
        {"website": ...},
        {"website": "1"},
        {"website": True},
        {"group": ...},
        {"group": 1.5},
        {"group": -1},
        {"exp": ...},
        {"exp": "soon"},
        {"exp": 10**30},
        {"exp": ISSUED},
        {"exp": ISSUED + 3601},
        {"iat": ...},
        {"iat": ISSUED - 86_400},
        {"iat": ISSUED + 600, "exp": ISSUED + 900},
        {"nbf": ISSUED + 600},
        {"nbf": "later"},
    ],
)
def test_any_other_claim_is_a_guests(changes: dict[str, Any]) -> None:
    assert verify_identity(signed(**changes), KEY, NOW) is None


def test_a_foreign_signature_proves_nothing() -> None:
    assert verify_identity(signed(key="some other key that is long enough too"), KEY, NOW) is None
    assert verify_identity(signed(algorithm="HS512", key=KEY * 3), KEY * 3, NOW) is None
    token = signed()
    body = unsigned({"alg": "HS256", "typ": "JWT"}, claims(sub="18")).split(".")[1]
    assert verify_identity(".".join([token.split(".")[0], body, token.split(".")[2]]), KEY, NOW) is None


@pytest.mark.parametrize("algorithm", ["none", "None", "", "RS256", "HS1", None, 5])
def test_no_other_algorithm_is_taken(algorithm: Any) -> None:
    assert verify_identity(unsigned({"alg": algorithm, "typ": "JWT"}, claims()), KEY, NOW) is None


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "Bearer x", "🙂.🙂.🙂", "a" * 1_000_000, "\x00"])
def test_what_is_no_token_is_no_proof(token: str) -> None:
    assert verify_identity(token, KEY, NOW) is None


def test_an_oversized_token_is_refused_even_when_signed() -> None:
    assert verify_identity(signed(note="x" * 3000), KEY, NOW) is None


def test_another_issuer_is_refused_where_one_is_set() -> None:
    assert verify_identity(signed(iss="elsewhere"), KEY, NOW, issuer="shop.test") is None


def test_a_short_key_is_an_error_of_the_settings() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        verify_identity(signed(), "short", NOW)


@given(st.text(max_size=200))
def test_no_text_is_a_proof(token: str) -> None:
    assert verify_identity(token, KEY, NOW) is None


@given(st.integers(0, 2000), st.characters(codec="ascii"))
def test_no_changed_character_survives(at: int, character: str) -> None:
    token = signed()
    at %= token.rindex(".")
    changed = token[:at] + character + token[at + 1 :]
    assert changed == token or verify_identity(changed, KEY, NOW) is None
