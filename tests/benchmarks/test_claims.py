"""Every claim of the stores is measured beside its real peers, and a wrong answer is not timed."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cultureops.telemetry import EmbeddedStore

Import = Callable[[str], ModuleType]


def checked(rows: Iterable[Any]) -> list[Any]:
    """Return the rows when each is a number that was measured, with a verdict exactly where there is a target."""
    found = list(rows)
    for row in found:
        assert math.isfinite(row.value) and row.value > 0, row
        assert (row.target is None) == (row.ok is None), row
        if row.peer is not None:
            assert row.ratio == pytest.approx(row.value / row.peer_value), row
    return found


@pytest.mark.usefixtures("servers")
def test_ingest_seals_while_it_commits(benchmark_of: Import) -> None:
    rows = checked(benchmark_of("ingest").measure(shrink=360, rounds=1))
    assert [row.target for row in rows] == ["ratio >= 2", None, None, "ratio >= 0.9", "value < 10", None]
    assert len({row.peer for row in rows[:4]}) == 4


@pytest.mark.soak
@pytest.mark.usefixtures("servers")
def test_size_counts_what_lies_on_the_disk(benchmark_of: Import) -> None:
    rows = checked(benchmark_of("size").measure(shrink=1000))
    assert all(0.4 < row.value < 20 for row in rows if row.unit == "B/point")
    assert all(0.3 < row.peer_value < 50 for row in rows if row.peer is not None)


@pytest.mark.soak
@pytest.mark.usefixtures("servers")
def test_queries_are_compared_and_timed(benchmark_of: Import) -> None:
    query = benchmark_of("query")
    rows = checked(query.measure_case(query.Case(3, 7200, 60), 1, with_latest=True))
    assert len(rows) == 21
    assert [row.name for row in rows if row.target == "ratio <= 0.1"] == [
        "18 channels x 2 h, one to 120 buckets, by roll-up, warm"
    ]
    assert all(row.ok for row in rows if row.target == "value < 5")


def test_both_spreads_hold_the_same_number_of_points(benchmark_of: Import) -> None:
    query = benchmark_of("query")
    few, many = query.cases(1)
    assert (few.devices, many.devices) == (2, 100) and few.width_s % 60 == many.width_s % 60 == 0
    assert few.devices * few.seconds == pytest.approx(many.devices * many.seconds, rel=0.002)
    for case in (few, many, *query.cases(100)):
        assert case.seconds % case.width_s == 0 and case.seconds // case.width_s <= 2000


def test_an_answer_that_differs_is_not_timed(benchmark_of: Import, tmp_path: Path) -> None:
    query, process = benchmark_of("query"), benchmark_of("process")
    work = benchmark_of("workload").Workload.make(tmp_path / "work", 2, 7200)
    case = query.Case(2, 7200, 60)
    with process.Worker("cultureops", str(tmp_path / "telemetry"), tmp_path / "log") as worker:
        worker.call("load", work=str(tmp_path / "work"))
        ways = [("cultureops", "buckets"), ("cultureops", "decoded")]
        query.compare({"cultureops": worker}, work, case, ways)
        work.scaled[1, 0, 4000] += 1000
        for way in ways:
            with pytest.raises(process.BenchError, match=r"cultureops.*high.*nothing can be compared"):
                query.compare({"cultureops": worker}, work, case, [way])


def test_late_polls_are_neither_lost_nor_early(benchmark_of: Import, tmp_path: Path) -> None:
    workload = benchmark_of("workload")
    work = workload.Workload.make(tmp_path / "work", 2, 4 * 3600)
    late, polls = 0, set()
    for minute, some in enumerate(work.arrivals()):
        assert (some.second < (minute + 1) * 60).all()
        late += int((some.second < minute * 60).sum())
        polls |= set(zip(some.device.tolist(), some.second.tolist(), strict=True))
    assert polls == {(device, second) for device in range(2) for second in range(4 * 3600)}
    assert late / len(polls) == pytest.approx(0.01, rel=0.3)


def test_workload_is_what_its_lines_say(benchmark_of: Import, tmp_path: Path) -> None:
    workload, lines = benchmark_of("workload"), benchmark_of("line_protocol")
    work = workload.Workload.make(tmp_path / "work", 2, 300)
    body = b"\n".join(lines.blocks(work, most_lines=100)).decode().split("\n")
    assert len(body) == 600 and sorted(body) == sorted(b"\n".join(lines.seconds(work, 0, 300)).decode().split("\n"))
    head, fields, at_ms = next(line for line in body if "device=d1" in line).split(" ")
    assert (head, int(at_ms)) == ("readings,device=d1", work.source_ms[1, 0])
    values = {name: float(value) for name, value in (field.split("=") for field in fields.split(","))}
    assert values == {channel.name: work.values(1, n)[0] for n, channel in enumerate(workload.CHANNELS)}
    temperature = work.values(0, 0)
    assert np.allclose(temperature, temperature.round(2)) and 36.5 < temperature.mean() < 37.5


@pytest.mark.parametrize(
    ("values", "target", "ok"),
    [
        ([3, 1, 2], "ratio >= 2", True),
        ([3, 1, 1.9], "ratio >= 2", False),
        ([10], "value < 10", False),
        ([5], None, None),
    ],
)
def test_rows_judge_medians(benchmark_of: Import, values: list[float], target: str | None, ok: bool | None) -> None:
    row = benchmark_of("rows").row("claim", values, "ms", "peer", [1, 1, 50], target)
    assert (row.value, row.peer_value, row.ok) == (sorted(values)[len(values) // 2], 1, ok)


def test_a_missing_peer_is_named_and_not_counted_as_met(
    benchmark_of: Import, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bench = tmp_path / "bench.json"
    assert benchmark_of("__main__").main(["--quick", "--json", str(bench), "ingest"]) == 1
    assert "is not installed; `make services` installs it" in capsys.readouterr().out
    (row,) = json.loads(bench.read_text())
    assert list(row) == ["name", "value", "unit", "peer", "peer_value", "ratio", "target", "ok"]
    assert row["value"] is None and row["ok"] is False


def test_a_worker_that_fails_says_why(benchmark_of: Import, tmp_path: Path) -> None:
    process = benchmark_of("process")
    with (
        pytest.raises(process.BenchError, match="worker of flat: did not end in order; it ended with -9"),
        process.Worker("flat", str(tmp_path / "flat.log"), tmp_path / "log") as worker,
    ):
        with pytest.raises(process.BenchError, match="worker of flat: prepare: FileNotFoundError"):
            worker.call("prepare", work=str(tmp_path / "nothing"), first=0, last=1)
        worker.process.kill()
        with pytest.raises(process.BenchError, match=r"worker of flat: .*ended with -9"):
            worker.call("commit")


def test_an_unknown_claim_is_wrong_use(benchmark_of: Import, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        benchmark_of("__main__").main(["speed"])
    assert ended.value.code == 2 and "nothing is called speed" in capsys.readouterr().err


@pytest.mark.soak
def test_a_serial_line_keeps_its_pace(benchmark_of: Import) -> None:
    rows = list(benchmark_of("rtu").measure(shrink=20, rounds=1))
    assert [row.target for row in rows] == ["value <= 3", "value <= 3", "value <= 10"]
    assert all(row.value > 0 and row.peer_value > 0 for row in rows), "nobody is faster than the wire"


@pytest.mark.soak
async def test_exposure_is_compared_and_timed(benchmark_of: Import) -> None:
    rows = checked(await benchmark_of("exposure").measure(shrink=60, rounds=1))
    assert [row.target for row in rows] == ["value < 300", None, None] * 2
    assert rows[0].name.startswith("exposure of 1 days at 1 Hz, 4 channels")


async def test_an_exposure_that_differs_is_not_timed(benchmark_of: Import, tmp_path: Path) -> None:
    exposure, process = benchmark_of("exposure"), benchmark_of("process")
    work = benchmark_of("workload").Workload.make(tmp_path / "work", 1, 86_400)
    await exposure.fill(tmp_path / "telemetry", work)
    (watch, *_) = exposure._watches(work, 0.25)
    store = EmbeddedStore.open(tmp_path / "telemetry")
    (found,) = await store.exposures(exposure.START_MS, exposure.START_MS + 86_400_000, [watch])
    await store.close()
    assert found.above_s > 0
    exposure._compare(watch, found, found)
    with pytest.raises(process.BenchError, match=r"above_s differs from the full decode's"):
        exposure._compare(watch, found, replace(found, above_s=found.above_s + 1))
