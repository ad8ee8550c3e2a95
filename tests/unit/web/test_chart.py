"""A chart's numbers: exact extremes, holes that stay holes, and no more points than a screen holds."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cultureops.app import web_context
from cultureops.clock import HOUR_MS, MINUTE_MS, SECOND_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason, bad_reading
from cultureops.lab import Lab, open_lab
from cultureops.site import read_site
from cultureops.web.chamber.chart import MOST_POINTS, channel_chart, drawn_chart

START = parse_iso("2026-01-05T08:00:00Z")
CO2 = "incubator_1/co2"
SITE = """
[site]
name = "Test lab"
time_zone = "UTC"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
simulated = true
options = { profile = "cultureops_virtual_incubator" }
"""


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    (tmp_path / "site.toml").write_text(SITE)
    async with open_lab(read_site(tmp_path / "site.toml"), tmp_path, SteppedClock(START), SeededEntropy(1)) as opened:
        yield opened


async def keep(lab: Lab, *values: float | None, every_ms: int = MINUTE_MS) -> None:
    """Keep one value after another; None is a reading that failed."""
    stamped = ((START + number * every_ms, value) for number, value in enumerate(values))
    await lab.recorder.accept(
        [
            bad_reading(CO2, Reason.TIMEOUT, at, at)
            if value is None
            else Reading(CO2, value, Quality.GOOD, Reason.NONE, at, at)
            for at, value in stamped
        ]
    )


async def test_each_stretch_has_its_extremes_and_its_mean(lab: Lab) -> None:
    await keep(lab, 5.0, 4.0, 6.0, 7.0)
    chart = await channel_chart(web_context(lab, None), CO2, START, START + 4 * MINUTE_MS, 2)
    assert chart["x"] == [START, START + 2 * MINUTE_MS]
    assert (chart["minimum"], chart["maximum"], chart["mean"]) == ([4.0, 6.0], [5.0, 7.0], [4.5, 6.5])
    assert (chart["width_ms"], chart["bad"]) == (2 * MINUTE_MS, [0, 0])
    assert (chart["channel"], chart["unit"], chart["verified"], chart["simulated"]) == (CO2, "%", True, True)


async def test_a_failed_reading_and_a_missing_one_are_holes_not_numbers(lab: Lab) -> None:
    await keep(lab, 5.0, None, 5.2)
    await keep(lab, 5.0, every_ms=MINUTE_MS)
    late = START + 5 * MINUTE_MS
    await lab.recorder.accept([Reading(CO2, 5.4, Quality.GOOD, Reason.NONE, late, late)])
    chart = await channel_chart(web_context(lab, None), CO2, START, START + 6 * MINUTE_MS, 6)
    assert chart["mean"] == [5.0, None, 5.2, None, None, 5.4]
    assert chart["bad"] == [0, 1, 0, 0, 0, 0]
    assert "NaN" not in json.dumps(chart)


async def test_what_has_not_happened_yet_is_left_off(lab: Lab) -> None:
    await keep(lab, 5.0, 5.1)
    chart = await channel_chart(web_context(lab, None), CO2, START, START + 10 * MINUTE_MS, 10)
    assert [len(chart[name]) for name in ("x", "minimum", "maximum", "mean", "bad")] == [2] * 5


async def test_a_failure_at_the_end_is_shown_as_a_hole_up_to_it(lab: Lab) -> None:
    await keep(lab, 5.0, None)
    chart = await channel_chart(web_context(lab, None), CO2, START, START + 10 * MINUTE_MS, 10)
    assert (chart["mean"], chart["bad"]) == ([5.0, None], [0, 1])


async def test_nothing_read_is_an_empty_chart(lab: Lab) -> None:
    chart = await channel_chart(web_context(lab, None), CO2, START, START + HOUR_MS, 10)
    assert chart["x"] == chart["mean"] == chart["bad"] == []


async def test_numbers_are_told_to_one_digit_beyond_the_instruments(lab: Lab) -> None:
    await keep(lab, 5.0, 5.0, 5.1, every_ms=SECOND_MS)
    decimals = lab.channels[CO2].channel.decimals + 1
    chart = await channel_chart(web_context(lab, None), CO2, START, START + MINUTE_MS, 1)
    assert chart["mean"] == [round(15.1 / 3, decimals)]


@pytest.mark.parametrize("hours", [1, 6, 24, 24 * 30, 24 * 365])
async def test_a_screen_gets_no_more_points_than_it_can_show_and_keeps_a_single_peak(lab: Lab, hours: int) -> None:
    await keep(lab, *[5.0] * 30, 9.9, *[5.0] * 29)
    row = lab.channels[CO2]
    chart = await drawn_chart(web_context(lab, None), row, START, START + hours * HOUR_MS)
    assert 1 <= len(chart["x"]) <= MOST_POINTS
    assert max(value for value in chart["maximum"] if value is not None) == 9.9
    assert chart["width_ms"] >= row.period_ms


async def test_a_span_shorter_than_a_poll_is_still_a_chart(lab: Lab) -> None:
    await keep(lab, 5.0)
    chart = await drawn_chart(web_context(lab, None), lab.channels[CO2], START, START + 1)
    assert (chart["x"], chart["mean"]) == ([START], [5.0])
