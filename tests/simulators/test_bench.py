"""What a simulated lab does with harvested cells: frozen, thawed, washed, counted; and what its data file declares."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cultureops_simulators import elitech_rc5, hettich_rotanta
from cultureops_simulators.arguments import Arguments
from cultureops_simulators.culture import CONFLUENT_CELLS_PER_CM2, draw_donor, feed, grow, seed
from cultureops_simulators.distribution import CULTURE_FILE, draw, factor
from cultureops_simulators.hettich_rotanta import Rotanta
from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.lab import Lab, child_rng
from cultureops_simulators.vicell_blu.server import build as build_counter
from cultureops_simulators.virtual_incubator.model import IncubatorModel

DECLARED = tomllib.loads((resources.files("cultureops_simulators") / CULTURE_FILE).read_text(encoding="utf-8"))
ENTRIES = [(section, name) for section, rows in DECLARED.items() for name in rows]


class Incubator:
    """Something to stand in."""

    def __init__(self) -> None:
        self.name = "incubator_1"
        self.chamber = IncubatorModel(np.random.default_rng(1)).chamber

    def step(self, dt_s: float) -> None:
        pass

    def truth(self) -> dict[str, object]:
        return {}


@pytest.fixture
def open_lab(tmp_path: Path) -> Callable[..., Lab]:
    def make(number: int = 7) -> Lab:
        devices: dict[str, Any] = {
            "incubator_1": Incubator(),
            "counter_1": build_counter("counter_1", {"folder": str(tmp_path)}, np.random.default_rng(1)),
            "centrifuge_1": hettich_rotanta.build("centrifuge_1", {}, np.random.default_rng(1)),
            "logger_1": elitech_rc5.build("logger_1", {"folder": str(tmp_path)}, np.random.default_rng(1)),
        }
        return Lab(number, devices)

    return make


def do(lab: Lab, act: str, **fields: object) -> dict[str, object]:
    return lab.act(act, Arguments(f"act {act}", fields))


def harvested(lab: Lab, name: str = "B1-P1") -> None:
    placing = {"chamber": "incubator_1", "cells": 2e8, "n_vessels": 40, "area_cm2": 175.0, "passage": 1}
    do(lab, "seed", culture=name, **placing)
    do(lab, "harvest", culture=name, volume_ml=200.0)


def cells(lab: Lab, name: str = "B1-P1") -> tuple[float, float]:
    suspensions: Any = lab.truth()["suspensions"]
    return suspensions[name]["viable_cells"], suspensions[name]["total_cells"]


def to_the_last_wash(lab: Lab, name: str = "B1-P1") -> tuple[float, float, float]:
    """Return the viable cells frozen, thawed and washed twice."""
    harvested(lab, name)
    frozen = cells(lab, name)[0] * 180.0 / 200.0
    do(lab, "freeze", culture=name, taken_ml=180.0, n_vials=9, ml_per_vial=1.0)
    do(lab, "thaw", culture=name, n_vials=9)
    thawed = cells(lab, name)[0]
    do(lab, "wash", culture=name, added_ml=190.0, left_ml=5.0, centrifuge="centrifuge_1")
    lab.step(720.0)
    do(lab, "wash", culture=name, added_ml=195.0, left_ml=5.0, centrifuge="centrifuge_1")
    return frozen, thawed, cells(lab, name)[0]


@pytest.mark.parametrize(("section", "name"), ENTRIES)
def test_every_entry_says_its_range_unit_and_source(section: str, name: str) -> None:
    row = DECLARED[section][name]
    assert row["unit"] and row["source"]
    if "value" in row:
        assert factor(section, name) == row["value"] > 0
    else:
        drawn = [draw(section, name, np.random.default_rng(number)) for number in range(50)]
        assert row["low"] <= min(drawn) < max(drawn) <= row["high"]


@pytest.mark.parametrize("number", range(12))
def test_freezing_and_thawing_cost_what_is_declared(open_lab: Callable[..., Lab], number: int) -> None:
    frozen, thawed, washed = to_the_last_wash(open_lab(number))
    low, high = 0.96 * 0.88 * 0.91, 0.985 * 0.95 * 0.95
    assert low <= thawed / frozen <= high
    assert 0.90**2 <= washed / thawed <= 0.95**2


def test_washing_takes_dead_cells_first_and_leaves_what_it_says(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab()
    to_the_last_wash(lab)
    suspensions: Any = lab.truth()["suspensions"]
    assert suspensions["B1-P1"]["volume_ml"] == 5.0
    viable, total = cells(lab)
    assert 0.85 < viable / total < 0.96


def test_one_seed_gives_the_same_cells_whoever_else_is_thawed(open_lab: Callable[..., Lab]) -> None:
    alone, beside = open_lab(), open_lab()
    expected = to_the_last_wash(alone)[1:]
    harvested(beside)
    do(beside, "freeze", culture="B1-P1", taken_ml=180.0, n_vials=9, ml_per_vial=1.0)
    harvested(beside, "B2-P1")
    do(beside, "freeze", culture="B2-P1", taken_ml=100.0, n_vials=5, ml_per_vial=1.0)
    do(beside, "thaw", culture="B2-P1", n_vials=5)
    do(beside, "thaw", culture="B1-P1", n_vials=9)
    assert cells(beside)[0] == expected[0]
    do(beside, "wash", culture="B1-P1", added_ml=190.0, left_ml=5.0)
    do(beside, "wash", culture="B1-P1", added_ml=195.0, left_ml=5.0)
    assert cells(beside)[0] == expected[1]


def test_vials_are_taken_one_time_only(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab()
    harvested(lab)
    do(lab, "freeze", culture="B1-P1", taken_ml=180.0, n_vials=9, ml_per_vial=1.0)
    assert lab.truth()["vials"] == {"B1-P1": 9}
    do(lab, "thaw", culture="B1-P1", n_vials=7)
    assert lab.truth()["vials"] == {"B1-P1": 2}
    do(lab, "discard", culture="B1-P1")
    with pytest.raises(SimulatorError, match="2 vials of culture 'B1-P1' are frozen, not 3"):
        do(lab, "thaw", culture="B1-P1", n_vials=3)


@pytest.mark.parametrize(
    ("act", "fields", "message"),
    [
        ("freeze", {"culture": "B1-P1", "taken_ml": 201.0, "n_vials": 9, "ml_per_vial": 1.0}, "there are 200 mL"),
        ("freeze", {"culture": "B9", "taken_ml": 1.0, "n_vials": 9, "ml_per_vial": 1.0}, "has no suspension"),
        ("freeze", {"culture": "B1-P1", "taken_ml": 1.0, "n_vials": 0, "ml_per_vial": 1.0}, "n_vials must be"),
        ("thaw", {"culture": "B1-P1", "n_vials": 1}, "0 vials of culture 'B1-P1' are frozen"),
        ("wash", {"culture": "B1-P1", "added_ml": 10.0, "left_ml": 211.0}, "there were 210 mL"),
        ("wash", {"culture": "B1-P1", "added_ml": 10.0, "left_ml": 5.0, "centrifuge": "counter_1"}, "no centrifuge"),
        ("wash", {"culture": "B1-P1", "added_ml": 10.0, "left_ml": 5.0, "centrifuge": "teapot"}, "not in the fleet"),
        ("count", {"culture": "B1-P1", "sample_id": "s", "counter": "centrifuge_1"}, "is no cell counter"),
        ("read_logger", {"device": "counter_1"}, "is no logger"),
        ("isolate", {"culture": "B1-P0", "marrow_ml": 12.0, "aspirate": "cup"}, "aspirate must be one of"),
        ("seed", {"culture": "B2-P0", "chamber": "incubator_1", "medium": "milk"}, "medium must be one of"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    open_lab: Callable[..., Lab], act: str, fields: dict[str, object], message: str
) -> None:
    lab = open_lab()
    harvested(lab)
    with pytest.raises(SimulatorError, match=message) as refused:
        do(lab, act, **fields)
    assert "\n" not in str(refused.value)


def test_marrow_gives_cells_by_its_volume_and_kind(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab()
    small: Any = do(lab, "isolate", culture="B1-P0", marrow_ml=12.0, aspirate="small_aspirate")["cells"]
    large: Any = do(lab, "isolate", culture="B1-P0", marrow_ml=200.0, aspirate="large_aspirate")["cells"]
    assert 3.84e7 <= small <= 4.2e7 and 2.06e8 <= large <= 2.16e8


def test_a_wash_turns_the_rotor_and_waits_for_standstill(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab()
    harvested(lab)
    centrifuge: Any = lab.device("centrifuge_1")
    assert isinstance(centrifuge, Rotanta)
    do(lab, "wash", culture="B1-P1", added_ml=10.0, left_ml=20.0, centrifuge="centrifuge_1")
    lab.step(60.0)
    assert centrifuge.panel.values["standstill"] == 0.0
    with pytest.raises(SimulatorError, match="the rotor turns"):
        do(lab, "wash", culture="B1-P1", added_ml=10.0, left_ml=20.0, centrifuge="centrifuge_1")
    lab.step(660.0)
    assert centrifuge.panel.values["standstill"] == 1.0


def test_a_box_of_dry_ice_is_packed_anew_for_each_trip(tmp_path: Path) -> None:
    options = {"folder": str(tmp_path), "every_s": 300, "report_h": 10_000, "packed_c": -78.0}
    logger = elitech_rc5.build("logger_1", options, np.random.default_rng(1))
    logger.step(200 * 3600.0)
    assert logger.panel.values["temperature"] > -60.0
    logger.begin()
    with pytest.raises(SimulatorError, match="nothing was logged yet"):
        logger.read_out()
    logger.step(3600.0)
    assert -78.3 <= logger.panel.values["temperature"] <= -77.0
    assert logger.read_out().is_file()
    with pytest.raises(SimulatorError, match=r"packed_c must be -90\.\.40"):
        elitech_rc5.build("logger_1", options | {"packed_c": -200.0}, np.random.default_rng(1))


@pytest.mark.parametrize("number", range(8))
def test_two_stages_in_low_glucose_medium_take_40_to_60_days(number: int) -> None:
    donor, days = draw_donor(child_rng(number, "donor", "B1")), 0.0
    for passage, seeded, flasks in ((0, 1.92e8, 8), (1, 2.8e7, 40)):
        culture = seed(donor, passage, seeded, flasks, 175.0, "dmem_low_glucose")
        while culture.cells_per_cm2 < 0.8 * CONFLUENT_CELLS_PER_CM2:
            culture, days = grow(culture, 37.0, 5.0, 1.0), days + 1.0 / 24.0
            culture = culture if culture.since_feed_h < 72.0 else feed(culture)
    assert 40.0 <= days <= 60.0
