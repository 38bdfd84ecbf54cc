"""Rule files: what is broken stops the start with one sentence."""

import shutil

import pytest

from schemas.reasons import CONTAINED
from services.lib.language.rulebook import PACKAGED, RuleBook


@pytest.fixture
def folder(tmp_path):
    shutil.copy(PACKAGED / "en.toml", tmp_path / "en.toml")
    return tmp_path


def _edit(folder, old, new):
    path = folder / "en.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_packaged_rules_cover_every_contained_reason_in_every_language():
    book = RuleBook.load()
    languages = {rule.id.split(".")[0] for rule in book.rules}
    assert languages == {"en", "de", "fr", "es"}
    for language in languages:
        assert {rule.reason for rule in book.rules if rule.id.startswith(f"{language}.")} == CONTAINED


def test_version_follows_the_files(folder):
    before = RuleBook.load(folder).version
    assert before == RuleBook.load(folder).version
    with (folder / "en.toml").open("a", encoding="utf-8") as file:
        file.write("# another word\n")
    assert RuleBook.load(folder).version != before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('patterns = ["(?:go|going', 'patterns = ["(?:go|(going', "en.legal_threat.police: pattern"),
        ('"I will report you to the police"', '"a lovely scarf"', "police: it must catch 'a lovely scarf'"),
        (
            '"police costume for adults"',
            '"I will go to the police"',
            "police: it must not catch 'I will go to the police'",
        ),
        ('id = "en.legal_threat.police"', 'id = "en.legal_threat.court"', "en.legal_threat.court is there twice"),
        ('id = "en.legal_threat.police"', 'id = "de.legal_threat.police"', "begins with 'en'"),
        ('id = "en.legal_threat.police"', 'id = "en.small_talk.police"', "'small_talk' is no contained reason"),
        ('id = "en.b2b_deal.deal"', 'id = "en.order_change.deal"', "en.toml: no rule for b2b_deal"),
        ('language = "en"', 'language = "nl"', "it should be nl.toml"),
        ('language = "en"', 'language = "en', "not a TOML file"),
        ("[words]", "[wrods]", "wrods"),
        ("unless = [", "unles = [", "unles"),
        ("{authority} ~(?:will", "{autority} ~(?:will", "there is no 'autority' under [words]"),
        ('if = "', 'if = "{if}', "circle"),
    ],
)
def test_a_broken_file_stops_the_start(folder, old, new, message):
    _edit(folder, old, new)
    with pytest.raises(ValueError) as caught:
        RuleBook.load(folder)
    assert message in str(caught.value)
    assert "en.toml" in str(caught.value)


def test_no_files_stop_the_start(tmp_path):
    with pytest.raises(ValueError, match="no rule file"):
        RuleBook.load(tmp_path / "nowhere")


def test_a_file_that_is_not_text_stops_the_start(folder):
    (folder / "xx.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"xx\.toml: not a TOML file in UTF-8"):
        RuleBook.load(folder)
