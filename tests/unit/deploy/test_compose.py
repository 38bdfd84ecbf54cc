"""docker-compose.yml against the code that it starts: commands, settings, order, ports and what a container may."""

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings
from typer.main import get_command

from services.catalog_indexer.settings import IndexSettings
from services.cli import main, settings_page
from services.cli.deployables import ServiceName
from services.lib.kit import broker
from services.lib.kit.service import utc_now
from services.lib.kit.settings import Connection
from services.lib.shop.sandbox.data import load
from services.lib.shop.sandbox.identity import ISSUER
from services.lib.shop.sandbox.serve import SandboxSettings
from tests.unit.deploy.files import ROOT

SERVICES = [name.value for name in ServiceName]
MODELS: dict[str, type[BaseSettings]] = {
    **settings_page.SERVICES,
    "index": IndexSettings,
    "topics": Connection,
    "shop": SandboxSettings,
}
OURS = list(MODELS)


def ran(*command: str | Path) -> str:
    """Standard output of a program that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603  # of this repository
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def written(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What deploy/docker/secrets.sh writes."""
    file = tmp_path_factory.mktemp("secrets") / ".env"
    ran(ROOT / "deploy/docker/secrets.sh", file)
    return written(file)


def resolved(value: Any, environment: dict[str, str]) -> str:
    """As docker compose fills in its variables: `${NAME:?...}` alone is used here."""
    assert "${" not in re.sub(r"\$\{\w+:\?[^}]+\}", "", str(value))
    return re.sub(r"\$\{(\w+):\?[^}]+\}", lambda found: environment[found[1]], str(value))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without settings of ours."""
    for name in [name for name in os.environ if name.startswith("BATON_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def test_every_service_of_the_line_is_there(compose: dict[str, Any]) -> None:
    assert set(SERVICES) == MODELS.keys() - {"index", "topics", "shop"}
    assert set(OURS) | {"kafka", "postgres", "prometheus", "grafana"} == compose["services"].keys()


@pytest.mark.parametrize("name", OURS)
def test_its_settings_are_settings_and_none_is_missing(
    name: str, compose: dict[str, Any], environment: dict[str, str], bare: pytest.MonkeyPatch
) -> None:
    given = {key: resolved(value, environment) for key, value in compose["services"][name]["environment"].items()}
    known = {setting.name for setting in settings_page.settings_of(MODELS[name])}
    assert given.keys() <= known
    for key, value in given.items():
        bare.setenv(key, value)
    MODELS[name]()  # raises where a required one is missing or one is out of its bounds


@pytest.mark.parametrize("name", ["ingest", "copilot-drafter", "index", "shop"])
def test_a_setting_that_is_missing_would_be_noticed(
    name: str, compose: dict[str, Any], environment: dict[str, str], bare: pytest.MonkeyPatch
) -> None:
    given = compose["services"][name]["environment"]
    required = [
        one.name for one in settings_page.settings_of(MODELS[name]) if one.default == "required" and one.name in given
    ]
    assert required
    for missing in required:
        for key, value in given.items():
            bare.setenv(key, resolved(value, environment))
        bare.delenv(missing)
        with pytest.raises(ValueError):
            MODELS[name]()


@pytest.mark.parametrize("name", SERVICES)
def test_its_command_is_one_of_baton(name: str, compose: dict[str, Any]) -> None:
    command = compose["services"][name]["command"]
    assert command == ["up", "--service", name, "--host", "0.0.0.0", "--port", "8080"]  # noqa: S104  # in its container
    up = get_command(main.app).commands["up"]  # type: ignore[attr-defined]
    assert up.make_context("up", command[1:]).params["service"] == name


def test_the_one_shots_are_commands_of_baton(compose: dict[str, Any]) -> None:
    commands = get_command(main.app).commands  # type: ignore[attr-defined]
    topics, apply, *options = compose["services"]["topics"]["command"]
    assert commands[topics].commands[apply].make_context("apply", options).params["replication"] == 1
    assert compose["services"]["index"]["command"] == ["index"]
    assert "index" in commands


def test_all_share_what_must_be_the_same(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for key in ("BATON_DEAD_LETTER_KEY", "BATON_TRANSCRIPT_TOKEN", "BATON_SHOP__TOKEN", "BATON_INDEX_PATH"):
        values = {one["environment"][key] for name, one in services.items() if key in one.get("environment", {})}
        assert len(values) == 1, key
    shop = services["shop"]["environment"]
    assert shop["BATON_SANDBOX_IDENTITY_KEY"] == services["ingest"]["environment"]["BATON_IDENTITY_KEY"]
    assert shop["BATON_SANDBOX_TOKEN"] == services["index"]["environment"]["BATON_SHOP__TOKEN"]
    assert services["ingest"]["environment"]["BATON_IDENTITY_ISSUER"] == ISSUER


def test_the_shop_is_the_sandbox_with_its_store_views(compose: dict[str, Any]) -> None:
    views = [{"code": one.code, "currency": one.currency} for one in load(utc_now()).stores]
    for name in ("index", "retrieval-answer", "copilot-drafter", "catalog-indexer"):
        stores = json.loads(compose["services"][name]["environment"]["BATON_SHOP__STORES"])
        assert stores == views


@pytest.mark.parametrize("name", OURS)
def test_addresses_are_of_services_and_ports_that_are_there(name: str, compose: dict[str, Any]) -> None:
    services = compose["services"]
    listeners = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    for value in services[name]["environment"].values():
        for host, port in re.findall(r"(?:@|//|^)([a-z-]+):(\d+)(?=/|$)", str(value)):
            assert host in services
            ours = host in OURS and port in services[host]["command"]
            assert ours or (host, port) == ("postgres", "5432") or f"//{host}:{port}" in listeners


@pytest.mark.parametrize("name", OURS)
def test_it_starts_after_what_it_needs(name: str, compose: dict[str, Any]) -> None:
    service = compose["services"][name]
    after = {other: one["condition"] for other, one in service.get("depends_on", {}).items()}
    text = json.dumps(service["environment"])
    needs = {
        "kafka": "BATON_KAFKA__" in text,
        "topics": name in SERVICES,
        "postgres": "@postgres:" in text,
        "shop": "//shop:" in text,
        "index": "BATON_INDEX_PATH" in text and name != "index",
    }
    done = {"topics", "index"}
    assert after == {
        other: "service_completed_successfully" if other in done else "service_healthy"
        for other, needed in needs.items()
        if needed
    }
    for other, condition in after.items():
        checked = compose["services"][other].get("healthcheck", {})
        assert condition == "service_completed_successfully" or checked.get("test"), "has a check of its own"


@pytest.mark.parametrize("name", OURS)
def test_what_reads_the_index_has_its_volume(name: str, compose: dict[str, Any]) -> None:
    service = compose["services"][name]
    has = "index:/var/lib/baton" in service.get("volumes", [])
    assert has == ("BATON_INDEX_PATH" in service["environment"])
    if has:
        assert Path(service["environment"]["BATON_INDEX_PATH"]).parent == Path("/var/lib/baton")


@pytest.mark.parametrize("name", OURS)
def test_a_container_may_do_little(name: str, compose: dict[str, Any]) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp", "/app/var"]  # noqa: S108  # a mount in the container


def test_no_container_gains_rights(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["init"] is True
        assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_the_time_to_drain(name: str, compose: dict[str, Any]) -> None:
    service = compose["services"][name]
    drain = MODELS[name].model_fields["drain_s"].default
    assert int(service["stop_grace_period"].removesuffix("s")) > broker.GRACE_S + drain
    assert service["restart"] == "unless-stopped"


def test_ports_are_open_to_this_machine_alone_and_each_once(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_no_password_stands_in_the_file(compose: dict[str, Any], environment: dict[str, str]) -> None:
    used: set[str] = set()
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            used |= set(re.findall(r"\$\{(\w+):\?run deploy/docker/secrets.sh\}", str(value)))
            if re.search(r"PASSWORD|TOKEN|_KEY$", key):
                assert re.fullmatch(r"\$\{\w+:\?run deploy/docker/secrets\.sh\}", value), (name, key)
    assert used == environment.keys()


def test_volumes_and_mounted_files_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            if source.startswith("."):
                assert (ROOT / source).exists()
                assert mode == ["ro"]
            else:
                assert source in compose["volumes"]
            assert target.startswith("/")


def test_kafka_has_its_whole_configuration(compose: dict[str, Any]) -> None:
    env = compose["services"]["kafka"]["environment"]
    listeners = dict(one.split("://") for one in env["KAFKA_LISTENERS"].split(","))
    protocols = dict(one.split(":") for one in env["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    advertised = dict(one.split("://") for one in env["KAFKA_ADVERTISED_LISTENERS"].split(","))
    controller = env["KAFKA_CONTROLLER_LISTENER_NAMES"]
    assert listeners.keys() == protocols.keys() == advertised.keys() | {controller}
    for name, address in advertised.items():
        assert address.rpartition(":")[2] == listeners[name].rpartition(":")[2]
    assert env["KAFKA_INTER_BROKER_LISTENER_NAME"] in advertised
    assert env["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"{env['KAFKA_NODE_ID']}@kafka:{listeners[controller][-5:]}"
    assert env["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert f"kafka:{env['KAFKA_LOG_DIRS']}" in compose["services"]["kafka"]["volumes"]
    # A cluster id is a UUID in URL-safe base64 without its padding.
    assert len(base64.urlsafe_b64decode(env["CLUSTER_ID"] + "==")) == 16


class TestSecrets:
    @staticmethod
    def run(file: Path) -> str:
        return ran(ROOT / "deploy/docker/secrets.sh", file)

    def test_are_for_their_owner_alone_and_differ(self, tmp_path: Path, environment: dict[str, str]) -> None:
        file = tmp_path / ".env"
        self.run(file)
        assert file.stat().st_mode & 0o777 == 0o600
        again = written(file)
        assert again.keys() == environment.keys()
        assert not set(again.values()) & set(environment.values())
        assert len(base64.b64decode(environment["BATON_DEAD_LETTER_KEY"])) == 32

    def test_what_is_there_stays(self, tmp_path: Path) -> None:
        file = tmp_path / ".env"
        own = secrets.token_hex(20)
        file.write_text(f"# ours\nBATON_SHOP_TOKEN={own}\nOTHER=1")  # without an end of its last line
        assert "BATON_SHOP_TOKEN" not in self.run(file)
        first = file.read_text()
        assert first.startswith(f"# ours\nBATON_SHOP_TOKEN={own}\nOTHER=1\n")
        assert self.run(file) == ""
        assert file.read_text() == first


def test_the_image_has_all_that_the_services_are_made_of() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.MULTILINE))
    assert copied == kept == {"requirements.lock", "schemas", "services"}
    assert len(set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))) == 1, "both stages have one interpreter"


@pytest.mark.skipif(shutil.which("hadolint", path=str(ROOT / ".venv/bin")) is None, reason="hadolint is not there")
def test_the_dockerfile_passes_its_linter() -> None:
    ran(ROOT / ".venv/bin/hadolint", ROOT / "deploy/docker/Dockerfile")
