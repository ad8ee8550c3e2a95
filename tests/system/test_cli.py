"""The command line: one-line errors that say what to do, exit codes, JSON alone on standard output."""

import contextlib
import hashlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.command_line import cultureops

from cultureops.ledger.event import Actor
from cultureops.ledger.verify import read_stream

SITE = """
[site]
name = "lab"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "{driver}"
link = "{link}"
options = {{ profile = "{profile}" }}
"""
BY = ("--actor", "operator-1", "--role", "OP")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    file = tmp_path / "site.toml"
    file.write_text(
        SITE.format(driver="modbus", link="modbus+tcp://127.0.0.1:1", profile="cultureops_virtual_incubator")
    )
    return file


def test_check_says_what_a_site_holds(site: Path) -> None:
    done = cultureops("check", str(site), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "site": "lab", "chambers": 1, "devices": 1, "channels": 8, "unverified_channels": [], "alarm_rules": 0,
        "gateways": [],
    }  # fmt: skip
    assert "nothing wrong" in cultureops("check", str(site)).stdout


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('driver = "modbus"', 'driver = "modbuss"', "no driver 'modbuss'"),
        ("modbus+tcp://127.0.0.1:1", "modbus+udp://x", "site.toml:11"),
        ("cultureops_virtual_incubator", "absent", "absent"),
        ('class = "incubator"', 'class = "oven"', "site.toml:6: [chamber] class: expected one of"),
        ('chamber = "incubator_1"', 'chamber = "incubator_9"', "there is no chamber 'incubator_9'"),
        ('name = "lab"', 'name = "lab"\ntimezone = "x"', "unknown key"),
        ("[site]", "[site", "not valid TOML"),
    ],
)
def test_a_wrong_site_is_refused_in_one_line(site: Path, old: str, new: str, said: str) -> None:
    site.write_text(site.read_text().replace(old, new, 1))
    done = cultureops("check", str(site))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("check", "/nowhere/site.toml"), 2),
        (("run", "/nowhere/site.toml"), 2),
        (("demo", "--recipe", "nobody_1900", "--headless"), 2),
        (("simulate", "teapot", "--tcp", "127.0.0.1:0"), 2),
        (("simulate", "virtual_incubator"), 2),
        (("ledger", "verify", "--data-dir", "/nowhere"), 1),
        (("telemetry", "export", "-", "--data-dir", "/nowhere"), 1),
        (("telemetry", "export", "-", "--start", "yesterday"), 2),
        (("telemetry", "export", "-", "--zone", "Europe/Wien"), 2),
        (("telemetry", "import", "/nowhere/readings.csv", "--actor", "operator-1", "--role", "OP"), 2),
        (("telemetry", "archive", "--month", "2026-13", "--out", "."), 2),
        (("telemetry", "archive", "--month", "2026-01", "--out", "/nowhere"), 2),
        (("telemetry", "archive", "--month", "2026-01", "--out", ".", "--data-dir", "/nowhere"), 1),
    ],
)
def test_a_users_mistake_is_one_line_and_never_a_traceback(arguments: tuple[str, ...], code: int) -> None:
    done = cultureops(*arguments)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith(("cultureops: ", "cultureops_simulators: ")) and done.stderr.count("\n") == 1


