"""A lab whose records are in PostgreSQL: the same lab, the same answers, the same backup."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from tests.at_the_pages import AtThePages, lay_out_people
from tests.command_line import cultureops
from tests.ports import free_port
from tests.postgres import Database, PostgresServer
from tests.stock import put_on_shelf
from tests.system.conftest import SITE
from tests.system.test_lab import TOKEN, co2, seed_batch
from tests.system.test_run import SITE as RUNNING_SITE
from tests.system.test_run import incubator_port, until

from cultureops.access.secrets_file import SecretsFile
from cultureops.access.secrets_table import SecretsTable
from cultureops.access.vault import replace_secrets
from cultureops.backup.taking import Wanted, take_backup
from cultureops.cli import app
from cultureops.clock import DAY_MS, MINUTE_MS, SeededEntropy, SteppedClock, SystemClock, SystemEntropy, parse_iso
from cultureops.errors import ConfigError
from cultureops.keeping.batch_record import write_record
from cultureops.keeping.moving import move_to_database
from cultureops.keeping.packs import check_audit_pack, write_audit_pack
from cultureops.lab import open_lab
from cultureops.ledger.pointer import point_to, pointed
from cultureops.ledger.postgres_settings import PostgresSettings
from cultureops.ledger.transfer import bring_rows, compare_rows
from cultureops.ledger.verify import read_stream, verify
from cultureops.ledger.whereabouts import open_reader, storage_at
from cultureops.qualification.installation import CHECKS, Installation
from cultureops.qualification.row import Outcome, run_checks
from cultureops.recording import LEDGER_FILE, ledger_in, settle_ledger, storage_of
from cultureops.site import read_site

__all__ = ["incubator_port"]

START = parse_iso("2026-01-05T08:00:00Z")


def section(settings: PostgresSettings) -> str:
    return (
        f'[ledger.postgresql]\nhost = "{settings.host}"\nport = {settings.port}\ndatabase = "{settings.database}"\n'
        f'user = "{settings.user}"\npassword_file = "{settings.password_file}"\n'
    )


def into_database(data: Path, settings: PostgresSettings) -> None:
    """Put a folder's records into a database, as a move does, without an event that says so."""
    engine = storage_of(settings).writer()
    with closing(open_reader(data / LEDGER_FILE)) as source, engine.begin() as target:
        bring_rows(source, target)
    engine.dispose()
    replace_secrets(SecretsFile(data / "access.sqlite"), SecretsTable(settings))
    point_to(data, settings)
    for name in (LEDGER_FILE, "access.sqlite"):
        (data / name).unlink()


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of a lab in which one batch stood for an hour, twenty minutes of it with too little CO2."""
    folder = tmp_path_factory.mktemp("lived") / "data"
    folder.mkdir()
    (folder / "site.toml").write_text(SITE.format(counts=folder.parent))

    async def live() -> None:
        clock = SteppedClock(START)
        async with open_lab(read_site(folder / "site.toml"), folder, clock, SeededEntropy(1)) as lab:
            await put_on_shelf(lab.ledger, clock.now(), "spare")
            await seed_batch(lab, clock)
            for minute in range(0, 60, 5):
                now = clock.advance(5 * MINUTE_MS)
                await lab.recorder.accept([co2(3.0 if 20 <= minute < 40 else 5.0, now)])
                await lab.settle()

    asyncio.run(live())
    return folder


@pytest.fixture
def data(lived: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lived, tmp_path / "data"))


SHORT = (
    ("verify",),
    ("audit", "list"),
    ("batch", "history", "B-1", "--json"),
    ("alarms", "kpi", "--from", "2026-01-05T00:00:00Z", "--to", "2026-01-06T00:00:00Z"),
)
LONG = (
    *SHORT,
    ("ledger", "verify"),
    ("ledger", "heads"),
    ("audit", "alcoa", "--json"),
    ("batch", "list", "--json"),
    ("alarms", "history"),
    ("equipment", "list"),
    ("lots", "list", "--json"),
    ("recipe", "list", "--json"),
    ("telemetry", "verify"),
)
Asked = tuple[tuple[str, ...], ...]


def answers(data: Path, asked: Asked) -> dict[str, tuple[int, str]]:
    """What each command says, with the place of the records by one name."""
    place = storage_at(ledger_in(data)).name
    said = {}
    for words in asked:
        out, code = io.StringIO(), 0
        with redirect_stdout(out):
            try:
                app([*words, "--data-dir", str(data)], standalone_mode=False)
            except SystemExit as end:
                code = int(end.code or 0)
        said[" ".join(words)] = (code, out.getvalue().replace(place, "THE LEDGER").replace(str(data), "DATA"))
    return said


def record_of(data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The record of the batch as JSON, printed at a fixed moment."""
    write_record(data, "B-1", None, "reviewer-1", None, as_json=True, clock=SteppedClock(START + DAY_MS))
    return capsys.readouterr().out.replace(str(data), "DATA")


