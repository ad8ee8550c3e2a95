"""Alarms challenged end to end: from the simulators' wires to the report that QA files."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from tests.unit.challenge.broken import Breaking, bad_restarts, door_for_ever, only_in, raises_once, shifted
from typer.testing import CliRunner

from cultureops.alarms.state import State
from cultureops.alarms.watch import CommunicationWatch, LimitWatch
from cultureops.challenge.command import EVIDENCE, JSON_FILE, PDF_FILE, ChallengeFailed, challenge_alarms
from cultureops.challenge.twin import _DEDICATED
from cultureops.cli.alarm_challenge import challenge as command
from cultureops.errors import ConfigError
from cultureops.ledger.verify import verify
from cultureops.notify.notifier import Notifier

SUBSET = ("incubator_1/temperature/high", "heracell_4/co2/low", "probe_4/co2/high", "comet_cold_1/temperature/low")
ALARM = """
[[alarm]]
chamber = "incubator_1"
priority = "high"
consequence = "Cells suffer."
response = "Look."
"""
HIGH = (
    f'{ALARM}channel = "temperature"\nkind = "high"\nlimit = 38.0\ndeadband = 0.2\non_delay_s = 120\noff_delay_s = 60\n'
)
COMMUNICATION = f'{ALARM}kind = "communication"\nmisses = 2\n'


@pytest.fixture(autouse=True)
def soon_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent wire takes real time; a part of it is enough here."""
    monkeypatch.setattr("cultureops.challenge.twin.DEADLINE_S", 0.3)


def site_text(link: str, alarms: str, more: str = "") -> str:
    return f"""
[site]
name = "Challenged"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "inc"
chamber = "incubator_1"
driver = "modbus"
link = "{link}"
period_s = 30
options = {{ profile = "cultureops_virtual_incubator" }}
{more}{alarms}"""


def challenge(folder: Path, site: str | None, *only: str, seed: int = 1, allow: bool = False) -> dict[str, Any]:
    """Challenge a site's alarms and return the report, whether the command succeeds or not."""
    file = None
    if site is not None:
        file = folder.parent / "site.toml"
        file.write_text(site, encoding="utf-8")
    try:
        challenge_alarms(file, folder, only, seed, "qa-1", allow_unchallenged=allow, json_to_stdout=False)
    finally:
        report = folder / JSON_FILE
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def refused(folder: Path, site: str, *only: str) -> dict[str, Any]:
    with pytest.raises(ChallengeFailed, match="not every alarm passed"):
        challenge(folder, site, *only)
    found: dict[str, Any] = json.loads((folder / JSON_FILE).read_text(encoding="utf-8"))
    return found


def test_alarms_of_the_demo_pass_and_a_report_is_filed(tmp_path: Path) -> None:
    found = challenge(tmp_path / "out", None, *SUBSET)
    assert found["summary"] == {"alarms": 4, "pass": 4, "fail": 0, "not_challenged": 0, "by_inspection": 0}
    assert found["simulated"] is True and found["site_file_sha256"] and found["program_version"]
    for row in found["alarms"]:
        least, most = row["raise"]["allowed_s"]
        assert least == row["on_delay_s"] and least <= row["raise"]["delay_s"] <= most
        assert row["condition_at_wire"] < row["first_reading"] < row["raised"] <= row["acknowledged"]
        assert row["rest_at_wire"] < row["first_reading_back"] < row["cleared"]
    simulators = {row["device"]: (row["simulator"], row["independent"]) for row in found["twins"]}
    assert simulators["heracell_4"] == ("thermo_heracell", True)
    assert simulators["probe_4"] == ("register_map", False)
    assert (tmp_path / "out" / PDF_FILE).read_bytes().startswith(b"%PDF")


@pytest.mark.soak
def test_one_seed_gives_one_result(tmp_path: Path) -> None:
    site = site_text("modbus+tcp://192.0.2.1:502", HIGH)
    first, second = (challenge(tmp_path / name, site) for name in ("one", "two"))
    assert first["alarms"] == second["alarms"] and first["ledger"] == second["ledger"]


