"""Counts out of files: ours, written in the layout of a Vi-CELL BLU, and real ones where they are at hand."""

from __future__ import annotations

import asyncio
import csv
import json
import threading
from pathlib import Path

import pytest

from cultureops.device.driver import CountResult, RejectedFile
from cultureops.device.folder import Folder, FolderSource
from cultureops.errors import ConfigError, DriverTimeout, NotConnected
from cultureops_drivers.cell_counter_files import create
from cultureops_drivers.cell_counter_files.driver import FORMATS

HEADER = (
    "Sample ID,Cell count,Viable cells,Total (x10^6) cells/mL,Viable (x10^6) cells/mL,Viability (%),"
    "Average diameter (μm),Average viable diameter (μm),Average circularity,Average viable circularity,"
    "Average cells per image,Average background intensity,Bubble count,Cluster count,Images for analysis,Cell type,"
    "Minimum Diameter (μm),Maximum Diameter (μm),Images,Cell sharpness,Minimum circularity,Decluster degree,"
    "Aspiration cycles,Viable spot brightness (%),Viable spot area (%),Mixing cycles,Analysis date/time,"
    "Reanalysis date/time,Analysis by,Reanalysis by,Dilution,Wash,Tag\n"
)


def row(sample_id: str, counts: str = "1600,1552,1.03,1.0,97.0") -> str:
    return (
        f"{sample_id},{counts},15.2,15.4,0.9,0.91,16,130,0,0,100,MSC,6,30,100,7,0.1,Medium,3,50,5,3,"
        "1/15/2026 9:05,,tech,,1,Normal Wash,\n"
    )


@pytest.fixture(scope="module", autouse=True)
def parser_loaded() -> None:
    """Load the parser once, outside of any test's deadline."""
    pytest.importorskip("allotropy", reason="the counters extra is not installed")


def whole(folder: Path) -> FolderSource:
    return create("counter_1", folder, {"atomic": True})


async def test_a_count_is_read_once_and_kept(tmp_path: Path) -> None:
    (tmp_path / "run1.csv").write_text(HEADER + row("B1"), encoding="utf-8")
    source = whole(tmp_path)
    (result,) = await source.collect()
    assert isinstance(result, CountResult)
    assert (result.sample_id, result.counted_at_local) == ("B1", "2026-01-15T09:05:00")
    assert (result.viability_pct, result.viable_density_1e6_per_ml) == (97.0, 1.0)
    assert (result.viable_cells, result.total_cells, result.average_diameter_um) == (1552, 1600, 15.2)
    assert result.flags == () and len(result.source_sha256) == 64
    assert await source.collect() == ()
    source.release(result)
    assert await source.collect() == ()
    assert (tmp_path / "done" / "run1.csv").exists() and not (tmp_path / "run1.csv").exists()


async def test_a_growing_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run1.csv"
    source = create("counter_1", tmp_path, {})
    path.write_text(HEADER, encoding="utf-8")
    assert await source.collect() == ()
    path.write_text(HEADER + row("B1"), encoding="utf-8")
    assert await source.collect() == ()
    (result,) = await source.collect()
    assert isinstance(result, CountResult)
    (tmp_path / ".hidden.csv").write_text("x")
    (tmp_path / "run2.csv.tmp").write_text("x")
    assert await source.collect() == () and await source.collect() == ()


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("empty.csv", b""),
        ("text.csv", b"not a count\n"),
        ("bytes.csv", bytes(range(256))),
        ("header.csv", HEADER.encode()),
        ("half.csv", (HEADER + row("B1"))[:-300].encode()),
        ("picture.png", b"\x89PNG"),
    ],
)
async def test_a_bad_file_is_moved_aside_with_the_reason(tmp_path: Path, name: str, contents: bytes) -> None:
    (tmp_path / name).write_bytes(contents)
    (tmp_path / "z_good.csv").write_text(HEADER + row("B1"), encoding="utf-8")
    source = whole(tmp_path)
    rejected, good = await source.collect()
    assert isinstance(rejected, RejectedFile) and isinstance(good, CountResult)
    assert rejected.moved_to == f"rejected/{name}" and rejected.error and "\n" not in rejected.error
    source.release(rejected)
    assert await source.collect() == ()
    assert (tmp_path / rejected.moved_to).read_bytes() == contents
    record = (tmp_path / f"rejected/{name}.error.txt").read_text()
    assert rejected.error in record and rejected.source_sha256 in record


