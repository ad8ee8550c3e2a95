"""Real servers with the deployment's own files: the broker over TLS, PostgreSQL's roles, every query of a dashboard."""

import asyncio
import json
import os
import re
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import psycopg
import pytest
from tests.conftest import require_program
from tests.deploy.conftest import DEPLOY, placed
from tests.ports import free_port
from tests.postgres import OWNER, PostgresServer, postgres_program
from tests.services.conftest import Influx, Nginx
from tests.services.test_mosquitto import answers

from cultureops.clock import SECOND_MS, SeededEntropy, SystemClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.keeping.ledger_place import prepare_database
from cultureops.lab import open_lab
from cultureops.site import read_site
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.line_protocol import Labels
from cultureops.telemetry.mirror import Mirror, mirroring
from cultureops.telemetry.mirror_settings import MirrorSettings

DEADLINE_S = 20.0


@pytest.fixture
def broker(compose: dict[str, Any], secrets: Path, tmp_path: Path) -> Iterator[int]:
    """mosquitto as it is deployed, but for its port, its folders and its user."""
    port, folder = free_port(), tmp_path / "mosquitto"
    folder.mkdir()
    (folder / "acl").write_text((DEPLOY / "mosquitto" / "acl").read_text())
    (folder / "acl").chmod(0o600)
    text = placed((DEPLOY / "mosquitto" / "mosquitto.conf").read_text(), secrets, compose)
    for deployed, here in (
        ("listener 8883", f"listener {port} 127.0.0.1"),
        ("/mosquitto/config/acl", str(folder / "acl")),
        ("/mosquitto/data/", f"{folder}/"),
    ):
        assert deployed in text
        text = text.replace(deployed, here)
    (folder / "mosquitto.conf").write_text(text + "user root\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([require_program("mosquitto"), "-c", folder / "mosquitto.conf"], stderr=log)
    try:
        until = time.monotonic() + DEADLINE_S
        while not answers(port):
            assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@asynccontextmanager
async def reader(secrets: Path, port: int, **log_in: str) -> AsyncIterator[aiomqtt.Client]:
    tls = aiomqtt.TLSParameters(ca_certs=str(secrets / "house_ca.pem"))
    async with aiomqtt.Client("127.0.0.1", port, tls_params=tls, timeout=5, **log_in) as client:  # type: ignore[arg-type]
        yield client


async def test_a_lab_tells_the_broker_over_tls_and_readers_only_read(
    compose: dict[str, Any], secrets: Path, tmp_path: Path, broker: int
) -> None:
    (tmp_path / "lab").mkdir()
    text = placed((DEPLOY / "site/lab.toml").read_text() + (DEPLOY / "site/mqtt.toml").read_text(), secrets, compose)
    site_file = tmp_path / "lab" / "site.toml"
    site_file.write_text(text.replace('host = "mosquitto"', f'host = "localhost"\nport = {broker}'))
    known = {"username": "reader", "password": (secrets / "mqtt_reader_password").read_text().strip()}
    async with asyncio.timeout(DEADLINE_S):
        async with open_lab(read_site(site_file), tmp_path / "lab", SystemClock(), SeededEntropy(1)) as lab:
            assert lab.publisher is not None
            while not lab.publisher.status().connected:
                await asyncio.sleep(0.02)
            async with reader(secrets, broker, **known) as client:
                await client.publish("cultureops/cell-therapy/status", b"forged", qos=1, retain=True)
                await client.subscribe("#", qos=1)
                async for message in client.messages:
                    assert message.payload != b"forged"
                    if str(message.topic) == "cultureops/cell-therapy/status":
                        assert isinstance(message.payload, bytes) and json.loads(message.payload)["state"] == "online"
                        break
        for log_in in ({}, {"username": "reader", "password": "guessed"}, {"username": "root", "password": ""}):
            with pytest.raises(aiomqtt.MqttError):
                async with reader(secrets, broker, **log_in):
                    pass
        with pytest.raises((aiomqtt.MqttError, OSError)):
            async with aiomqtt.Client("127.0.0.1", broker, timeout=2, **known):  # type: ignore[arg-type]
                pass


def test_the_roles_of_the_database_can_do_what_they_must_and_no_more(
    compose: dict[str, Any], secrets: Path, tmp_path: Path, postgres_server: PostgresServer,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    server = postgres_server
    owner_name, name = "deployed_owner", "deployed"  # the server of the tests has roles of the names that are deployed
    script = placed((DEPLOY / "postgres" / "10-roles.sh").read_text(), secrets, compose)
    script = re.sub(r"\bcultureops(_owner)?\b", r"deployed\1", script)
    environment = {
        "PATH": f"{postgres_program('psql').parent}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1", "PGPORT": str(server.port), "POSTGRES_USER": OWNER,
        "PGPASSWORD": (server.folder / f"password-{OWNER}").read_text().strip(),
    }  # fmt: skip
    try:
        ran = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=30)
        assert ran.returncode == 0, ran.stderr
        site = (DEPLOY / "site/lab.toml").read_text() + (DEPLOY / "site/postgresql.toml").read_text()
        site = site.replace('"/var/run/postgresql"', f'"127.0.0.1"\nport = {server.port}')
        (tmp_path / "site.toml").write_text(placed(site.replace('"cultureops"', f'"{name}"'), secrets, compose))
        for _ in range(2):  # the service does so at each start
            prepare_database(tmp_path / "site.toml", owner_name, secrets / "postgres_owner_password", as_json=True)
        password = (secrets / "postgres_app_password").read_text().strip()
        with psycopg.connect(
            host="127.0.0.1", port=server.port, dbname=name, user=name, password=password, autocommit=True
        ) as app:
            assert app.execute("SELECT count(*) FROM events").fetchone() == (0,)
            for forbidden in (
                "UPDATE events SET position = 1",
                "DELETE FROM events",
                "TRUNCATE events",
                "DROP TABLE events",
                "CREATE TABLE mine (x int)",
                "CREATE ROLE more",
                f"ALTER ROLE {name} SUPERUSER",
                "CREATE DATABASE more",
            ):
                with pytest.raises(psycopg.Error):
                    app.execute(forbidden)
            found = app.execute("SELECT count(*) FROM pg_roles WHERE rolname ~ '^deployed' AND rolsuper").fetchone()
            assert found == (0,)
    finally:
        with server.connect("postgres") as connection:
            connection.autocommit = True
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            for role in (owner_name, name):
                connection.execute(f"DROP ROLE IF EXISTS {role}")
    capsys.readouterr()


START = parse_iso("2026-01-05T08:00:00Z")
CHANNELS = {
    **{f"incubator_1/{name}": unit for name, unit in (("temperature", "Cel"), ("co2", "%"), ("humidity", "%"))},
    **{"incubator_1/o2": "%", "incubator_1/door": "1", "cultureops/mirror_lag": "s"},
    **{f"batch:B-1/{name}": "1" for name in ("confluence", "viability", "viable_density", "passage", "step")},
    "batch:B-1/cumulative_population_doublings": "1",
}


async def test_every_query_of_the_dashboards_finds_what_the_mirror_has_written(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "telemetry")
    server = Influx(tmp_path)
    nginx = Nginx(tmp_path, server.url)
    try:
        server.start()
        nginx.start()
        server.query("CREATE DATABASE cultureops")
        store.declare({name: ChannelInfo(unit, 2) for name, unit in CHANNELS.items()})
        for second in range(0, 300, 10):
            at = START + second * SECOND_MS
            store.append([Reading(name, 1.0 + second, Quality.GOOD, Reason.NONE, at, at) for name in CHANNELS])
            bad = [Reading("incubator_1/co2", None, Quality.BAD, Reason.TIMEOUT, at + 1, at + 1)]
            store.append(bad)
        await store.flush()
        settings = MirrorSettings(nginx.url, "-", "cultureops", period_s=0.1)
        labels = Labels("Cell therapy, floor 2", {"incubator_1": "incubator 1", "incubator_2": "incubator 2"})
        mirror = Mirror(store, settings, labels, tmp_path, SystemClock())
        replaced = "incubator_2/temperature"
        store.declare({replaced: ChannelInfo("Cel", 2)})
        await store.append([Reading(replaced, 37.0, Quality.GOOD, Reason.NONE, START, START)])
        async with mirroring(mirror), asyncio.timeout(DEADLINE_S):
            await mirror.drain()
            await store.append([Reading(replaced, None, Quality.BAD, Reason.TIMEOUT, START, START + 1)])
            await mirror.drain()
        asked = 0
        for title, query in queries():
            found = server.query(query, "cultureops")
            values = [value for row in found for line in row["values"] for value in line[1:] if value is not None]
            assert values, (title, query)
            if '("value")' in query:  # the server keeps the value that a BAD reading of its instant has replaced
                assert not any("incubator 2" in (row.get("tags") or {}).values() for row in found), (title, query)
            asked += 1
        assert asked == 20, "the number of queries changed; say so here"
    finally:
        nginx.kill()
        server.kill()
        await store.close()


def queries() -> Iterator[tuple[str, str]]:
    """Every query as Grafana asks it when everything is chosen: its own variables first, then the dashboard's."""
    for file in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        board = json.loads(file.read_text())
        names = [variable["name"] for variable in board["templating"]["list"]]
        asked = [(variable["label"], variable["query"]) for variable in board["templating"]["list"]]
        asked += [(panel["title"], target["query"]) for panel in board["panels"] for target in panel["targets"]]
        for title, query in asked:
            text = query.replace("$timeFilter", f"time >= {START - 1}ms AND time <= {START + 600_000}ms")
            text = text.replace("$__interval", "1m")
            for name in names:
                text = text.replace(f"${name}", ".*")
            assert not re.search(r"\$(?!/)", text), (title, text)
            yield f"{file.name}: {title}", text