def test_the_real_link_is_never_touched_and_the_evidence_is_whole(tmp_path: Path) -> None:
    """Even an instrument on this very machine's loopback is not asked."""
    with socket.create_server(("127.0.0.1", 0)) as instrument:
        instrument.settimeout(0.2)
        link = f"modbus+tcp://127.0.0.1:{instrument.getsockname()[1]}"
        found = challenge(tmp_path / "out", site_text(link, HIGH + COMMUNICATION))
        with pytest.raises(TimeoutError):
            instrument.accept()
    ledger = tmp_path / "out" / EVIDENCE / "ledger.sqlite"
    assert str(verify(ledger)) == f"{found['ledger']['position']}:{found['ledger']['hash']}"
    assert [len(row["ledger_positions"]) >= 3 for row in found["alarms"] if row["verdict"] == "pass"] == [True, True]


@pytest.mark.soak
def test_an_alarm_that_comes_late_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = LimitWatch.__init__

    def late(self: LimitWatch, sign: float, bound: float, release: float, on_s: float, off_s: float) -> None:
        honest(self, sign, bound, release, on_s * 1.5, off_s)

    monkeypatch.setattr(LimitWatch, "__init__", late)
    found = refused(tmp_path / "out", site_text("modbus+tcp://192.0.2.1:502", HIGH))
    assert found["summary"]["fail"] == 1
    assert "not raised within 151 s" in found["alarms"][0]["reason"]


@pytest.mark.soak
def test_an_alarm_on_the_wrong_limit_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = LimitWatch.__init__

    def deaf(self: LimitWatch, sign: float, bound: float, release: float, on_s: float, off_s: float) -> None:
        honest(self, sign, bound + 1.0, release + 1.0, on_s, off_s)

    monkeypatch.setattr(LimitWatch, "__init__", deaf)
    found = refused(tmp_path / "out", site_text("modbus+tcp://192.0.2.1:502", HIGH))
    assert "not raised within" in found["alarms"][0]["reason"]


@pytest.mark.soak
def test_an_alarm_without_its_deadband_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = LimitWatch.__init__

    def bandless(self: LimitWatch, sign: float, bound: float, _: float, on_s: float, off_s: float) -> None:
        honest(self, sign, bound, bound, on_s, off_s)

    monkeypatch.setattr(LimitWatch, "__init__", bandless)
    found = refused(tmp_path / "out", site_text("modbus+tcp://192.0.2.1:502", HIGH))
    assert "had not come back beyond the deadband" in found["alarms"][0]["reason"]


def test_a_lost_device_that_nobody_hears_of_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CommunicationWatch, "is_due", property(lambda _: False))
    found = refused(tmp_path / "out", site_text("modbus+tcp://192.0.2.1:502", COMMUNICATION))
    assert found["alarms"][0]["verdict"] == "fail"


BEHIND_THE_DOOR = f"""{ALARM}channel = "co2"
kind = "low"
limit = 4.0
deadband = 0.2
on_delay_s = 300
off_delay_s = 60
suppressed_by = ["door"]
suppress_max_s = 900
realarm_s = 900
"""


def test_an_alarm_that_passes_was_drilled(tmp_path: Path) -> None:
    row = challenge(tmp_path / "out", site_text("modbus+tcp://192.0.2.1:502", BEHIND_THE_DOOR))["alarms"][0]
    assert row["verdict"] == "pass" and set(row["drills"].values()) == {"shown"}
    assert (row["value_just_inside"], row["value_at_wire"]) == (pytest.approx(4.01), pytest.approx(3.99))


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (door_for_ever, "behind an open door"),
        pytest.param(raises_once, "driven a second time", marks=pytest.mark.soak),
        pytest.param(bad_restarts, "with one bad reading within the delay", marks=pytest.mark.soak),
        pytest.param(only_in(State.SHELVED), "shelved for 60 s: still SHELVED", marks=pytest.mark.soak),
        pytest.param(only_in(State.ACK), "acknowledged and still there", marks=pytest.mark.soak),
        (shifted(0.004), "not raised within 331 s"),
    ],
)
def test_a_broken_engine_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_it: Breaking, said: str) -> None:
    """All six are found by the unit tests, too, without a wire."""
    break_it(monkeypatch)
    found = refused(tmp_path / "out", site_text("modbus+tcp://192.0.2.1:502", BEHIND_THE_DOOR))
    assert found["summary"]["fail"] == 1 and said in found["alarms"][0]["reason"]


