"""What becomes of a message before the sentiment model reads it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.language.normalise import normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n\t\u00a0 ", ""),
        ("Where is  my\norder?", "Where is my order?"),
        ("😡", "enraged face"),
        ("🤬", "swearing angry face"),
        ("thanks❤️!", "thanks red heart !"),
        ("👍🏽", "thumbs up medium skin tone"),
        ("😡" * 40, "enraged face enraged face enraged face"),
        ("❤️" * 40, "red heart red heart red heart"),
        ("@BatonHelp where is it", "@user where is it"),
        ("write to ann@example.com", "write to ann@example.com"),
        ("see https://shop.example/a?b=c&d=e now", "see http now"),
        ("WWW.shop.example/kettle", "http"),
        ("soooooo sloooow", "soo sloow"),
        ("good and cheese", "good and cheese"),
        ("it cost 1000000 and 5000", "it cost 1000000 and 5000"),
        ("NO!!!!!!!!!", "NO!!!"),
        ("well...", "well..."),
        ("salt &amp; pepper &lt;3", "salt & pepper <3"),
        ("it\\u2019s late\\u002c again", "it’s late, again"),
        ("\\ud83d\\ude21", "enraged face"),
        ("\\ud83d alone", "\ufffd alone"),
        ("\\u00zz", "\\u00zz"),
        ("order_number", "order number"),
        ("¿Dónde está mi pedido?", "¿Dónde está mi pedido?"),
        ("我的订单在哪里", "我的订单在哪里"),
    ],
)
def test_table(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(st.text())
def test_any_text_becomes_single_spaced_text_without_emoji_runs(text: str) -> None:
    plain = normalise(text)
    assert plain == " ".join(plain.split())
    assert "😡" not in normalise(text + "😡")


@given(st.text(alphabet="ab@#:/._ 😡\\u0&;", max_size=80))
def test_space_around_a_text_says_nothing(text: str) -> None:
    assert normalise(f"  {text}\n") == normalise(text)


@pytest.mark.parametrize("piece", ["a", "@", "&amp;", "\\u0041", "😡", "http://", "._", "!a", "❤️"])
def test_a_megabyte_of_anything_is_quick(piece: str) -> None:
    start = time.perf_counter()
    normalise(piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - start < 1
