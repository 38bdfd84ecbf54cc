"""docs/settings.md names every setting, and the example file is one that services start with."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.cli import settings_page
from services.cli.settings_page import SERVICES, settings_of
from services.lib.kit.dead_letters import Vault
from services.lib.kit.settings import WrongSettings, load
from tests.unit.docs.conftest import ROOT

PAGE = (ROOT / settings_page.PAGE).read_text("utf-8")
EVERY = {setting.name for model in SERVICES.values() for setting in settings_of(model)}


def test_the_committed_page_is_the_generated_one() -> None:
    assert settings_page.main(["--check"]) == 0


@pytest.mark.parametrize("service", SERVICES)
def test_every_field_is_named(service: str) -> None:
    """Counted by pydantic's own walk, not by the page's."""
    names: set[str] = set()

    def walk(schema: dict[str, Any], root: dict[str, Any], prefix: str) -> None:
        for name, field in schema["properties"].items():
            parts = [field, *field.get("anyOf", [])]
            references = [part["$ref"].rpartition("/")[2] for part in parts if "$ref" in part]
            if references:
                walk(root["$defs"][references[0]], root, f"{prefix}{name}__")
            else:
                names.add(f"{prefix}{name}".upper())

    schema = SERVICES[service].model_json_schema()
    walk(schema, schema, "BATON_")
    assert len(names) > 10
    assert [name for name in sorted(names) if f"| `{name}` |" not in PAGE] == []


def test_all_services_are_there() -> None:
    packages = {path.parent.name.replace("_", "-") for path in (ROOT / "services").glob("*/settings.py")}
    assert packages == set(SERVICES)


def test_words_come_from_the_models() -> None:
    ingest = {setting.name: setting for setting in settings_of(SERVICES["ingest"])}
    token = ingest["BATON_TRANSCRIPT_TOKEN"]
    assert token.default == "required"
    assert token.values == "secret of at least 32 characters"
    assert token.about.startswith("Bearer token that opens transcripts")
    assert ingest["BATON_LOG_KEPT_DAYS"].values == "integer from 3 to 3650"


def test_a_page_that_differs_is_found_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    file = tmp_path / settings_page.PAGE
    assert settings_page.main(["--check"], tmp_path) == 1
    assert not file.exists()
    assert settings_page.main([], tmp_path) == 0
    assert settings_page.main(["--check"], tmp_path) == 0
    file.write_text(file.read_text("utf-8").replace("BATON_REGION", "BATON_COUNTRY"), "utf-8")
    assert settings_page.main(["--check"], tmp_path) == 1
    assert "differs: docs/settings.md" in capsys.readouterr().err


# --- docs/examples/baton.env -------------------------------------------------------------------------------------


def variables() -> dict[str, str]:
    """What a shell reads from the file."""
    script = f"set -a; . '{ROOT}/docs/examples/baton.env'; /usr/bin/env -0"
    done = subprocess.run(["/bin/bash", "-c", script], env={}, capture_output=True, check=True)  # noqa: S603  # our own file
    pairs = (line.partition("=") for line in done.stdout.decode().split("\0"))
    return {name: value for name, _, value in pairs if name.startswith("BATON_")}


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in variables().items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_example_sets_what_exists() -> None:
    assert variables().keys() - EVERY == set()
    assert len(variables()) > 15


@pytest.mark.parametrize("service", SERVICES)
def test_with_its_secrets_filled_in_the_example_starts_every_service(
    service: str, env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = tmp_path / "kafka-ca.pem"
    authority.touch()
    env.setenv("BATON_KAFKA__CA_FILE", str(authority))
    for name in ("BATON_IDENTITY_KEY", "BATON_TRANSCRIPT_TOKEN"):
        env.setenv(name, "s" * 32)
    env.setenv("BATON_DEAD_LETTER_KEY", Vault.new_key())
    settings: Any = load(SERVICES[service])
    assert settings.kafka.security == "SASL_SSL"


@pytest.mark.parametrize("service", SERVICES)
def test_as_it_stands_it_starts_none(service: str, env: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongSettings, match="BATON_DEAD_LETTER_KEY") as caught:
        load(SERVICES[service])
    assert "change-me" not in str(caught.value)


def test_the_readme_names_settings_that_exist(readme: str) -> None:
    named = set(re.findall(r"\bBATON_[A-Z_]+[A-Z]\b", readme)) - {"BATON_SHOP__OAUTH", "BATON_MAGENTO_API"}
    assert named - EVERY == set()