NOTIFY = """
[[route]]
name = "mail"
url = "mailto://192.0.2.25:25/?from=lab@example.org&to=op-1@example.org"
[[person]]
id = "op-1"
routes = ["mail"]
"""


def test_who_would_be_told_is_on_record_and_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    critical = HIGH + "gmp_critical = true\n"
    found = challenge(tmp_path / "told", site_text("modbus+tcp://192.0.2.1:502", NOTIFY + critical))
    row = found["alarms"][0]
    assert row["verdict"] == "pass" and row["notified"] == row["raised"]
    monkeypatch.setattr(Notifier, "note", lambda self, transitions: None)
    mute = refused(tmp_path / "mute", site_text("modbus+tcp://192.0.2.1:502", NOTIFY + critical))
    assert "nobody was handed a message of it" in mute["alarms"][0]["reason"]


MQTT_DEVICE = """
[[device]]
id = "pio"
chamber = "incubator_1"
driver = "pioreactor"
link = "mqtt://broker.lab.example:1883"
options = { unit = "pio1", experiment = "one" }
"""


def test_what_has_no_simulator_is_listed_and_the_exit_code_says_so(tmp_path: Path) -> None:
    site = site_text("modbus+tcp://192.0.2.1:502", HIGH, MQTT_DEVICE) + COMMUNICATION + 'device = "pio"\n'
    found = refused(tmp_path / "out", site)
    reasons = {row["rule_id"]: row["reason"] for row in found["alarms"] if row["verdict"] == "not challenged"}
    assert set(reasons) == {"pio/temperature/high", "pio/communication"}
    assert all("no simulator speaks pioreactor" in reason for reason in reasons.values())
    assert [row["device"] for row in found["untwinned"]] == ["pio"]
    allowed = challenge(tmp_path / "allowed", site, "pio/*", "inc/*", allow=True)
    assert allowed["summary"] == {"alarms": 3, "pass": 1, "fail": 0, "not_challenged": 2, "by_inspection": 0}


def test_bad_input_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="no alarm has this id"):
        challenge(out, site_text("modbus+tcp://192.0.2.1:502", HIGH), "inc/temperature/hihg")
    with pytest.raises(ConfigError, match="configures no alarm"):
        challenge(out, site_text("modbus+tcp://192.0.2.1:502", ""))
    with pytest.raises(ConfigError, match="not valid TOML"):
        challenge(out, "[[[")
    with pytest.raises(ConfigError, match="name a site file that can be read"):
        challenge_alarms(tmp_path / "none.toml", out, (), 1, None, allow_unchallenged=False, json_to_stdout=False)
    assert not out.exists()
    out.mkdir()
    (out / "filed.pdf").write_bytes(b"")
    with pytest.raises(ConfigError, match="already in use"):
        challenge(out, site_text("modbus+tcp://192.0.2.1:502", HIGH))


def _rows(chamber: str, *rows: str) -> str:
    said = f'[[alarm]]\nchamber = "{chamber}"\npriority = "high"\nconsequence = "Harm."\nresponse = "Look."\n'
    return "".join(f"{said}{row}\n" for row in rows)


