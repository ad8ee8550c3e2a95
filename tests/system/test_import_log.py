"""`cultureops devices import-log`: what a controller noted by itself is one event of the ledger, all or nothing."""

import hashlib
import json
from pathlib import Path

import pytest
from tests.command_line import cultureops

from cultureops.device.registry import driver_folder
from cultureops.ledger.event import Actor
from cultureops.ledger.verify import read_stream, verify

LOG = "Date,Time,Temp A,Status\n05/01/2026,08:00,-190.1,\n05/01/2026,09:12,-188.0,LO F\n05/01/2026,09:30,-150.0,AH QQ\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "store_1.csv"
    file.write_text(LOG)
    return file


def arguments(log: Path, data: Path, **changed: str) -> list[str]:
    options = {
        "driver": "mve_tec3000", "mapping": str(driver_folder("mve_tec3000") / "event_log_example.toml"),
        "device": "mve_1", "zone": "Europe/Vienna", "data-dir": str(data), "actor": "operator-1", "role": "OP",
    } | changed  # fmt: skip
    return ["devices", "import-log", str(log), *(part for k, v in options.items() for part in (f"--{k}", v))]


def nothing_came(data: Path) -> bool:
    """Whether a folder holds people and no more."""
    streams = ("device:mve_1", "device:MVE 1", "attachments")
    file = data / "ledger.sqlite"
    held = file.exists() and any(read_stream(file, stream) for stream in streams)
    return not held and not (data / "telemetry").exists() and not (data / "attachments").exists()


def test_a_log_is_recorded_once_with_its_hash(log: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    done = cultureops(*arguments(log, data), "--json")
    sha256 = hashlib.sha256(log.read_bytes()).hexdigest()
    assert json.loads(done.stdout) == {
        "device": "mve_1", "events": 4, "unknown": 1, "rows": 3, "source_sha256": sha256,
    }  # fmt: skip
    (event,) = read_stream(data / "ledger.sqlite", "device:mve_1")
    assert (event.type, event.source, event.data["zone"]) == ("event_log_imported", "import", "Europe/Vienna")
    assert event.actor == Actor("operator-1", "OP")
    (kept,) = read_stream(data / "ledger.sqlite", "attachments")
    assert kept.actor == event.actor
    events = event.data["events"]
    assert isinstance(events, list)
    assert events[0] == {
        "line": 3, "at_local": "2026-01-05T09:12:00", "code": "LO", "text": "lid open", "channel": "lid",
    }  # fmt: skip
    assert [row["code"] for row in events] == ["LO", "F", "AH", "QQ"]
    again = cultureops(*arguments(log, data))
    assert again.returncode == 2 and "was imported before" in again.stderr
    verify(data / "ledger.sqlite")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"driver": "julabo"}, "reads no event logs; known: mve_tec3000"),
        ({"mapping": "/nowhere.toml"}, "can't be read as a mapping"),
        ({"device": "MVE 1"}, "is no device name"),
        ({"zone": "Mars/Base"}, "is no time zone"),
        ({"data-dir": "/nowhere"}, "no such file"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing(
    log: Path, tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    done = cultureops(*arguments(log, data, **changed))
    assert done.returncode in (1, 2) and said in done.stderr and done.stderr.count("\n") == 1
    assert nothing_came(data)


def test_a_wrong_time_names_its_line(log: Path, tmp_path: Path) -> None:
    log.write_text(LOG.replace("09:30", "29:30"))
    data = tmp_path / "data"
    data.mkdir()
    done = cultureops(*arguments(log, data))
    assert done.returncode == 1 and "store_1.csv:4" in done.stderr
    assert nothing_came(data)
