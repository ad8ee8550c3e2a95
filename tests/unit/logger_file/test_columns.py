"""Columns of numbers over time: what is a number, when it was, and where there is none."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from cultureops.clock import parse_iso
from cultureops.device.reading import Reason
from cultureops.errors import ConfigError, Unreadable
from cultureops.logger_file.columns import ColumnTrace, find_layout, read_columns
from cultureops.logger_file.gap import Gap, gaps, median_period_ms
from cultureops.logger_file.lines import text_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.csv"


def read(path: Path, text: str, *wanted: str, time: str | None = None, **options: object) -> ColumnTrace:
    path.write_text(text, encoding="utf-8", newline="")
    file = text_file(path)
    return read_columns(file, find_layout(file, time), wanted, **options)  # type: ignore[arg-type]


def test_numbers_and_reasons(path: Path) -> None:
    cells = ["1.5", "-2", "1e3", "", "n/a", "nan", "inf", "broken", "1_0", " 7 "]
    text = "timestamp,a\n" + "".join(f"2026-01-05 08:{at:02}:00,{cell}\n" for at, cell in enumerate(cells))
    found = read(path, text, "a")
    empty, no_number = Reason.NOT_DELIVERED, Reason.NOT_FINITE
    assert found.reasons["a"].tolist() == [0, 0, 0, empty, empty, no_number, no_number, no_number, no_number, 0]
    assert found.values["a"][found.reasons["a"] == 0].tolist() == [1.5, -2, 1000, 7]
    assert np.isnan(found.values["a"][found.reasons["a"] != 0]).all()


def test_only_a_state_may_be_a_word(path: Path) -> None:
    text = "timestamp,door\n2026-01-05 08:00:00,open\n2026-01-05 08:01:00,Closed\n2026-01-05 08:02:00,1\n"
    assert read(path, text, "door", states=["door"]).values["door"].tolist() == [1, 0, 1]
    assert read(path, text, "door").reasons["door"].tolist() == [Reason.NOT_FINITE, Reason.NOT_FINITE, 0]


@pytest.mark.parametrize(
    ("stamp", "zone", "instant"),
    [
        ("2026-01-05T08:00:00Z", "Europe/Vienna", "2026-01-05T08:00:00Z"),
        ("2026-01-05 08:00:00.250000", None, "2026-01-05T08:00:00.250Z"),
        ("2026-07-05 08:00:00", "Europe/Vienna", "2026-07-05T06:00:00Z"),
        ("2026-01-05T08:00:00+05:30", None, "2026-01-05T02:30:00Z"),
        ("1767600000.5", None, "2026-01-05T08:00:00.500Z"),
        ("1767600000500", None, "2026-01-05T08:00:00.500Z"),
        ("5 Jan 2026 08:00 pm", None, "2026-01-05T20:00:00Z"),
        ("1969-12-31 23:59:59", None, "1969-12-31T23:59:59Z"),
    ],
)
def test_times(path: Path, stamp: str, zone: str | None, instant: str) -> None:
    found = read(path, f"when,a\n{stamp},1\n", "a", time="When", zone=None if zone is None else ZoneInfo(zone))
    assert found.times_ms.tolist() == [parse_iso(instant)]


def test_a_time_that_a_zone_did_not_have(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trace.csv:2: .* did not exist in Europe/Vienna"):
        read(path, "timestamp,a\n2026-03-29 02:30:00,1\n", "a", zone=ZoneInfo("Europe/Vienna"))


def test_order_and_duplicates(path: Path) -> None:
    rows = [("08:00", "1", "x"), ("08:02", "3", "x"), ("08:01", "2", "x"), ("08:01", "2", "y"), ("08:01", "", "x")]
    text = "timestamp,a,b\n" + "".join(f"2026-01-05 {at},{a},{b}\n" for at, a, b in rows)
    found = read(path, text, "a")
    assert (found.rows, found.out_of_order, found.duplicates, found.identical) == (5, 3, 2, 1)
    assert found.reasons["a"].tolist() == [0, 0, Reason.NOT_DELIVERED, 0]
    assert np.diff(found.times_ms).tolist() == [60_000, 0, 60_000]


def test_the_sign_of_decimals_may_not_change(path: Path) -> None:
    text = "timestamp;a;b\n2026-01-05 08:00;1,5;1.5\n2026-01-05 08:01;2,5;2\n"
    assert read(path, text, "a", "b").values["a"].tolist() == [1.5, 2.5]
    with pytest.raises(Unreadable, match=r"trace.csv:4: a is '1.5', with another decimal sign than in line 2"):
        read(path, text + "2026-01-05 08:02;1.5;1\n", "a")


def at_minutes(*minutes: int) -> np.ndarray:
    return np.array(minutes, np.int64) * 60_000


def test_gaps_lie_between_usable_values() -> None:
    times = at_minutes(0, 1, 2, 3, 4, 10, 11)
    empty, beyond = int(Reason.NOT_DELIVERED), int(Reason.OUT_OF_RANGE)
    reasons = np.array([0, 0, empty, beyond, 0, 0, empty], np.uint8)
    assert gaps(times, reasons, 90_000, 90_000) == (
        Gap(60_000, 240_000, "outside valid_range; cell is empty"),
        Gap(240_000, 600_000, "no rows"),
    )
    assert gaps(times, reasons, 59_000, 90_000)[-1] == Gap(600_000, 660_000, "cell is empty")


def test_a_column_without_any_value_is_one_gap() -> None:
    reasons = np.full(3, Reason.NOT_FINITE, np.uint8)
    assert gaps(at_minutes(0, 1, 9), reasons, 90_000, 90_000) == (
        Gap(0, 540_000, "no rows; cell is no finite number"),
    )  # fmt: skip
    assert gaps(at_minutes(), reasons[:0], 1, 1) == ()


def test_the_median_period_counts_a_time_once() -> None:
    assert median_period_ms(at_minutes(0, 0, 0, 1, 1, 2, 9)) == 60_000
    assert median_period_ms(at_minutes(0)) == median_period_ms(at_minutes(5, 5)) == 0


def test_a_pipe_is_read_as_well(tmp_path: Path) -> None:
    import os
    import threading

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("timestamp,a\n2026-01-05 08:00,1\n",), daemon=True)
    writer.start()
    file = text_file(pipe)
    writer.join(5)
    assert read_columns(file, find_layout(file, None), ["a"]).values["a"].tolist() == [1]
