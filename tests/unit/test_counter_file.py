"""Files of cell counters told apart by what they hold; whatever is wrong with one, it is refused in one line."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from cultureops import counter_file
from cultureops.counter_file import CountFile, Status, as_json, lines_of, read_count_file, read_count_files
from cultureops.device.driver import CountResult
from cultureops.device.registry import count_readers
from cultureops.errors import ProtocolError
from cultureops_drivers.cell_counter_files.nucleoview import remarks
from cultureops_drivers.cell_counter_files.recognise import recognise
from cultureops_drivers.cell_counter_files.xr_workbook import check_all_read, check_dates_there

BLU = "Sample ID,Cell count,Viable cells,Total (x10^6) cells/mL,Viable (x10^6) cells/mL,Viability (%)\n"
NUCLEOVIEW = (
    "Viability and Cell Count Assay; ;\nImage;20260115-0001-c-B1;\nOperator;tech;\nViability (%);{viability};\n"
    "Live (cells/ml);2.45E6;\nDead (cells/ml);1.14E6;\nTotal (cells/ml);{total};\n ; ;\n"
    "Estimated cell diameter (um);9.1;\n(%) of cells in aggregates with five or more cells;3;\n"
    "Multiplication factor;1.000;\n;\n;\nInstrument type;NucleoView NC-200\nDate time;20260115 163016\n"
    "Time zone offset;2\nLogin ID;admin\nPC;LAB\ncsv file version;2\n\n//[ECEC5A41]\n"
)
NC_202 = (
    "Source ID:\t1-1\nTime (UTC):\t2026-01-15 09:49:29\nSample ID:\tB1\nProtocol:\tCount & Viability\n"
    "Software version:\t1.1\nSecure Mode status:\tEnable\nSigned by:\t\nSample Media:\tVia2-Cassette\nUser:\ta\n"
    "Operator:\ta\nInstrument:\tS/N:1\nTags:\t\nComments:\t\nTotal (cells/ml):\t1.12E+06\nLive (cells/ml):\t9.28E+05\n"
    "Dead (cells/ml):\t1.90E+05\nViability (%):\t83.0\nDiameter (um):\t9.7\nAggregates (%):\t0.0\nStatus:\tOK\n"
)


def count(sample: str = "B1", *flags: str) -> CountResult:
    return CountResult(sample, "2026-01-05T10:00:00", 97.0, 1.0, 1.03, None, None, None, "run.csv", "00", flags)


@pytest.mark.parametrize(
    ("text", "vendor", "suffix"),
    [
        (BLU, "BECKMAN_VI_CELL_BLU", ".csv"),
        ("Vi-CELL XR 2.06.3\n\nSample ID : B1\n", "BECKMAN_VI_CELL_XR", ".txt"),
        ("NAME,SAMPLE ID,TAGS,TOTAL (cells/ml),VIABILITY (%)\n", "CHEMOMETEC_NC_VIEW", ".csv"),
        ("Cedex ID,System name,Viable Cell Conc.\n", "ROCHE_CEDEX_HIRES", ".csv"),
        ("Plate Name,Plate1,,\n", "REVVITY_MATRIX", ".csv"),
        (NUCLEOVIEW, "CHEMOMETEC_NUCLEOVIEW", ".csv"),
        (NC_202, "CHEMOMETEC_NUCLEOVIEW", ".csv"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_contents_say_which_counter_it_was(text: str, vendor: str, suffix: str, encoding: str) -> None:
    found = recognise(text.encode(encoding))
    assert found is not None and (found.vendor, found.suffix) == (vendor, suffix)


@pytest.mark.parametrize("contents", [b"", b"\0\0", b"hello\n", b"\xff\xfe\xff", bytes(range(256)), b"a,b\n1,2\n"])
def test_what_is_no_export_is_not_recognised(contents: bytes) -> None:
    assert recognise(contents) is None


def test_a_workbook_that_is_none_is_refused() -> None:
    pytest.importorskip("python_calamine", reason="the counters extra is not installed")
    with pytest.raises(ProtocolError, match="not a sound workbook"):
        recognise(b"PK\x03\x04 and no more")


def test_a_workbook_that_unpacks_to_too_much_is_refused() -> None:
    pytest.importorskip("python_calamine", reason="the counters extra is not installed")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as book, book.open("xl/worksheets/sheet1.xml", "w") as part:
        for _ in range(210):
            part.write(bytes(1_000_000))
    with pytest.raises(ProtocolError, match="unpacks to 210,000,000 bytes"):
        recognise(packed.getvalue())


def test_a_figure_with_a_remark_is_flagged() -> None:
    """The parser drops such a figure and says nothing."""
    assert remarks(NUCLEOVIEW.format(viability="68.2", total="3.58E6")) == ()
    assert remarks(NC_202) == ()
    assert remarks(NUCLEOVIEW.format(viability="68.2", total="3.58E6 (Out of optimal range)")) == (
        "instrument_remark:total_density:3.58E6_(Out_of_optimal_range)",
    )


HEAD = [["Vi-CELL XR 2.06.3"], [""], ["Sample ID", "Sample date/time", "Viability"], ["", "", "(%)"]]


def test_no_row_of_a_run_summary_is_lost() -> None:
    rows = [*HEAD, ["B1", "2 Mar 2026  8:31:38 AM", "98.0"], ["B2", "soon", "97.0"], ["", "", ""]]
    check_dates_there(rows, "run.xlsx")
    check_all_read(rows, 2, "run.xlsx")
    with pytest.raises(ProtocolError, match=r"run\.xlsx: 2 rows hold a count, and 1 could be read"):
        check_all_read(rows, 1, "run.xlsx")
    check_all_read([*HEAD, ["old", "", "50.0"], *rows[4:]], 2, "run.xlsx")  # hidden by the maker's program
    check_all_read([["Report"]], 0, "run.xlsx")
    with pytest.raises(ProtocolError, match=r"run\.xlsx:1: expected a column 'Sample date/time', found 'Sample dat"):
        check_dates_there([["Sample ID", "Sample dates", "Viability"]], "run.xlsx")


def test_the_outcome_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("anything")

    def outcome(counts: tuple[CountResult, ...] | None) -> CountFile:
        return read_count_file(path, [lambda contents, file: None, lambda contents, file: counts])

    assert (outcome((count(),)).status, outcome((count(),)).reason) == (Status.OK, "")
    flagged = outcome((count(), count("B2", "viability_missing", "no_time")))
    assert (flagged.status, flagged.reason) == (Status.FLAGGED, "1 of 2 counts flagged: viability_missing, no_time")
    refused = outcome(None)
    assert (refused.status, refused.counts) == (Status.REFUSED, ()) and "no export of a cell counter" in refused.reason
    assert lines_of(flagged)[0].endswith("flagged, 1 of 2 counts flagged: viability_missing, no_time")
    assert "FLAGGED viability_missing, no_time" in lines_of(flagged)[2]


def test_a_reader_that_refuses_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("anything")

    def reader(contents: bytes, file: str) -> tuple[CountResult, ...] | None:
        raise ProtocolError(f"{file}: torn\nin\x1b two")

    read = read_count_file(path, [reader])
    assert (read.status, read.reason, len(read.sha256)) == (Status.REFUSED, "run.csv: torn in two", 64)


def test_json_has_the_agreed_keys() -> None:
    read = CountFile("a.csv", Status.FLAGGED, "why", (count("B1"), count("B2", "no_time")))
    found = as_json(read)
    assert list(found) == ["file", "status", "reason", "counts"]
    assert found["counts"][0] == {
        "sample_id": "B1",
        "measured_at": "2026-01-05T10:00:00",
        "viability_pct": 97.0,
        "viable_cells_per_ml": 1e6,
        "total_cells_per_ml": 1.03e6,
        "flags": [],
    }
    assert found["counts"][1]["measured_at"] is None
    assert as_json(CountFile("a.csv", Status.OK, "", ()))["reason"] is None
    json.dumps(found, allow_nan=False)


def test_what_is_no_readable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "large.csv").write_bytes(b"x" * 200)
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(counter_file, "MOST_BYTES", 100)
    names = ("", "none.csv", "empty.csv", "large.csv", "pipe", "a\0b")
    read = read_count_files([tmp_path / name for name in names])
    assert [one.status for one in read] == [Status.REFUSED] * len(names)
    reasons = ("is a folder", "there is no such file", "is empty", "has 200 bytes", "is no file", "")
    assert all(reason in one.reason and "\n" not in one.reason for reason, one in zip(reasons, read, strict=True))


def test_readers_come_from_installed_packages() -> None:
    readers: Sequence[object] = count_readers()
    assert len(readers) >= 1 and all(callable(reader) for reader in readers)


def test_exports_are_read_whatever_they_are_called(tmp_path: Path) -> None:
    pytest.importorskip("allotropy", reason="the counters extra is not installed")
    texts = {
        "plain.csv": NUCLEOVIEW.format(viability="68.2", total="3.58E6"),
        "unnamed": NUCLEOVIEW.format(viability="68.2", total="3.58E6"),
        "remark.txt": NUCLEOVIEW.format(viability="68.2", total="3.58E6 (Out of optimal range)"),
        "unlike.csv": NUCLEOVIEW.format(viability="98.2", total="3.58E6"),
        "half.csv": BLU + "B1,16",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-16" if name == "unnamed" else "utf-8")
    read = {Path(one.file).name: one for one in read_count_files([tmp_path / name for name in texts])}
    assert read["plain.csv"].status is read["unnamed"].status is Status.OK
    assert read["plain.csv"].counts[0].viable_density_1e6_per_ml == pytest.approx(2.45)
    assert "instrument_remark" in read["remark.txt"].reason
    assert "viability_disagrees_with_densities" in read["unlike.csv"].reason
    assert read["half.csv"].status is Status.REFUSED and "looks like a Vi-CELL BLU export" in read["half.csv"].reason


def test_a_damaged_export_is_read_or_refused() -> None:
    """Turn, drop and double signs of a good file: nothing but counts or a refusal in one line may come of it."""
    pytest.importorskip("allotropy", reason="the counters extra is not installed")
    good, rng, outcomes = NUCLEOVIEW.format(viability="68.2", total="3.58E6"), random.Random(5), set[str]()
    (reader,) = (reader for reader in count_readers() if reader.__module__.startswith("cultureops_drivers"))
    for _ in range(60):
        signs = list(good)
        for _ in range(rng.randint(1, 4)):
            signs[rng.randrange(len(signs))] = rng.choice(["", ";", "\n", '"', "x", "9", "\t", "µ", "E"])
        try:
            counts = reader("".join(signs).encode(), "run.csv")
        except ProtocolError as error:
            outcomes.add("refused")
            assert "\n" not in str(error) and "run.csv" in str(error)
        else:
            outcomes.add("unknown" if counts is None else "read")
    assert {"refused", "read"} <= outcomes
