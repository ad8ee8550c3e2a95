"""Each check can pass and can fail, says what it found, and one that breaks down costs none of the others anything."""

import json
import os
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from cultureops.clock import SteppedClock, parse_iso
from cultureops.errors import ConfigError, CultureOpsError
from cultureops.keeping import qualifying
from cultureops.keeping.qualifying import qualify_site
from cultureops.kernel_clock import ClockState
from cultureops.qualification import disk, installation, operation, packages
from cultureops.qualification.installation import Installation
from cultureops.qualification.row import Check, Outcome, Row, fail, ok, run_checks
from cultureops.qualification.scratch import Scratch
from cultureops.site import read_site

NOW = parse_iso("2026-02-02T12:00:00Z")


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    (tmp_path / "site.toml").write_text('[site]\nname = "lab"\ntime_zone = "Europe/Berlin"\n')
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return Installation(read_site(tmp_path / "site.toml"), tmp_path / "site.toml", data, NOW)


def outcome(place: Installation, check_id: str) -> tuple[Outcome, str]:
    (row,) = run_checks([check for check in installation.CHECKS if check.id == check_id], place, lambda: None)
    return row.outcome, row.found


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    scratch = Scratch(tmp_path_factory.mktemp("scratch"), ZoneInfo("Europe/Berlin"))
    return {row.id: row for row in run_checks(operation.CHECKS, scratch, lambda: None)}


@pytest.mark.requirement("R21")
@pytest.mark.parametrize("check_id", [check.id for check in operation.CHECKS])
def test_what_is_installed_here_works(check_id: str, operated: dict[str, Row]) -> None:
    row = operated[check_id]
    assert (row.outcome, bool(row.found)) == (Outcome.PASS, True), row.found


@pytest.mark.parametrize(
    ("check_id", "broken"),
    [
        ("OQ-03", "cultureops.qualification.operation.verify"),
        ("OQ-08", "cultureops.qualification.operation.try_backup"),
        ("OQ-10", "cultureops.qualification.operation.check_signatures"),
    ],
)
def test_a_program_that_finds_nothing_fails_its_qualification(
    check_id: str, broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broken, lambda *_, **__: None)
    chosen = [check for check in operation.CHECKS if check.id == check_id]
    (row,) = run_checks(chosen, Scratch(tmp_path, ZoneInfo("UTC")), lambda: None)
    assert row.outcome is Outcome.FAIL


def test_a_check_that_breaks_down_has_failed_and_the_next_is_made() -> None:
    def broken(_: None) -> None:
        raise RuntimeError("what it was not made for")

    checks = (Check("a", "", (), "", broken), Check("b", "", (), "", lambda _: ok("well")))  # type: ignore[arg-type]
    rows = run_checks(checks, None, lambda: None)
    assert [(row.outcome.value, row.found) for row in rows] == [
        ("fail", "RuntimeError: what it was not made for"), ("pass", "well"),
    ]  # fmt: skip


def test_folder_clock_and_secrets_are_judged(place: Installation) -> None:
    assert outcome(place, "IQ-09")[0] is Outcome.PASS
    place.data_dir.chmod(0o777)
    assert outcome(place, "IQ-09")[0] is Outcome.FAIL
    place.read_clock = lambda: ClockState(True, 0.001)
    assert outcome(place, "IQ-08") == (Outcome.PASS, "synced: wrong by at most 0.0010 s")
    place.read_clock = lambda: None
    assert outcome(place, "IQ-08") == (Outcome.FAIL, "unsynced: the machine does not say")
    assert outcome(place, "IQ-15")[0] is Outcome.NOT_APPLICABLE
    (place.data_dir / "access.sqlite").touch(0o600)
    (place.data_dir / "keys").mkdir()
    (place.data_dir / "keys" / "ledger-1.pem").touch(0o600)
    assert "chmod 700" in outcome(place, "IQ-16")[1]
    (place.data_dir / "keys").chmod(0o700)
    assert outcome(place, "IQ-15") == (Outcome.PASS, "keys/ledger-1.pem, access.sqlite: owner only")
    (place.data_dir / "access.sqlite").chmod(0o640)
    assert outcome(place, "IQ-15") == (Outcome.FAIL, "others may read access.sqlite; chmod 600")
    assert outcome(place, "IQ-16")[0] is Outcome.PASS
    assert outcome(place, "IQ-18")[0] is Outcome.FAIL
    assert "heads are kept in the data folder only" in outcome(place, "IQ-17")[1]
    assert "no section [backup]" in outcome(place, "IQ-22")[1]
    assert outcome(place, "IQ-23") == (Outcome.FAIL, "none was ever made")


