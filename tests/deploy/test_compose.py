"""The compose file keeps its promises: nobody is root, nothing is published needlessly, every name leads somewhere."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.conftest import DEPLOY, NAMES, ROOT, placed

from cultureops.keeping.certificates import write_certificate
from cultureops.site import read_site

Compose = dict[str, Any]
MOUNTED = {
    "app": [DEPLOY / "site" / name for name in ("lab.toml", "influxdb.toml", "mqtt.toml", "postgresql.toml")],
    "prepare": [DEPLOY / "site" / "postgresql.toml"],
    "postgres": [DEPLOY / "postgres" / "10-roles.sh"],
    "influxdb": [DEPLOY / "influxdb" / "10-reader.sh"],
    "mosquitto": [DEPLOY / "mosquitto" / "mosquitto.conf"],
    "grafana": [DEPLOY / "grafana" / "provisioning" / "datasources" / "influxdb.yml"],
}
OPEN_TO_ALL = {"8443:8443"}


def secrets_of(service: Compose) -> set[str]:
    return {one if isinstance(one, str) else one["source"] for one in service.get("secrets", ())}


def test_nobody_is_root_and_nobody_gains_rights(compose: Compose) -> None:
    for name, service in compose["services"].items():
        user, _, group = service["user"].partition(":")
        assert int(user) > 0 and group.isdecimal(), name
        assert service["cap_drop"] == ["ALL"] and "cap_add" not in service and "privileged" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"] and service["read_only"] is True, name
        assert service["init"] is True and service.get("pid") is None and "docker.sock" not in str(service), name


def test_images_are_pinned_and_watched_over(compose: Compose) -> None:
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[a-z/-]+:\d+(\.\d+)+(-[a-z]+)?", service["image"]), name
        if name == "prepare":
            assert service["restart"] == "no"  # it ends
            continue
        assert service["restart"] == "unless-stopped" and service["healthcheck"]["test"][0] == "CMD", name


def test_only_the_pages_are_published(compose: Compose) -> None:
    for name, service in compose["services"].items():
        assert service.get("network_mode") in (None, "none"), name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:") or (name == "app" and port in OPEN_TO_ALL), (name, port)
    assert compose["networks"]["inside"]["internal"] is True
    assert compose["services"]["influxdb"]["networks"] == ["inside"]
    assert compose["services"]["postgres"]["network_mode"] == "none"


def test_the_app_starts_alone(compose: Compose) -> None:
    services = compose["services"]
    assert {name for name, service in services.items() if "profiles" not in service} == {"app"}
    for name, wanted in services["app"]["depends_on"].items():
        assert wanted["required"] is False or "profiles" not in services[name], name


def test_no_secret_stands_in_the_environment(compose: Compose) -> None:
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            is_secret = re.search(r"PASSWORD|TOKEN|KEY|SECRET", key)
            assert not is_secret or (key.endswith("_FILE") and value.startswith("/run/secrets/")), (name, key)


def test_every_secret_is_made_declared_used_and_readable_by_who_uses_it(compose: Compose, secrets: Path) -> None:
    used: set[str] = set()
    for name, service in compose["services"].items():
        own = secrets_of(service)
        used |= own
        assert own <= compose["secrets"].keys(), name
        named = set(
            re.findall(r"/run/secrets/(\w+)", str(service.get("environment", "")) + str(service.get("command")))
        )
        for file in MOUNTED[name]:
            named |= set(re.findall(r"/run/secrets/(\w+)", file.read_text()))
        assert named <= own, (name, named - own)
        for secret in own:
            file = secrets / Path(compose["secrets"][secret]["file"]).name
            assert file.is_file(), secret
            if os.geteuid() == 0:
                assert may_read(file, service["user"]), (name, secret)
    assert used == compose["secrets"].keys(), "a secret that nobody uses"
    held = {name for name, service in compose["services"].items() for one in secrets_of(service) if "admin" in one}
    assert held == {"influxdb"}, "an administrator's secret is nobody else's"


def may_read(file: Path, user: str) -> bool:
    uid, gid = map(int, user.split(":"))
    found = file.stat()
    if found.st_uid == uid:
        return bool(found.st_mode & 0o400)
    return bool(found.st_mode & 0o040) if found.st_gid == gid else bool(found.st_mode & 0o004)


def test_every_mount_leads_somewhere(compose: Compose) -> None:
    used: set[str] = set()
    for name, service in compose["services"].items():
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")[:2]
            assert target.startswith("/"), (name, volume)
            if not source.startswith("."):
                used.add(source)
            elif source != "./site.toml":
                assert (ROOT / source).exists() and volume.endswith(":ro"), (name, volume)
    assert used == compose["volumes"].keys()
    for script in (DEPLOY / "make-secrets.sh", *DEPLOY.glob("*/10-*.sh")):
        assert os.access(script, os.X_OK), script


@pytest.mark.parametrize("outlets", [(), ("influxdb",), ("mqtt",), ("postgresql",), ("influxdb", "mqtt", "postgresql")])
def test_the_site_files_of_the_deployment_are_read(
    compose: Compose, secrets: Path, tmp_path: Path, outlets: tuple[str, ...]
) -> None:
    text = "".join((DEPLOY / "site" / f"{name}.toml").read_text() for name in ("lab", *outlets))
    site_file = tmp_path / "site.toml"
    site_file.write_text(placed(text, secrets, compose))
    site = read_site(site_file)
    services = compose["services"]
    assert f"{site.web.port}:{site.web.port}" in services["app"]["ports"] and site.web.names == (NAMES[0],)
    assert site.web.tls is not None and site.web.tls.context() and site.web.metrics is not None
    if site.influxdb is not None:
        environment = services["influxdb"]["environment"]
        assert site.influxdb.url == "http://influxdb:8086" and site.influxdb.token
        assert site.influxdb.bucket == environment["DOCKER_INFLUXDB_INIT_BUCKET"]
        assert site.influxdb.org == environment["DOCKER_INFLUXDB_INIT_ORG"]
    if site.mqtt is not None:
        assert (site.mqtt.host, site.mqtt.port, site.mqtt.tls) == ("mosquitto", 8883, True) and site.mqtt.password
    if "postgresql" in outlets:
        found = site.ledger.postgresql
        assert found is not None and f"postgres-socket:{found.host}:ro" in services["app"]["volumes"]
        assert f"postgres-socket:{found.host}" in services["postgres"]["volumes"] and found.password()


def test_who_prepares_the_database_can_read_the_site_file(compose: Compose, secrets: Path, tmp_path: Path) -> None:
    for secret in secrets_of(compose["services"]["prepare"]):
        file = Path(compose["secrets"][secret]["file"]).name
        (tmp_path / file).write_bytes((secrets / file).read_bytes())
    text = "".join((DEPLOY / "site" / f"{name}.toml").read_text() for name in ("lab", "influxdb", "mqtt", "postgresql"))
    (tmp_path / "site.toml").write_text(placed(text, tmp_path, compose))
    assert read_site(tmp_path / "site.toml").ledger.postgresql is not None


def test_the_data_source_is_what_the_mirror_writes_to(compose: Compose) -> None:
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/influxdb.yml").read_text())["datasources"]
    environment = compose["services"]["influxdb"]["environment"]
    assert source["jsonData"]["dbName"] == environment["DOCKER_INFLUXDB_INIT_BUCKET"]
    assert f"--username {source['user']} " in (DEPLOY / "influxdb/10-reader.sh").read_text()
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/cultureops.yml").read_text())["providers"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in compose["services"]["grafana"]["volumes"]
    for file in (DEPLOY / "grafana" / "dashboards").glob("*.json"):
        board = json.loads(file.read_text())
        assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_a_hub_and_its_gateway_read_each_other_s_sections(
    compose: Compose, secrets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    override = yaml.safe_load((DEPLOY / "compose.hub.yml").read_text())
    for name in ("hub", "room_1"):
        write_certificate(name, tmp_path, ("hub.example",), 30, as_json=True)
    lab = (DEPLOY / "site" / "lab.toml").read_text()
    premises = lab[lab.index("[[chamber]]") :]
    files = {"hub_ca": "hub.pem", "hub_certificate": "hub.pem", "hub_key": "hub.key"}
    files |= {"gateway_certificate": "room_1.pem", "gateway_key": "room_1.key"}

    def written(name: str, text: str) -> Path:
        for secret, file in files.items():
            text = text.replace(f"/run/secrets/{secret}", str(tmp_path / file))
        (tmp_path / name).write_text(placed(text, secrets, compose))
        return tmp_path / name

    (tmp_path / "gateways").mkdir()
    (tmp_path / "gateways" / "room_1.pem").write_bytes((tmp_path / "room_1.pem").read_bytes())
    gateway_text = '[site]\nname = "Room 1"\n' + premises + (DEPLOY / "site" / "hub.toml").read_text()
    gateway = read_site(written("gateways/room_1.toml", gateway_text))
    hub_text = lab.replace(premises, "") + (DEPLOY / "site" / "gateways.toml").read_text()
    hub = read_site(written("site.toml", hub_text))
    assert gateway.hub is not None and hub.gateways is not None
    assert [row.name for row in hub.gateways.rows] == [gateway.hub.gateway] and set(hub.every_chamber) == {
        "incubator_1"
    }
    assert gateway.hub.port == hub.gateways.port != hub.web.port
    assert override["services"]["app"]["ports"] == [f"{hub.gateways.port}:{hub.gateways.port}"]
    assert override["services"]["app"]["command"][0] == "hub"
    assert secrets_of(override["services"]["app"]) == override["secrets"].keys() == {"hub_certificate", "hub_key"}
    capsys.readouterr()
