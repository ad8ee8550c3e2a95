"""The frozen product's whole way, as Karussis 2010 made it: culture, vials, dry ice, thaw, two washes, two doses."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.system.playing import SLOWEST_SHARED_S, check_frozen, events_of, head_at, play

RECIPE = ("--recipe", "karussis_2010", "--step", "10")
STREAM = "batch:B-2026-001"
SLOWEST_S = 300

Played = tuple[dict[str, Any], Path, float]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("frozen") / "data"
    summary, seconds = play(folder, 7, *RECIPE)
    return summary, folder, seconds


@pytest.mark.timeout(660)
def test_the_frozen_product_is_given_and_its_record_closed(played: Played) -> None:
    summary, _, seconds = played
    print(f"demo: {summary['days']:.1f} lab days in {seconds:.0f} s")
    assert summary["recipe"].startswith("karussis_2010")
    assert summary["verified"] is True
    check_frozen(summary)
    assert seconds <= SLOWEST_SHARED_S


def test_the_culture_took_40_to_60_days(played: Played) -> None:
    (seeded,), (harvested,) = (events_of(played[1], STREAM, name) for name in ("seeded", "harvested"))
    assert seeded["passage"] == 0 and harvested["passage"] == 1
    assert harvested.get("warnings", []) == []
    assert all(one["drafted"] for one in events_of(played[1], STREAM, "deviation_opened")), "alarms alone draft them"


def test_troubles_name_the_batch_and_are_assessed_before_the_thaw(played: Played) -> None:
    summary, folder, _ = played
    planted = [alarm for alarm in summary["alarms"] if alarm["chamber"]]
    assert {(alarm["chamber"], alarm["kind"]) for alarm in planted} == {
        ("incubator_1", "low"),
        ("incubator_1", "communication"),
    }
    assert all(alarm["batch_ids"] == ["B-2026-001"] for alarm in summary["alarms"])
    of_process = [alarm["channel"] for alarm in summary["alarms"] if not alarm["chamber"]]
    assert all(channel.startswith("batch:B-2026-001/") for channel in of_process), "what the batch itself waits for"
    before_thaw, before_release = events_of(folder, STREAM, "reviewed")
    assert before_thaw["is_interim"] is True and "is_interim" not in before_release
    assert len(before_thaw["assessments"]) >= len(summary["alarms"])


def test_vials_have_places_of_their_own_and_some_stay(played: Played) -> None:
    (frozen,) = events_of(played[1], STREAM, "frozen")
    places = {tuple(sorted(vial["place"].items())) for vial in frozen["vials"]}
    assert len(places) == len(frozen["vials"]) == played[0]["vials"]["frozen"]
    assert frozen["store_temperature_c"] < -135
    (thawed,) = events_of(played[1], STREAM, "thawed")
    assert len(thawed["vials"]) == played[0]["vials"]["thawed"] < len(frozen["vials"])


def test_figures_of_the_way_come_from_instruments_and_files(played: Played) -> None:
    folder = played[1]
    traces = {hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("loggers/*/*.xlsx")}
    (came,) = events_of(folder, STREAM, "transferred_in")
    (arrived,) = events_of(folder, STREAM, "received_at_site")
    assert came["trace_sha256"] in traces and arrived["trace_sha256"] in traces
    assert -79 < came["temperature_min_c"] <= came["temperature_max_c"] < -70
    assert 2 < arrived["temperature_min_c"] <= arrived["temperature_max_c"] < 8
    (thawed,) = events_of(folder, STREAM, "thawed")
    assert abs(thawed["bath_temperature_c"] - 37) <= 1


def test_two_washes_follow_one_another(played: Played) -> None:
    first, second = events_of(played[1], STREAM, "washed")
    assert (first["index"], second["index"]) == (1, 2)
    assert second["vol_before_ml"] == first["vol_left_ml"]
    assert 10 > first["residual_dmso_pct"] > second["residual_dmso_pct"] > 0


@pytest.mark.soak
@pytest.mark.timeout(200)
def test_the_first_days_of_one_seed_are_the_same_in_another_run(played: Played, tmp_path: Path) -> None:
    again, _ = play(tmp_path / "again", 7, *RECIPE, "--days", "3")
    assert again["ledger_head"] == head_at(played[1], again["ledger_events"])


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_one_seed_one_summary(played: Played, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    again, seconds = play(tmp_path / "again", 7, *RECIPE)
    record_property("seconds", round(seconds, 1))
    record_property("ledger_head", again["ledger_head"])
    assert seconds <= SLOWEST_S
    assert again == played[0]