def test_an_fsync_that_is_stood_in_for_fails(place: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    assert outcome(place, "IQ-11")[0] is Outcome.PASS
    monkeypatch.setenv("LD_PRELOAD", "libeatmydata.so")
    assert outcome(place, "IQ-11")[0] is Outcome.FAIL
    assert os.listdir(place.data_dir) == []


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("36 25 254:0 / / rw - ext4 /dev/vda rw", "ext4"),
        ("40 36 0:33 / {folder} rw shared:1 - tmpfs tmpfs rw", "tmpfs"),
        ("garbage", "unknown"),
        ("1 2 3 - - -", "unknown"),
    ],
)
def test_the_file_system_is_that_of_the_deepest_mount(line: str, kind: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"{line.format(folder=tmp_path)}\n")
    assert disk.file_system(tmp_path, mounts)[0] == kind


def test_a_file_that_is_not_as_released_is_named(tmp_path: Path) -> None:
    info = tmp_path / "it-1.dist-info"
    info.mkdir()
    (tmp_path / "it.py").write_text("x = 1\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: it\nVersion: 1\n")
    (info / "RECORD").write_text("it.py,sha256=nothing,6\ngone.py,sha256=nothing,6\n")
    found = packages.compare([metadata.PathDistribution(info)])
    assert found.outcome is Outcome.FAIL
    assert "2 of 2 files differ: it.py: is not as released; gone.py: No such file" in found.text
    noted = urlsafe_b64encode(sha256((tmp_path / "it.py").read_bytes()).digest()).rstrip(b"=").decode()
    (info / "RECORD").write_text(f"it.py,sha256={noted},6\n")
    assert packages.compare([metadata.PathDistribution(info)]) == ok("1 files of 1 packages")


@pytest.mark.requirement("R21")
def test_a_report_is_written_and_a_failed_check_is_an_error(
    place: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="make it first"):
        qualify_site(place.site_file, place.data_dir, out, as_json=True)
    out.mkdir()
    good, bad = (
        Check("IQ-1", "one", ("R1",), "x", lambda _: ok("x")),
        Check("IQ-2", "two", (), "x", lambda _: fail("y")),
    )
    monkeypatch.setattr(qualifying, "installation", SimpleNamespace(CHECKS=(good, bad)))
    monkeypatch.setattr(qualifying, "operation", SimpleNamespace(CHECKS=()))
    monkeypatch.setattr(qualifying, "sbom_json", lambda: "{}")
    with pytest.raises(CultureOpsError, match="1 checks failed: IQ-2"):
        qualify_site(place.site_file, place.data_dir, out, as_json=True, clock=SteppedClock(NOW))
    report = json.loads(capsys.readouterr().out)
    assert (report["passed"], report["failed"], report["printed_at"]) == (1, 1, "2026-02-02T12:00:00.000Z")
    assert (out / "qualification.pdf").read_bytes().startswith(b"%PDF-")
    assert json.loads((out / "qualification.json").read_text())["installation"] == report["installation"]
    with pytest.raises(ConfigError, match="earlier reports are kept"):
        qualify_site(place.site_file, place.data_dir, out, as_json=True)
