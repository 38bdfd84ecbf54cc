"""Language identification on short chat messages."""

import json
from pathlib import Path

import pytest

from services.lib.language.language_id import identify, language_of

DATA = Path(__file__).parents[2] / "data" / "screening"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("do you have this in red", "en"),
        ("where is my parcel please", "en"),
        ("habt ihr das in rot", "de"),
        ("wo ist meine Bestellung", "de"),
        ("gibts den auch in groesse 44", "de"),
        ("vous livrez en suisse ?", "fr"),
        ("ou est ma commande svp", "fr"),
        ("¿dónde está mi pedido?", "es"),
        ("lo tienen en negro", "es"),
        ("dove è il mio pacco", "it"),
        ("waar is mijn pakket", "nl"),
        ("gdzie jest moja paczka", "pl"),
        ("onde está o meu pedido", "pt"),
        ("siparişim nerede", "tr"),
        ("где моя посылка", "ru"),
    ],
)
def test_short_messages(text, code):
    found = identify(text)
    assert found.code == code
    assert 0.5 < found.probability <= 1


@pytest.mark.parametrize(
    "text", ["", "ok", "?", "😍😍", "WS12-XL 000000123", "12.05.2026", "[email 1]", "nike", "\ud800"]
)
def test_what_cannot_be_told_is_left_to_the_locale(text):
    assert identify(text).code is None
    assert language_of(text, "fr_FR") == "fr"


def test_the_text_beats_the_locale():
    assert language_of("wo ist meine Bestellung", "en-GB") == "de"
    assert language_of("hmm", "DE") == "de"


def test_accuracy_on_the_messages_written_for_screening():
    told, right, count = 0, 0, 0
    for path in DATA.glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            message = json.loads(line)
            found = identify(message["text"]).code
            count += 1
            told += found is not None
            right += found == message["language"]
    print(f"\ntold {told / count:.3f}, right of those told {right / told:.3f}")
    assert told >= 0.8 * count
    assert right >= 0.985 * told
