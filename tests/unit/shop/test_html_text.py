import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.shop.html_text import MAX_CHARACTERS, html_to_text


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<p>One</p><p>Two</p>", "One\nTwo"),
        ("<h2>Returns</h2>Within 30&nbsp;days", "Returns\nWithin 30 days"),
        ("<ul><li>Red</li><li>Blue</li></ul>", "Red\nBlue"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("a  b\n\n c", "a b c"),
        ("<b>bo</b>ld", "bold"),
        ("Fish &amp; Chips &lt;3 &#8364;5 &eacute;", "Fish & Chips <3 €5 é"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
        ("<script>var x = '<p>no</p>';</script>yes", "yes"),
        ("<style>p { color: red }</style><p>seen</p>", "seen"),
        ("<p>5 < 6 & 7 > 3</p>", "5 < 6 & 7 > 3"),
        ("{{widget type=\"Magento\\Cms\" id='3'}}Text{{/widget}}", "Text"),
        ('Call {{config path="general/phone"}} now', "Call now"),
        ("<table><tr><th>Size</th><th>Chest</th></tr><tr><td>S</td><td>88</td></tr></table>", "Size | Chest\nS | 88"),
        ("<p>open <i>never closed", "open never closed"),
        ("</p></div>stray", "stray"),
        ("<!-- hidden --><p>shown</p>", "shown"),
        ("zero\u200bwidth soft\u00adhyphen", "zerowidth softhyphen"),
        ("<p>Größe – 日本語 👟</p>", "Größe – 日本語 👟"),
        ('<div data-content-type="html">&lt;p&gt;First&lt;/p&gt;&lt;p&gt;Second&lt;/p&gt;</div>', "First\nSecond"),
        ("<svg><title>icon</title><path/></svg>after", "after"),
        ("<noscript>enable it</noscript>on", "on"),
    ],
)
def test_html_to_text(markup: str, expected: str) -> None:
    assert html_to_text(markup) == expected


@given(st.text(max_size=300))
def test_any_text_gives_clean_lines(markup: str) -> None:
    for line in (shown := html_to_text(markup)).split("\n"):
        assert line == line.strip(" ")
        assert shown == "" or line


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12), min_size=1, max_size=8))
def test_every_word_of_every_block_survives_in_order(words: list[str]) -> None:
    markup = "<div>" + "".join(f"<li class='x'>{word}</li>" for word in words) + "</div>"
    assert html_to_text(markup).split("\n") == words


@given(st.text(st.sampled_from("<>/!-&;#abp \"'={}"), max_size=200))
def test_broken_markup_does_not_raise(markup: str) -> None:
    html_to_text(markup)


def test_what_is_far_too_long_is_cut() -> None:
    assert len(html_to_text("word " * MAX_CHARACTERS)) <= MAX_CHARACTERS
    assert re.fullmatch(r"x*", html_to_text("x" * (MAX_CHARACTERS + 5)))