async def test_implausible_and_erroneous_counts_are_flagged(tmp_path: Path) -> None:
    rows = (
        row("B1"),
        row("B2", "1600,1552,1.03,1.0,57.0"),
        row("B3", "1600,1700,1.03,1.0,97.0"),
        row("B4", "ERROR,ERROR,1.03,1.0,97.0"),
        row(""),
    )
    (tmp_path / "run1.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
    flags = [result.flags for result in await whole(tmp_path).collect() if isinstance(result, CountResult)]
    assert flags[0] == () and flags[2] == ("viable_cells_exceed_total",)
    assert flags[1] == ("viability_disagrees_with_cells", "viability_disagrees_with_densities")
    assert flags[3:] == [("cells_missing",), ("sample_id_missing",)]


async def test_a_name_that_returns_never_replaces_the_first(tmp_path: Path) -> None:
    source = whole(tmp_path)
    for sample_id in ("B1", "B2"):
        (tmp_path / "run.csv").write_text(HEADER + row(sample_id), encoding="utf-8")
        (result,) = await source.collect()
        source.release(result)
    await source.collect()
    kept = {path.read_text(encoding="utf-8")[len(HEADER) :][:2] for path in (tmp_path / "done").iterdir()}
    assert kept == {"B1", "B2"}


async def test_a_missing_folder_is_not_connected(tmp_path: Path) -> None:
    with pytest.raises(NotConnected, match="check that the folder is shared"):
        await whole(tmp_path / "absent").collect()


async def test_a_slow_visit_is_finished_by_the_next_call(tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text("anything")
    released = threading.Event()
    count = CountResult("B1", "2026-01-05T10:00:00", 97.0, 1.0, 1.03, None, None, None, "run.csv", "00")

    def parse(contents: bytes, name: str) -> tuple[CountResult, ...]:
        assert released.wait(10)
        return (count,)

    source = FolderSource("counter_1", Folder(tmp_path, parse, atomic=True), deadline_s=0.05)
    with pytest.raises(DriverTimeout, match=r"counter_1: .* was not read within 0.05 s"):
        await source.collect()
    reading = asyncio.create_task(_collect(source))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    released.set()
    assert await FolderSource.collect(source) == (count,)


async def _collect(source: FolderSource) -> object:
    return await source.collect()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "WORD"}, "option 'format' must be one of BECKMAN_VI_CELL_BLU"),
        ({"atomic": 1}, "option 'atomic' must be true or false"),
        ({"deadline_s": 0}, "option 'deadline_s' must be seconds above 0"),
        ({"path": "x"}, "option 'path' is unknown; known options: format, atomic, deadline_s"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create("counter_1", tmp_path, options)


REAL = {
    "Beckman_Vi-Cell-BLU_example01.csv": "BECKMAN_VI_CELL_BLU",
    "Beckman_Vi-Cell-BLU_example01_utf16.csv": "BECKMAN_VI_CELL_BLU",
    "chememotec_nc_view_example.csv": "CHEMOMETEC_NC_VIEW",
    "chemometec_nucleoview_example01.csv": "CHEMOMETEC_NUCLEOVIEW",
    "chemometec_nucleoview_example03.csv": "CHEMOMETEC_NUCLEOVIEW",
    "chemometec_nucleoview_example07.csv": "CHEMOMETEC_NUCLEOVIEW",
    "roche_cedex_hires_example_1.csv": "ROCHE_CEDEX_HIRES",
}
REAL_XR = ("Beckman_Vi-Cell-XR_example05_instrumentOutput.xlsx", "Beckman_Vi-Cell-XR_example07_instrumentOutput.txt")
COLUMNS = {
    "viability_pct": "viability (cell counter)",
    "viable_density_1e6_per_ml": "viable cell density (cell counter)",
    "total_density_1e6_per_ml": "total cell density (cell counter)",
    "viable_cells": "viable cell count",
    "total_cells": "total cell count",
    "average_diameter_um": "average total cell diameter",
}


def real_folder(acceptance_data: Path) -> Path:
    return acceptance_data / "cell_counters"


async def read_real(source: Path, folder: Path, file_format: str) -> list[CountResult | RejectedFile]:
    (folder / source.name).write_bytes(source.read_bytes())
    results = await create("counter_1", folder, {"atomic": True, "format": file_format}).collect()
    assert all(isinstance(result, CountResult | RejectedFile) for result in results)
    return [result for result in results if isinstance(result, CountResult | RejectedFile)]


def test_the_files_are_those_of_the_known_answers(acceptance_data: Path) -> None:
    with (real_folder(acceptance_data) / "expected_counts.csv").open(encoding="utf-8", newline="") as lines:
        assert {Path(line["json"]).stem for line in csv.DictReader(lines)} == {Path(file).stem for file in REAL}


@pytest.mark.parametrize("file", REAL)
async def test_real_exports_give_the_known_answers(tmp_path: Path, acceptance_data: Path, file: str) -> None:
    results = await read_real(real_folder(acceptance_data) / file, tmp_path, REAL[file])
    with (real_folder(acceptance_data) / "expected_counts.csv").open(encoding="utf-8", newline="") as lines:
        known = [line for line in csv.DictReader(lines) if Path(line["json"]).stem == Path(file).stem]
    assert len(results) == len(known) > 0
    for result, truth in zip(results, known, strict=True):
        assert isinstance(result, CountResult)
        assert result.sample_id == truth["sample identifier"]
        assert result.counted_at_local == truth["measurement time"][:19]
        for name, column in COLUMNS.items():
            wanted = pytest.approx(float(truth[column]), abs=1e-9) if truth[column] else None
            assert getattr(result, name) == wanted, column
        if "example07" in file or "example03" in file:
            assert result.flags
        elif REAL[file] == "BECKMAN_VI_CELL_BLU" and not result.total_cells:
            assert result.flags == ("cells_missing",)
        else:
            assert [flag for flag in result.flags if not flag.startswith("instrument_error")] == []


@pytest.mark.parametrize("file", REAL_XR)
async def test_real_xr_exports_give_what_their_documents_say(tmp_path: Path, acceptance_data: Path, file: str) -> None:
    source = real_folder(acceptance_data) / file
    results = await read_real(source, tmp_path, "BECKMAN_VI_CELL_XR")
    document = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
    measured = [
        measurement
        for count in document["cell counting aggregate document"]["cell counting document"]
        for measurement in count["measurement aggregate document"]["measurement document"]
    ]
    assert len(results) == len(measured) > 0
    for result, truth in zip(results, measured, strict=True):
        assert isinstance(result, CountResult) and not result.flags
        assert result.sample_id == truth["sample document"]["sample identifier"]
        values = truth["processed data aggregate document"]["processed data document"][0]
        for name, column in COLUMNS.items():
            wanted = pytest.approx(values[column]["value"], abs=1e-9) if column in values else None
            assert getattr(result, name) == wanted, column


async def test_a_real_file_with_a_broken_date_is_refused(tmp_path: Path, acceptance_data: Path) -> None:
    (broken,) = real_folder(acceptance_data).glob("*_error.xlsx")
    (tmp_path / broken.name).write_bytes(broken.read_bytes())
    source = create("counter_1", tmp_path, {"atomic": True, "format": "BECKMAN_VI_CELL_XR"})
    (rejected,) = await source.collect()
    assert isinstance(rejected, RejectedFile) and rejected.error and "\n" not in rejected.error
    source.release(rejected)
    assert await source.collect() == ()
    assert (tmp_path / rejected.moved_to).read_bytes() == broken.read_bytes()


async def test_a_file_of_another_counter_is_never_a_good_count(tmp_path: Path, acceptance_data: Path) -> None:
    """Whoever names the wrong format gets rejections, not numbers."""
    files = dict(REAL) | dict.fromkeys(REAL_XR, "BECKMAN_VI_CELL_XR")
    for file_format in FORMATS:
        folder = tmp_path / file_format
        folder.mkdir()
        for file, own in files.items():
            if file_format != own:
                (folder / file).write_bytes((real_folder(acceptance_data) / file).read_bytes())
        results = await create("counter_1", folder, {"atomic": True, "format": file_format}).collect()
        assert results and all(isinstance(result, RejectedFile) or result.flags for result in results)  # type: ignore[union-attr]
