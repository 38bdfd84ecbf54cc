"""The shop's words: complete in every language, or the start stops; and the phrases that mean yes and never mind."""

import re
import shutil

import pytest

from schemas.chat import RejectionCause
from schemas.reasons import Reason
from services.escalation_router.notices import NAMES, PACKAGED, QUICK_REPLIES, Notices, WrongNotices

NOTICES = Notices.load()
ENGLISH = (PACKAGED / "en.toml").read_text("utf-8")


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_every_language_has_all_words(language):
    assert NOTICES.speaks(language) == language
    words = NOTICES.of(language)
    assert set(words.notices) == set(NAMES)
    assert set(words.reasons) == set(Reason)
    assert set(words.rejections) == set(RejectionCause)
    assert set(words.quick_replies) == set(QUICK_REPLIES)
    assert len(set(words.reasons.values())) == len(Reason)


def test_languages_say_different_things():
    for reason in Reason:
        assert len({NOTICES.of(language).reasons[reason] for language in ("en", "de", "fr", "es")}) == 4


def test_a_language_without_a_file_gets_english():
    assert NOTICES.speaks("pl") == "en"
    assert NOTICES.of("pl") is NOTICES.of("en")


@pytest.fixture
def folder(tmp_path):
    for path in PACKAGED.glob("*.toml"):
        shutil.copy(path, tmp_path)
    return tmp_path


KEYS = [
    *(("reasons", reason.value) for reason in Reason),
    *(("notices", name) for name in NAMES),
    *(("rejections", cause.value) for cause in RejectionCause),
    *(("quick_replies", name) for name in QUICK_REPLIES),
    ("phrases", "accept"),
    ("phrases", "cancel"),
]


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_a_missing_key_stops_the_start(folder, section, key):
    path = folder / "de.toml"
    head, start, body = path.read_text("utf-8").partition(f"[{section}]\n")
    path.write_text(head + start + re.sub(rf"(?m)^{key} = .*\n", "", body, count=1), "utf-8")
    with pytest.raises(WrongNotices) as raised:
        Notices.load(folder)
    assert str(raised.value) == f"{path}: {section}: {key!r} is missing"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('disclosure = "', 'disclosure = "" #', "disclosure: "),
        ('human = "Talk to a person"', 'human = "   "', "quick_replies.human: "),
        ('human = "Talk to a person"', f'human = "{"x" * 81}"', "quick_replies.human: "),
        ("on {time}. It", "today. It", "reasons.withdrawal_notice: it must contain {quote} and {time}"),
        ("on {time}. It", "on {time} {time}. It", "reasons.withdrawal_notice: it must contain"),
        ("on {time}. It", "on {Time}. It", "reasons.withdrawal_notice: it must contain"),
        ('rollout_arm = "A', 'rollout_arm = "{name}, a', "reasons.rollout_arm: it must contain no braces"),
        ('one_moment = "One', 'one_moment = "{One', "notices.one_moment: it must contain no braces"),
        ('accept = ["yes"', 'accept = ["?!", "yes"', "phrases.accept: "),
        ("[rejections]", '[rejections]\ntoo_rude = "No."', "rejections: 'too_rude' is not known"),
        ("[notices]", "[notices", "line"),
        ("[notices]\n", "[words]\n", "notices: "),
    ],
)
def test_a_file_that_is_not_right_stops_the_start(folder, old, new, says):
    assert old in ENGLISH
    path = folder / "en.toml"
    path.write_text(ENGLISH.replace(old, new, 1), "utf-8")
    with pytest.raises(WrongNotices) as raised:
        Notices.load(folder)
    assert str(raised.value).startswith(f"{path}: ")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["pt_BR", "english", "xx", "x"])
def test_a_file_must_be_named_for_a_language(folder, name):
    (folder / f"{name}.toml").write_text(ENGLISH, "utf-8")
    with pytest.raises(WrongNotices, match=f"{name}.*ISO 639"):
        Notices.load(folder)


def test_another_language_is_another_file(folder):
    (folder / "pl.toml").write_text(ENGLISH, "utf-8")
    assert Notices.load(folder).speaks("pl") == "pl"


def test_without_english_or_readable_files_nothing_starts(folder):
    with pytest.raises(WrongNotices, match=r"en\.toml"):
        Notices.load(folder / "elsewhere")
    (folder / "fr.toml").write_bytes(b"\xff")
    with pytest.raises(WrongNotices, match=r"fr\.toml"):
        Notices.load(folder)
    (folder / "fr.toml").unlink()
    (folder / "fr.toml").mkdir()
    with pytest.raises(WrongNotices, match=r"fr\.toml"):
        Notices.load(folder)
    shutil.rmtree(folder / "fr.toml")
    (folder / "en.toml").unlink()
    with pytest.raises(WrongNotices, match=r"en\.toml is missing"):
        Notices.load(folder)


@pytest.mark.parametrize(
    ("language", "kind", "text", "is_one"),
    [
        ("en", "accept", "Yes, please!", True),
        ("en", "accept", "YES PLEASE 🙏", True),
        ("en", "accept", "yes please tell me the price", False),
        ("en", "accept", "ok", False),
        ("en", "accept", "", False),
        ("en", "accept", "!!!", False),
        ("de", "accept", "Ja, bitte.", True),
        ("de", "accept", "bitte", False),
        ("fr", "accept", "Oui, s’il vous plaît", True),
        ("es", "accept", "Sí", True),
        ("en", "cancel", "Never mind", True),
        ("en", "cancel", "nevermind…", True),
        ("en", "cancel", "never mind the colour, is it warm?", False),
        ("en", "cancel", "never mind" + " " * 300 + "but my kettle exploded", False),
        ("en", "cancel", "cancel that", False),
        ("fr", "cancel", "annulez", False),
        ("fr", "cancel", "Ce n'est plus la peine", True),
        ("de", "cancel", "NICHT MEHR NÖTIG", True),
        ("es", "cancel", "Déjelo.", True),
        ("pl", "cancel", "never mind", True),
    ],
)
def test_phrases(language, kind, text, is_one):
    """The whole message or nothing; "ok" and "cancel that" mean too many things (an answer heard, an order)."""
    assert NOTICES.of(language).is_phrase(kind, text) is is_one
