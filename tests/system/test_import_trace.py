"""`cultureops telemetry import-trace`: late readings and an event, all or none."""

from __future__ import annotations

import asyncio
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from tests.command_line import cultureops
from tests.hired import hire_named, password_file

from cultureops.errors import ConfigError
from cultureops.keeping.entry import Entry
from cultureops.keeping.importing import import_trace
from cultureops.ledger.event import Actor
from cultureops.ledger.verify import read_stream
from cultureops.telemetry.exchange import check, export_csv
from cultureops_simulators.elitech_rc5 import build

BY = ("--actor", "operator-1", "--role", "OP")


def options(data_dir: Path) -> list[str]:
    return ["--mapping", "elitech_rc5", "--device", "shipper_7", "--zone", "UTC", "--data-dir", str(data_dir), *BY]


def entry(data_dir: Path) -> Entry:
    hire_named(data_dir, ("operator-1", "OP"))
    return Entry("operator-1", "OP", password_file=password_file())


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    pytest.importorskip("python_calamine", reason="the counters extra is not installed")
    simulator = build("logger", {"folder": str(tmp_path / "reports")}, np.random.default_rng(5))
    simulator.step(7200.0)
    return simulator.read_out()


async def test_a_trace_is_kept_with_its_hash(trace: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    done = await asyncio.to_thread(cultureops, "telemetry", "import-trace", str(trace), *options(data))
    assert done.returncode == 0, done.stderr
    assert "120 readings of shipper_7 imported, 2026-01-05T08:01:00.000Z to 2026-01-05T10:00:00.000Z" in done.stderr
    (event,) = read_stream(data / "ledger.sqlite", "device:shipper_7")
    assert event.type == "trace_imported" and event.source == "import"
    assert event.actor == Actor("operator-1", "OP")
    assert event.data["source_sha256"] == hashlib.sha256(trace.read_bytes()).hexdigest()
    assert (event.data["readings"], event.data["bad"], event.data["zone"]) == (120, 0, "UTC")
    assert event.data["mapping"] == "elitech_rc5" and event.data["serial_number"] == "EFS000000001"
    out = io.StringIO()
    assert export_csv(data / "telemetry", out, None, 0, 2_000_000_000_000) == 120
    row = out.getvalue().splitlines()[1]
    assert row.startswith("2026-01-05T08:01:00.000Z,shipper_7/temperature,") and ",Cel,GOOD,NONE," in row
    assert check(data / "telemetry").readings == 120
    with pytest.raises(ConfigError, match=r"was imported before, event \d+ of the ledger says"):
        await import_trace(data, trace, "elitech_rc5", "shipper_7", "UTC", entry(data))
    assert check(data / "telemetry").readings == 120


@pytest.mark.parametrize(
    ("mapping", "device", "zone", "said"),
    [
        ("elitech_rc5", "shipper_7", "Mars/Base", "'Mars/Base' is no time zone"),
        ("elitech_rc5", "shipper_7", "Asia/Tokyo", r"the file says UTC \+00:00"),
        ("none", "shipper_7", "UTC", "no such mapping"),
        ("elitech_rc5", "Shipper 7", "UTC", "'Shipper 7' is no device name"),
    ],
)
async def test_a_refused_trace_leaves_nothing(
    trace: Path, tmp_path: Path, mapping: str, device: str, zone: str, said: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(ConfigError, match=said):
        await import_trace(data, trace, mapping, device, zone, entry(data))
    assert not (data / "telemetry").exists() and not (data / "attachments").exists()


def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    done = cultureops("telemetry", "import-trace", str(tmp_path / "none.xls"), *options(tmp_path))
    assert done.returncode == 2 and done.stderr.startswith("cultureops: ") and "can't be read" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_simulated_logger_stays_marked(trace: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    done = cultureops("telemetry", "import-trace", str(trace), *options(data), "--simulated")
    assert done.returncode == 0, done.stderr
    out = io.StringIO()
    export_csv(data / "telemetry", out, None, 0, 2_000_000_000_000)
    assert out.getvalue().splitlines()[1].count("simulated") == 1
    (event,) = read_stream(data / "ledger.sqlite", "device:shipper_7")
    assert event.data["simulated"] is True
