"""The whole demo as a newcomer runs it: real sockets, real pseudo-terminals, one seed, one ledger head."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.system.playing import CULTUREOPS, SLOWEST_SHARED_S, check_fresh, events_of, head_at, play

SLOWEST_S = 150
"""The target on two idle cores for the demo of one minute a step, to which the soak run holds us."""
STEP_MIN = 10
COARSE = ("--step", str(STEP_MIN))
"""The same batch in fewer polls: what is shown of it does not hang on how often it is looked at."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, float]:
    folder = tmp_path_factory.mktemp("demo") / "data"
    summary, seconds = play(folder, 7, *COARSE)
    return summary, folder, seconds


@pytest.mark.timeout(660)
def test_the_batch_is_closed_after_thirty_days(played: tuple[dict[str, Any], Path, float]) -> None:
    summary, _, seconds = played
    print(f"demo: {summary['days']:.1f} lab days in {seconds:.0f} s")
    assert summary["state"] == "CLOSED"
    assert summary["recipe"].startswith("tavakol_afshari_2021")
    assert summary["days"] >= 30
    assert summary["passages"] in (2, 3)
    assert 80 <= summary["viability_pct"] <= 100
    assert {dose["route"] for dose in summary["doses"]} == {"IT", "IV"}
    assert len({dose["viable_cells"] for dose in summary["doses"]}) == 1
    assert seconds <= SLOWEST_SHARED_S


def test_planted_troubles_raise_name_the_batch_and_clear(played: tuple[dict[str, Any], Path, float]) -> None:
    summary = played[0]
    kinds = {alarm["kind"]: alarm for alarm in summary["alarms"]}
    assert set(kinds) == {"low", "communication"}
    assert kinds["low"]["channel"] == "incubator_1/co2"
    for alarm in summary["alarms"]:
        assert alarm["chamber"] == "incubator_1"
        assert alarm["batch_ids"] == [summary["batch_id"]]
        assert alarm["cleared_at"] > alarm["raised_at"]


def test_the_gap_is_stored_as_bad_with_its_reason(played: tuple[dict[str, Any], Path, float]) -> None:
    gaps = played[0]["gaps"]
    assert {gap["channel"] for gap in gaps} == {
        f"incubator_1/{name}"
        for name in [
            "temperature",
            "co2",
            "humidity",
            "o2",
            "temperature_setpoint",
            "co2_setpoint",
            "door",
            "alarm_bits",
        ]
    }
    assert all(gap["to"] > gap["from"] and gap["reason"] for gap in gaps)


def test_records_verify_and_are_counted(played: tuple[dict[str, Any], Path, float]) -> None:
    summary, folder, _ = played
    assert summary["verified"] is True
    assert summary["ledger_events"] > 50
    assert summary["readings_stored"] > 30 * 24 * (60 // STEP_MIN) * 30, "what incubators show at each step alone"
    verified = subprocess.run(
        (*CULTUREOPS, "ledger", "verify", "--data-dir", str(folder), "--json"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(verified.stdout) == {"events": summary["ledger_events"], "head": summary["ledger_head"]}


def test_doses_go_by_weight_and_all_cells_are_accounted_for(played: tuple[dict[str, Any], Path, float]) -> None:
    check_fresh(played[0])


def test_equipment_and_material_are_on_record_before_the_first_step(
    played: tuple[dict[str, Any], Path, float],
) -> None:
    _, folder, _ = played
    (seeded,) = events_of(folder, "batch:B-2026-001", "seeded")
    judged = {check["gate"]: check["used"] for check in seeded["checks"]}
    assert judged["G3"] == {"incubator_1": {"in_service": True, "calibrated_until": "2026-12-31T00:00:00.000Z"}}
    assert judged["G4"]["MEDIUM-2026-01"]["status"] == "released"
    (calibrated,) = events_of(folder, "equipment:incubator_1", "calibrated")
    assert calibrated["certificate"] == "CAL-incubator_1"
    assert "calibrated_until" not in (folder / "site.toml").read_text()


@pytest.mark.soak  # test_demo_frozen shows the same of the other process
@pytest.mark.timeout(200)
def test_the_first_days_of_one_seed_are_the_same_in_another_run(
    played: tuple[dict[str, Any], Path, float], tmp_path: Path
) -> None:
    again, _ = play(tmp_path / "again", 7, *COARSE, "--days", "6")
    other, _ = play(tmp_path / "other", 8, *COARSE, "--days", "1")
    assert len(again["alarms"]) == 1
    assert again["ledger_head"] == head_at(played[1], again["ledger_events"])
    assert other["ledger_head"] != head_at(played[1], other["ledger_events"])


@pytest.mark.soak
@pytest.mark.timeout(1000)
def test_one_seed_one_summary_and_another_seed_another_head(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """What `cultureops demo` does by default: a poll each minute."""
    once, seconds = play(tmp_path / "once", 7)
    record_property("seconds", round(seconds, 1))
    record_property("ledger_head", once["ledger_head"])
    assert seconds <= SLOWEST_S
    assert once["readings_stored"] > 30 * 24 * 60 * 30, "what incubators show each minute alone"
    check_fresh(once)
    assert play(tmp_path / "again", 7)[0] == once
    assert play(tmp_path / "other", 8)[0]["ledger_head"] != once["ledger_head"]


def test_a_used_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("mine")
    done = subprocess.run(
        (*CULTUREOPS, "demo", "--headless", "--data-dir", str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "already in use" in done.stderr
    assert os.listdir(tmp_path) == ["something"]


def test_a_recipe_that_nobody_plays_is_refused_with_those_there_are(tmp_path: Path) -> None:
    done = subprocess.run(
        (*CULTUREOPS, "demo", "--headless", "--recipe", "nobody_1900", "--data-dir", str(tmp_path / "new")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert all(name in done.stderr for name in ("tavakol_afshari_2021", "karussis_2010", "both"))