EVERY_KIND = (
    site_text(
        "modbus+tcp://192.0.2.1:502",
        "",
        """
[[chamber]]
id = "cryostore_1"
class = "cryostore"
[[device]]
id = "cryo"
chamber = "cryostore_1"
driver = "modbus"
link = "modbus+tcp://192.0.2.2:502"
period_s = 60
options = { profile = "cultureops_virtual_cryostore", unit_id = 7 }
""",
    )
    + _rows(
        "incubator_1",
        'kind = "high"\nchannel = "temperature"\nlevel = "warning"\nlimit = 37.5\ndeadband = 0.2\non_delay_s = 300',
        'kind = "high"\nchannel = "temperature"\nlimit = 38.0\ndeadband = 0.2\non_delay_s = 300\nspike_filter = true',
        'kind = "low"\nchannel = "temperature"\nlimit = 36.0\non_delay_s = 300\nsuppressed_by = ["door"]',
        'kind = "low"\nchannel = "co2"\nlimit = 4.0\ndeadband = 0.2\non_delay_s = 60\nlatching = true',
        'kind = "high"\nchannel = "co2"\nlimit = 6.0\non_delay_s = 60\nwhen_empty = "suppress"',
        'kind = "deviation"\nchannel = "temperature"\nlimit = 0.8\ndeadband = 0.1\non_delay_s = 300\nsettle_s = 600',
        'kind = "rate"\nchannel = "temperature"\nlimit = 0.5\ndeadband = 0.1\non_delay_s = 60\noff_delay_s = 60',
        'kind = "stuck"\nchannel = "temperature"\nlimit = 0.02\nwindow_s = 1800',
        'kind = "open"\nchannel = "door"\non_delay_s = 180',
        'kind = "no_data"\nchannel = "temperature"\non_delay_s = 120',
        'kind = "communication"',
    )
    + _rows(
        "cryostore_1",
        'kind = "high"\nchannel = "temp_a"\nlevel = "critical"\nlimit = -135.0\ndeadband = 2.0\non_delay_s = 60',
        'kind = "disagreement"\nchannel = "temp_a"\nreference = "temp_b"\nlimit = 3.0\ndeadband = 0.5\non_delay_s = 60',
        'kind = "stuck"\nchannel = "temp_b"\nlimit = 0.1\nreference = "temp_a"\nreference_limit = 1.0\nwindow_s = 1800',
        'kind = "days_left"\nchannel = "level"\nlimit = 3.0\ndeadband = 0.5\nreference_limit = 20.0\nwindow_s = 14400',
        'kind = "fill_time"\nchannel = "fill"\nlimit = 1.5',
        'kind = "low"\nchannel = "mains"\nlimit = 0.5',
    )
)


@pytest.mark.timeout(120)
def test_every_kind_of_rule_passes(tmp_path: Path) -> None:
    found = challenge(tmp_path / "out", EVERY_KIND, "inc/*", "cryo/*")
    failed = {row["rule_id"]: row["reason"] for row in found["alarms"] if row["verdict"] != "pass"}
    assert not failed
    assert len({row["kind"] for row in found["alarms"]}) == 11


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_whole_demo_passes_within_a_minute(tmp_path: Path) -> None:
    start = time.monotonic()
    found = challenge(tmp_path / "out", None)
    took_s = time.monotonic() - start
    print(f"{found['summary']['alarms']} alarms in {took_s:.0f} s")
    assert found["summary"]["fail"] == found["summary"]["not_challenged"] == 0
    assert took_s < 60


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["no_such_simulator", "mettler_sics"])
def test_a_simulator_that_will_not_do_is_replaced_by_the_map_of_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """One that does not start, and one that shows nothing of what is watched."""
    monkeypatch.setitem(_DEDICATED, "cultureops_virtual_incubator", (kind, ("tcp",)))
    found = challenge(tmp_path / "out", site_text("modbus+tcp://192.0.2.1:502", HIGH))
    assert found["alarms"][0]["verdict"] == "pass"
    assert found["twins"][0]["simulator"] == "register_map"


def test_a_simulator_that_does_not_answer_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_DEDICATED, "cultureops_virtual_incubator", ("julabo_magio", ("tcp",)))
    found = refused(tmp_path / "out", site_text("modbus+tcp://192.0.2.1:502", HIGH + COMMUNICATION))
    assert found["summary"]["not_challenged"] == 2 and found["twins"] == []
    assert "julabo_magio does not answer the driver" in found["untwinned"][0]["reason"]


def test_the_command_prints_json_alone_and_says_by_its_exit_code_how_it_went(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(site_text("modbus+tcp://192.0.2.1:502", HIGH, MQTT_DEVICE), encoding="utf-8")
    app = typer.Typer()
    app.command()(command)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [str(site), *arguments])

    good = run("--out", str(tmp_path / "good"), "--only", "inc/*", "--json", "--actor", "qa-1", "--seed", "7")
    assert good.exit_code == 0 and "SIMULATED SOURCES" in good.stderr
    found = json.loads(good.stdout)
    assert found["seed"] == 7 and found["started_by"] == "qa-1" and found["summary"]["pass"] == 1
    unchallenged = run("--out", str(tmp_path / "bad"))
    assert unchallenged.exit_code == 1 and "not every alarm passed" in unchallenged.stderr
    assert "not challenged  pio/temperature/high" in unchallenged.stdout
    wrong = run("--out", str(tmp_path / "good"))
    assert wrong.exit_code == 2 and "already in use" in wrong.stderr
