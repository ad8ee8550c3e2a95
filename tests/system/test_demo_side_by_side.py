"""Several patients of both recipes in one lab: nothing of one batch reaches another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.system.playing import check_fresh, check_frozen, events_of, play

BOTH = ("--recipe", "both")
SLOWEST_S = 300


def check_apart(batches: list[dict[str, Any]], folder: Path) -> None:
    """Each batch has a patient, a recipe and samples of its own."""
    assert [batch["batch_id"] for batch in batches] == [f"B-2026-00{number}" for number in range(1, len(batches) + 1)]
    assert len({batch["patient_token"] for batch in batches}) == len(batches)
    for batch in batches:
        counted = events_of(folder, f"batch:{batch['batch_id']}", "counted")
        assert all(count["sample_id"].startswith(f"{batch['batch_id']}.") for count in counted)


@pytest.mark.soak
@pytest.mark.timeout(180)
def test_patients_begin_some_days_apart(tmp_path: Path) -> None:
    summary, _ = play(tmp_path / "data", 7, *BOTH, "--days", "2.5")
    first, second, *later = summary["batches"]
    assert (first["recipe"], first["state"]) == ("karussis_2010 v1", "CULTURE")
    assert (second["recipe"], second["state"]) == ("tavakol_afshari_2021 v2", "CULTURE")
    assert [batch["state"] for batch in later] == [None, None]
    assert summary["verified"] is True and summary["alarms"] == []


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_four_patients_of_both_recipes(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    summary, seconds = play(tmp_path / "data", 7, *BOTH, within_s=800)
    record_property("seconds", round(seconds, 1))
    record_property("batches", len(summary["batches"]))
    record_property("ledger_head", summary["ledger_head"])
    batches = summary["batches"]
    assert sorted(batch["recipe"].partition(" ")[0] for batch in batches) == (
        ["karussis_2010"] * 2 + ["tavakol_afshari_2021"] * 2
    )
    for batch in batches:
        (check_frozen if batch["recipe"].startswith("karussis") else check_fresh)(batch)
    check_apart(batches, tmp_path / "data")
    named = {batch_id for alarm in summary["alarms"] for batch_id in alarm["batch_ids"]}
    assert named == {"B-2026-001", "B-2026-002"}, "one of each recipe stood where the troubles were"
    assert summary["verified"] is True
    assert seconds <= SLOWEST_S
