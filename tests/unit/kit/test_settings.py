"""Settings: wrong ones stop the start with one sentence that names them and repeats no secret."""

import pytest
from pydantic import ValidationError

from services.lib.kit.dead_letters import Vault
from services.lib.kit.settings import ServiceSettings, StatefulSettings, WrongSettings, load

KEY = Vault.new_key()


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {"BATON_DEAD_LETTER_KEY": KEY})


def test_they_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_KAFKA__BOOTSTRAP", "a:1,b:2")
    monkeypatch.setenv("BATON_DRAIN_S", "3.5")
    settings = load(StatefulSettings, database_url="sqlite+aiosqlite:///x.db")
    assert (settings.kafka.bootstrap, settings.drain_s) == ("a:1,b:2", 3.5)
    assert settings.kafka.session_timeout_ms == 30_000
    assert KEY not in repr(settings)


def test_they_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load(ServiceSettings).drain_s = 1.0


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BATON_KAFKA__BOOTSTRAP", "no port", "BATON_KAFKA__BOOTSTRAP"),
        ("BATON_KAFKA__BOOTSTRAP", "", "BATON_KAFKA__BOOTSTRAP"),
        ("BATON_KAFKA__BOOTSTRAPP", "a:1", "BATON_KAFKA__BOOTSTRAPP"),
        ("BATON_KAFKA", "not json", "kafka"),
        ("BATON_KAFKA__SECURITY", "SASL_SSL", "username and a password"),
        ("BATON_KAFKA__CA_FILE", "/nowhere/ca.pem", "BATON_KAFKA__CA_FILE: Value error, /nowhere/ca.pem is no file"),
        ("BATON_KAFKA__SESSION_TIMEOUT_MS", "1", "BATON_KAFKA__SESSION_TIMEOUT_MS"),
        ("BATON_DRAIN_S", "-1", "BATON_DRAIN_S"),
        ("BATON_DRAIN_S", "nan", "BATON_DRAIN_S"),
        ("BATON_DEAD_LETTER_KEY", "4711-secret", "BATON_DEAD_LETTER_KEY: Value error, must be base64"),
        ("BATON_DATABASE_URL", "mysql://root:4711-secret@db/x", "BATON_DATABASE_URL"),
    ],
)
def test_a_wrong_one_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv("BATON_DATABASE_URL", "sqlite+aiosqlite:///x.db")
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettings) as caught:
        load(StatefulSettings)
    sentence = str(caught.value)
    assert sentence.startswith("baton: wrong settings: ")
    assert says in sentence
    assert "\n" not in sentence
    assert "4711" not in sentence
    assert isinstance(caught.value, SystemExit)


def test_all_that_are_missing_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BATON_DEAD_LETTER_KEY")
    with pytest.raises(WrongSettings, match="BATON_DEAD_LETTER_KEY: Field required; BATON_DATABASE_URL: Field req"):
        load(StatefulSettings)
