"""A lab whose records are in PostgreSQL: the same lab, the same answers, the same backup."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from contextlib import closing, redirect_stdout
from pathlib import Path

import pytest
from tests.at_the_pages import AtThePages, lay_out_people
from tests.command_line import cultureops
from tests.ports import free_port
from tests.postgres import Database, PostgresServer
from tests.stock import put_on_shelf
from tests.system.conftest import SITE
from tests.system.test_lab import co2, seed_batch
from tests.system.test_run import SITE as RUNNING_SITE
from tests.system.test_run import incubator_port, until

from cultureops.access.secrets_file import SecretsFile
from cultureops.access.secrets_table import SecretsTable
from cultureops.access.vault import replace_secrets
from cultureops.backup.taking import Wanted, take_backup
from cultureops.cli import app
from cultureops.clock import DAY_MS, MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
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


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder of a lab in which one batch stood for an hour, twenty minutes of it with too little CO2."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "site.toml").write_text(SITE.format(counts=tmp_path))
    clock = SteppedClock(START)
    async with open_lab(read_site(folder / "site.toml"), folder, clock, SeededEntropy(1)) as lab:
        await put_on_shelf(lab.ledger, clock.now(), "spare")
        await seed_batch(lab, clock)
        for minute in range(60):
            now = clock.advance(MINUTE_MS)
            await lab.recorder.accept([co2(3.0 if 20 <= minute < 40 else 5.0, now)])
            await lab.settle()
    return folder


ASKED = (
    ("verify",),
    ("ledger", "verify"),
    ("ledger", "heads"),
    ("audit", "list"),
    ("audit", "alcoa", "--json"),
    ("batch", "list", "--json"),
    ("batch", "history", "B-1", "--json"),
    ("alarms", "history"),
    ("alarms", "kpi", "--from", "2026-01-05T00:00:00Z", "--to", "2026-01-06T00:00:00Z"),
    ("equipment", "list"),
    ("lots", "list", "--json"),
    ("recipe", "list", "--json"),
    ("telemetry", "verify"),
)


def answers(data: Path) -> dict[str, tuple[int, str]]:
    """What each command says, with the place of the records by one name."""
    place = storage_at(ledger_in(data)).name
    said = {}
    for words in ASKED:
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


def test_every_command_that_reads_says_the_same_of_both(
    data: Path, postgres: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_file, record = answers(data), record_of(data, capsys)
    into_database(data, postgres.settings())
    after = answers(data)
    assert {words: said for words, said in after.items() if said != in_file[words]} == {}
    assert record_of(data, capsys) == record
    assert {words: said for words, said in in_file.items() if said[0]} == {}
    assert "B-1" in in_file["batch list --json"][1] and "incubator_1/co2" in in_file["alarms history"][1]
    write_audit_pack(data, "B-1", tmp_path / "pack.zip", None, as_json=True)
    assert check_audit_pack(tmp_path / "pack.zip", None, None, as_json=True) == 0
    site = Installation(read_site(data / "site.toml"), data / "site.toml", data, START + DAY_MS)
    rows = run_checks([check for check in CHECKS if check.id in ("IQ-13", "IQ-14")], site, lambda: None)
    assert [row.outcome for row in rows] == [Outcome.PASS] * 2 and "PostgreSQL" in rows[0].found, rows


def test_a_backup_holds_the_records_as_a_file_and_is_restored_as_one(
    data: Path, postgres: Database, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    into_database(data, postgres.settings())
    head = verify(ledger_in(data))
    (tmp_path / "shelf").mkdir()
    taken = take_backup(Wanted(data, tmp_path / "shelf"))
    assert taken.manifest.head == head and taken.manifest.counts.events == head.position
    assert any(line.startswith("ledger.json: names the database") for line in taken.manifest.left_out)
    said = cultureops("backup", "--data-dir", str(data), "--to", str(tmp_path / "shelf"), "--json")
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


@pytest.mark.timeout(180)
def test_a_lab_runs_on_a_database_is_killed_and_goes_on(
    tmp_path: Path, incubator_port: int, postgres: Database, postgres_server: PostgresServer
) -> None:
    """Somebody logs in, begins a batch, alarms are recorded; neither a kill of the lab nor of the server loses any."""
    data, site, web_port = tmp_path / "data", tmp_path / "site.toml", free_port()
    text = RUNNING_SITE.format(web_port=web_port, device_port=incubator_port).replace("limit = 37.0", "limit = 30.0")
    site.write_text(text + section(postgres.settings()))
    lay_out_people(data)
    command = [sys.executable, "-m", "cultureops", "run", str(site), "--data-dir", str(data)]
    with pytest.raises(ConfigError, match=r"ledger move .*--to-postgresql"):
        settle_ledger(data, read_site(site).ledger)
    move_to_database(data, postgres.settings(), "")
    pages = AtThePages(web_port)

    def alarms() -> int:
        ((count,),) = postgres.rows("SELECT count(*) FROM events WHERE stream LIKE 'alarm:incubator_1/%'")
        return int(count)

    lab = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until(lambda: pages.read("/api/health"), "the lab answers, and operator-1 is logged in")
        new = {"batch_id": "B-7", "patient_token": "COI-7F3K2", "recipe": "tavakol_afshari_2021", "role": "OP"}
        until(lambda: pages.send("/batches/new", **new, confirmed="COI-7F3K2"), "the batch is begun")
        until(alarms, "an alarm is on record")
        lab.send_signal(signal.SIGKILL)
    finally:
        lab.kill()
        lab.wait(10)
    head = verify(ledger_in(data))
    lab = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until(
            lambda: (pages.read("/api/health") or {}).get("ledger", {}).get("position", 0) > head.position, "it goes on"
        )
        assert pages.read("/api/batches/B-7")["batch_id"] == "B-7"
        postgres_server.stop(signal.SIGQUIT)
        until(lambda: (pages.read("/api/health") or {}).get("ledger_failure"), "the lab misses its records")
        stored = pages.read("/api/health")["readings_stored"]
        until(lambda: pages.read("/api/health")["readings_stored"] > stored, "readings are kept meanwhile")
        assert not pages.send("/batches/new", **new | {"batch_id": "B-8"}, confirmed="COI-7F3K2")
        postgres_server.start()
        until(lambda: pages.read("/api/health")["ledger_failure"] is None, "the lab has its records again")
        until(lambda: pages.read("/api/health")["ledger"]["position"] > head.position, "what happened is on record")
    finally:
        lab.send_signal(signal.SIGTERM)
        assert lab.wait(20) == 0
    verify(ledger_in(data), head)
    assert not (data / LEDGER_FILE).exists()
