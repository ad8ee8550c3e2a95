from __future__ import annotations

import csv
import importlib.util
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from cultureops_simulators.culture import Suspension
from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.vicell_blu import ViCellBlu, build

SUSPENSION = Suspension(total_cells_per_ml=2.0e6, viable_cells_per_ml=1.94e6, volume_ml=30.0)


@pytest.fixture
def counter(tmp_path: Path) -> ViCellBlu:
    options = {"folder": str(tmp_path), "start": "2026-01-05T08:00:00Z", "time_zone": "Europe/Berlin"}
    return build("counter_1", options, np.random.default_rng(6))


def test_exports_one_row_that_agrees_with_itself(counter: ViCellBlu, tmp_path: Path) -> None:
    counter.step(90.0)
    path = counter.analyse("B1-P0-H", SUSPENSION)
    assert [path] == list(tmp_path.iterdir())
    raw = path.read_bytes()
    assert raw.startswith(b"Sample ID,Cell count,Viable cells,Total (x10^6) cells/mL,") and raw.count(b"\r\n") == 2
    (row,) = csv.DictReader(raw.decode("utf-8").splitlines())
    assert None not in row and None not in row.values()
    assert row["Sample ID"] == "B1-P0-H" and row["Dilution"] == "1"
    assert row["Analysis date/time"] == "1/5/2026 9:01"
    assert float(row["Viable (x10^6) cells/mL"]) == pytest.approx(1.94, rel=0.15)
    assert float(row["Viability (%)"]) == pytest.approx(97.0, abs=1.0)
    share = int(row["Viable cells"]) / int(row["Cell count"])
    assert float(row["Viability (%)"]) == pytest.approx(100 * share, abs=0.006)


def test_counts_of_one_sample_never_overwrite_each_other(counter: ViCellBlu) -> None:
    assert len({counter.analyse("B1", SUSPENSION) for _ in range(3)}) == 3


@pytest.mark.parametrize("sample_id", ["", "../B1", "a/b", "B 1", ".B1", "B1\n", "x" * 81])
def test_refuses_sample_ids_that_are_no_file_names(counter: ViCellBlu, tmp_path: Path, sample_id: str) -> None:
    with pytest.raises(SimulatorError, match="sample_id"):
        counter.analyse(sample_id, SUSPENSION)
    assert not list(tmp_path.iterdir())


def test_a_suspension_without_cells_is_not_reported_as_zero(counter: ViCellBlu, tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="too thin to count"):
        counter.analyse("B1", Suspension(0.0, 0.0, 10.0))
    assert not list(tmp_path.iterdir())


def test_columns_are_those_of_a_real_export(counter: ViCellBlu, acceptance_folder: Path) -> None:
    real = acceptance_folder / "cell_counters" / "Beckman_Vi-Cell-BLU_example01.csv"
    header = real.read_text(encoding="utf-8").splitlines()[0]
    assert counter.analyse("B1", SUSPENSION).read_text(encoding="utf-8").splitlines()[0] == header


@pytest.mark.skipif(importlib.util.find_spec("allotropy") is None, reason="allotropy is not installed")
def test_a_third_party_parser_reads_the_export(counter: ViCellBlu) -> None:
    from allotropy.parser_factory import Vendor
    from allotropy.to_allotrope import allotrope_from_file

    counter.step(60.0)
    asm = allotrope_from_file(str(counter.analyse("B1-P2-H", SUSPENSION)), Vendor.BECKMAN_VI_CELL_BLU)
    (document,) = asm["cell counting aggregate document"]["cell counting document"]
    (measured,) = document["measurement aggregate document"]["measurement document"]
    assert measured["sample document"]["sample identifier"] == "B1-P2-H"
    assert datetime.fromisoformat(measured["measurement time"]).replace(tzinfo=None) == datetime(2026, 1, 5, 9, 1)
    (processed,) = measured["processed data aggregate document"]["processed data document"]
    assert processed["viable cell density (cell counter)"]["value"] == pytest.approx(1.94, rel=0.15)