def test_a_demo_may_keep_its_data_in_a_folder_named_from_here(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "cultureops",
        "demo",
        "--headless",
        "--json",
        "--days",
        "0.01",
        "--data-dir",
        "kept",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verified"] is True
    assert (tmp_path / "kept" / "ledger.sqlite").exists()


def test_not_a_ledger_is_unreadable_not_broken(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"these are no events" * 100)
    done = cultureops("ledger", "verify", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "broken" not in done.stderr.lower()


def test_exported_readings_come_back(tmp_path: Path) -> None:
    rows = [
        "time_utc,channel,value,unit,quality,reason,received_utc,source,standing,utc_offset",
        "2026-01-05T08:00:00.000Z,incubator_1/co2,5.01,%,GOOD,NONE,2026-01-05T08:00:00.010Z,simulated,,+00:00",
        "2026-01-05T08:01:00.000Z,incubator_1/co2,,%,BAD,TIMEOUT,2026-01-05T08:01:00.250Z,simulated,,+00:00",
    ]
    file, data = tmp_path / "readings.csv", tmp_path / "data"
    file.write_text("\n".join(rows) + "\n")
    data.mkdir()
    assert cultureops("telemetry", "import", str(file), "--data-dir", str(data), *BY).returncode == 0
    done = cultureops("telemetry", "export", "-", "--data-dir", str(data))
    assert done.stdout.splitlines() == rows
    file.write_text("\n".join([*rows, "2026-01-05T08:02:00.000Z,incubator_1/co2,nan,%,GOOD,NONE,x,simulated,,+00:00"]))
    refused = cultureops("telemetry", "import", str(file), "--data-dir", str(data), *BY)
    assert refused.returncode == 2 and "readings.csv:4" in refused.stderr and "nothing was imported" in refused.stderr
    assert cultureops("telemetry", "export", "-", "--data-dir", str(data)).stdout.splitlines() == rows
    begun, event = read_stream(data / "ledger.sqlite", "imports")  # of the file that was refused there is nothing
    assert (begun.type, event.type) == ("readings_import_begun", "readings_imported")
    assert event.actor == begun.actor == Actor("operator-1", "OP") and event.source == begun.source == "import"
    sha256 = hashlib.sha256(("\n".join(rows) + "\n").encode()).hexdigest()
    assert begun.data == {"source_file": "readings.csv", "source_sha256": sha256}
    assert event.data == {"readings": 2, **begun.data}


def test_nobody_brings_in_what_they_do_not_answer_for(tmp_path: Path) -> None:
    """No account, no right, no proof: one line, and neither readings nor an event."""
    file, wrong = tmp_path / "readings.csv", tmp_path / "wrong"
    file.write_text("time_utc,channel,value,unit,quality,reason,received_utc,source,standing\n")
    wrong.touch(mode=0o600)
    wrong.write_text("somebody else's words\n")
    data = tmp_path / "data"
    data.mkdir()
    here = ("--data-dir", str(data))
    unnamed = cultureops("telemetry", "import", str(file), *here)
    assert unnamed.returncode == 2 and "--actor" in unnamed.stderr
    nobody = cultureops("telemetry", "import", str(file), *here, "--actor", "x", "--role", "DEV")
    assert nobody.returncode == 2 and "--role: expected one of" in nobody.stderr
    refused = cultureops("telemetry", "import", str(file), *here, *BY, "--password-file", str(wrong))
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1 and "password" in refused.stderr
    keeper = cultureops("telemetry", "import", str(file), *here, "--actor", "keeper-1", "--role", "AD")
    assert keeper.returncode == 1 and "AD keeps accounts and nothing else" in keeper.stderr
    assert not (data / "telemetry").exists() and not read_stream(data / "ledger.sqlite", "imports")


def test_a_month_is_archived_and_asked_like_the_lab(tmp_path: Path) -> None:
    rows = [
        "time_utc,channel,value,unit,quality,reason,received_utc,source,standing,utc_offset",
        "2026-03-29T00:59:59.000Z,incubator_1/co2,5.01,%,GOOD,NONE,2026-03-29T00:59:59.010Z,,,+01:00",
        "2026-03-29T01:00:00.000Z,incubator_1/co2,5.03,%,GOOD,NONE,2026-03-29T01:00:00.010Z,,superseded,+02:00",
        "2026-03-29T01:00:00.000Z,incubator_1/co2,,%,BAD,TIMEOUT,2026-03-29T01:00:00.250Z,,,+02:00",
        "2026-04-01T00:00:00.000Z,incubator_1/co2,5.0,%,GOOD,NONE,2026-04-01T00:00:00.010Z,,,+02:00",
    ]
    source, data, out = tmp_path / "readings.csv", tmp_path / "data", tmp_path / "archive"
    source.write_text("\n".join(rows) + "\n")
    data.mkdir()
    out.mkdir()
    here, there = ("--data-dir", str(data)), ("--data-dir", str(out))
    (data / "site.toml").write_text('[site]\nname = "lab"\ntime_zone = "Europe/Vienna"\n')
    assert cultureops("telemetry", "import", str(source), *here, *BY).returncode == 0
    archive = ("telemetry", "archive", "--month", "2026-03", "--out", str(out), *here)
    refused = cultureops(*archive)
    assert refused.returncode == 2 and "3 readings of 2026-03 are not sealed yet" in refused.stderr
    assert list(out.iterdir()) == []
    done = cultureops(*archive, "--so-far", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["file"] == str(out / "2026-03-so-far.parquet") and (found["readings"], found["channels"]) == (3, 1)
    again = cultureops(*archive, "--so-far")
    assert again.returncode == 2 and "exists; name a new file" in again.stderr
    done = cultureops("telemetry", "export", "-", "--data-dir", found["file"])
    assert done.stdout.splitlines() == rows[:4]  # with the archive's own zone
    verified = cultureops("telemetry", "verify", "--json", *there)
    assert json.loads(verified.stdout)["archives"][0]["sha256"] == found["sha256"]
    for name in ("a.parquet", "a.csv"):
        assert cultureops("telemetry", "export", str(tmp_path / name), *there).returncode == 0
    assert (tmp_path / "a.csv").read_text().splitlines() == rows[:4]
    (tmp_path / "b").mkdir()
    again = cultureops("telemetry", "import", str(tmp_path / "a.parquet"), "--data-dir", str(tmp_path / "b"), *BY)
    assert again.returncode == 0, again.stderr
    done = cultureops("telemetry", "export", "-", "--zone", "Europe/Vienna", "--data-dir", str(tmp_path / "b"))
    assert done.stdout.splitlines() == rows[:4]
    for arguments in (("export", "-", "--data-dir", str(tmp_path / "a.parquet")), ("export", found["file"], *here)):
        done = cultureops("telemetry", *arguments)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert "a.parquet: is no archive" in done.stderr or "far.parquet exists; name a new file" in done.stderr


def test_sealed_telemetry_is_verified_against_the_ledger(tmp_path: Path) -> None:
    data = tmp_path / "data"
    played = cultureops("demo", "--headless", "--json", "--days", "0.7", "--step", "5", "--data-dir", str(data))
    assert played.returncode == 0, played.stderr
    found = json.loads(cultureops("telemetry", "verify", "--json", "--data-dir", str(data)).stdout)
    assert found["roots"] >= 2 and found["sealed_readings"] > 5000 and found["readings"] > found["sealed_readings"]
    (month,) = data.glob("telemetry/2026-*.sqlite")
    with contextlib.closing(sqlite3.connect(month, isolation_level=None)) as db:
        db.execute("DELETE FROM chunks WHERE id = (SELECT max(id) FROM chunks)")
    done = cultureops("telemetry", "verify", "--data-dir", str(data))
    assert done.returncode == 1 and "are not those of ledger position" in done.stderr