@pytest.mark.parametrize("asked", [SHORT, pytest.param(LONG, marks=pytest.mark.soak)], ids=["short", "long"])
def test_commands_that_read_say_the_same_of_both(
    data: Path, postgres: Database, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    in_file, record = answers(data, asked), record_of(data, capsys)
    into_database(data, postgres.settings())
    after = answers(data, asked)
    assert {words: said for words, said in after.items() if said != in_file[words]} == {}
    assert record_of(data, capsys) == record
    assert {words: said for words, said in in_file.items() if said[0]} == {}
    assert "batch_created" in in_file["batch history B-1 --json"][1] and " 1 alarms" in " ".join(
        map(str, in_file.values())
    )


def test_what_is_installed_is_looked_at(data: Path, postgres: Database) -> None:
    into_database(data, postgres.settings())
    site = Installation(read_site(data / "site.toml"), data / "site.toml", data, START + DAY_MS)
    rows = run_checks([check for check in CHECKS if check.id in ("IQ-13", "IQ-14")], site, lambda: None)
    assert [row.outcome for row in rows] == [Outcome.PASS] * 2 and "PostgreSQL" in rows[0].found, rows


@pytest.mark.soak
def test_a_pack_is_written_out_of_a_database_and_proves_itself(data: Path, postgres: Database, tmp_path: Path) -> None:
    into_database(data, postgres.settings())
    write_audit_pack(data, "B-1", tmp_path / "pack.zip", None, as_json=True)
    assert check_audit_pack(tmp_path / "pack.zip", None, None, as_json=True) == 0


def test_a_backup_holds_the_records_as_a_file_and_is_restored_as_one(
    data: Path, postgres: Database, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    into_database(data, postgres.settings())
    head = verify(ledger_in(data))
    (tmp_path / "shelf").mkdir()
    taken = take_backup(Wanted(data, tmp_path / "shelf"))
    assert taken.manifest.head == head and taken.manifest.counts.events == head.position
    assert any(line.startswith("ledger.json: names the database") for line in taken.manifest.left_out)
    (tmp_path / "other").mkdir()  # two backups of one second would bear one name
    said = cultureops("backup", "--data-dir", str(data), "--to", str(tmp_path / "other"), "--json")
    assert said.returncode == 0 and json.loads(said.stdout)["ledger_position"] == head.position, said.stderr
    back = tmp_path / "back"
    restored = cultureops("restore", str(taken.folder), "--data-dir", str(back), "--known", str(head))
    assert restored.returncode == 0 and "ledger move" in restored.stdout, restored.stderr
    assert pointed(back) is None and SecretsFile(back / "access.sqlite").is_there()
    with closing(open_reader(ledger_in(data))) as left, closing(open_reader(back / LEDGER_FILE)) as right:
        with pytest.raises(Exception, match="differs"):
            compare_rows(left, right)  # the event of the backup came after it
        compare_rows(right, right)
    assert read_stream(back / LEDGER_FILE, "batch:B-1") == read_stream(ledger_in(data), "batch:B-1")


class Running:
    """A lab on a database, as a process of its own, with operator-1 in front of its pages."""

    def __init__(self, tmp_path: Path, incubator_port: int, settings: PostgresSettings) -> None:
        self.data, self.site, web_port = tmp_path / "data", tmp_path / "site.toml", free_port()
        text = RUNNING_SITE.format(web_port=web_port, device_port=incubator_port)
        self.site.write_text(text.replace("limit = 37.0", "limit = 30.0") + section(settings))
        self.pages = AtThePages(web_port)

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "cultureops", "run", str(self.site), "--data-dir", str(self.data)]
        lab = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until(self.health, "the lab answers")
        return lab

    def health(self) -> dict[str, Any]:
        return self.pages.read("/api/health") or {}

    def begin(self, batch_id: str) -> bool:
        new = {"batch_id": batch_id, "patient_token": TOKEN, "recipe": "tavakol_afshari_2021", "role": "OP"}
        return self.pages.send("/batches/new", **new, confirmed=TOKEN)


@pytest.fixture
def running(tmp_path: Path, incubator_port: int, postgres: Database) -> Running:
    return Running(tmp_path, incubator_port, postgres.settings())


async def test_a_lab_on_a_database_is_killed_and_the_next_one_knows_it_all(
    running: Running, postgres: Database
) -> None:
    """Somebody logs in and begins a batch, an alarm is recorded, the lab is killed and opened again."""
    await asyncio.to_thread(lay_out_people, running.data)
    with pytest.raises(ConfigError, match=r"ledger move .*--to-postgresql"):
        settle_ledger(running.data, read_site(running.site).ledger)
    await asyncio.to_thread(move_to_database, running.data, postgres.settings(), "")

    def alarms() -> list[tuple[Any, ...]]:
        return postgres.rows("SELECT stream FROM events WHERE stream LIKE 'alarm:incubator_1/%'")

    def live() -> None:
        lab = running.start()
        try:
            assert running.begin("B-7")
            until(alarms, "an alarm is on record")
        finally:
            lab.kill()
            lab.wait(10)

    await asyncio.to_thread(live)
    head = verify(ledger_in(running.data))
    async with open_lab(read_site(running.site), running.data, SystemClock(), SystemEntropy()) as again:
        assert (again.batches.get("B-7") or pytest.fail("the batch is gone")).patient_token == TOKEN
        assert alarms()[0][0] in {f"alarm:{view.rule.id}" for view in again.alarming.engine.active()}
    verify(ledger_in(running.data), head)
    assert not (running.data / LEDGER_FILE).exists()


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_lab_outlives_its_server(running: Running, postgres: Database, postgres_server: PostgresServer) -> None:
    """While the server is away readings are kept and nothing is confirmed; then the lab records what happened."""
    lay_out_people(running.data)
    move_to_database(running.data, postgres.settings(), "")
    lab = running.start()
    try:
        position = running.health()["ledger"]["position"]
        postgres_server.stop(signal.SIGQUIT)
        until(lambda: running.health().get("ledger_failure"), "the lab misses its records")
        stored = running.health()["readings_stored"]
        until(lambda: running.health().get("readings_stored", 0) > stored, "readings are kept meanwhile")
        assert not running.begin("B-8")
        postgres_server.start()
        until(lambda: running.health().get("ledger_failure", "") is None, "the lab has its records again")
        until(lambda: running.health()["ledger"]["position"] > position, "what happened is on record")
        assert running.begin("B-9")
    finally:
        lab.send_signal(signal.SIGTERM)
        assert lab.wait(20) == 0
    streams = {stream for (stream,) in postgres.rows("SELECT stream FROM events")}
    assert "batch:B-9" in streams and "batch:B-8" not in streams
    verify(ledger_in(running.data))


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_lab_polls_and_alarms_beside_a_server_that_hangs(
    running: Running, postgres: Database, postgres_server: PostgresServer
) -> None:
    """The loop that polls stands still once, for two seconds, whatever is asked of the record meanwhile."""
    lay_out_people(running.data)
    move_to_database(running.data, postgres.settings(), "")
    lab = running.start()
    try:
        assert running.begin("B-8")
        seen: list[tuple[float, int]] = []

        def stored() -> int:
            seen.append((time.monotonic(), int(running.health().get("readings_stored", 0))))
            return seen[-1][1]

        with postgres_server.hanging():
            until_s = time.monotonic() + 45
            while time.monotonic() < until_s:
                stored()
                running.pages.read("/recipes/tavakol_afshari_2021")
            print(running.health())
        until(lambda: running.health().get("ledger_failure", "") is None, "the lab has its records again")
        assert running.begin("B-9")
    finally:
        lab.send_signal(signal.SIGTERM)
        assert lab.wait(60) == 0
    moments = [at for (at, count), (_, before) in zip(seen[1:], seen, strict=False) if count > before]
    gaps = sorted(later - at for at, later in itertools.pairwise(moments))
    print(
        f"\nreadings beside a server that hangs: longest gaps {gaps[-3:]} s, {seen[-1][1] - seen[0][1]} stored in 45 s"
    )
    assert gaps[-1] < 4 and sum(gap > 1.5 for gap in gaps) <= 1
    verify(ledger_in(running.data))
