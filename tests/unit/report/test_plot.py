"""Plots for paper: parsed as the XML they are, with words for those who can't see them."""

from __future__ import annotations

import math
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from cultureops.clock import DAY_MS, HOUR_MS, parse_iso
from cultureops.report.plot import Line, Plot, svg

START = parse_iso("2026-03-28T23:00:00Z")
BERLIN = ZoneInfo("Europe/Berlin")
SVG = "{http://www.w3.org/2000/svg}"


def plot(*lines: Line, **more: object) -> Plot:
    fields: dict[str, object] = {
        "title": "temperature", "description": "36 to 38", "unit": "°C", "start": START, "end": START + 4 * DAY_MS,
        "zone": BERLIN, "lines": lines,
    }  # fmt: skip
    return Plot(**fields | more)  # type: ignore[arg-type]


def drawn(what: Plot) -> ElementTree.Element:
    return ElementTree.fromstring(svg(what))


def texts(what: Plot) -> list[str]:
    return ["".join(one.itertext()) for one in drawn(what).iter(f"{SVG}text")]


def steady(*values: float | None) -> Line:
    return Line([START + n * DAY_MS for n in range(len(values))], list(values))


def test_it_says_in_words_what_it_shows() -> None:
    found = drawn(plot(steady(37.0, 37.1)))
    assert found.findtext(f"{SVG}title") == "temperature" and found.findtext(f"{SVG}desc") == "36 to 38"
    assert found.get("role") == "img"


def test_a_hole_is_no_line() -> None:
    paths = [path.get("d", "") for path in drawn(plot(steady(1.0, 2.0, None, 3.0, 4.0))).iter(f"{SVG}path")]
    assert sum(path.count("L") for path in paths) == 2 and not any(path.count("L") > 1 for path in paths)


def test_limits_are_dashed_and_lines_told_apart_without_colour() -> None:
    lines = steady(1.0, 2.0), Line([START, START + DAY_MS], [2.0, 1.0], dash="dotted", marker="square")
    text = svg(plot(*lines, limits=(1.5,)))
    assert text.count('stroke-dasharray="4 2.5"') == 1 and text.count('stroke-dasharray="1 2"') == 1
    assert text.count("<rect") >= 2


def test_time_is_told_in_the_zone_also_when_clocks_change() -> None:
    said = texts(plot(steady(1.0, 2.0), end=START + 10 * DAY_MS))
    assert "2026-03-29" in said and "03-30" in said and "°C" in said
    hours = texts(plot(steady(1.0, 2.0), end=START + 6 * HOUR_MS))
    assert hours.count("04:00") == 1 and "02:00" not in hours, "there was no two o'clock"


def test_powers_of_ten_on_a_logarithmic_axis() -> None:
    said = texts(plot(steady(3e6, 2e8), is_log=True))
    assert {"10⁶", "10⁷", "10⁸", "10⁹"} <= set(said)
    assert "no value" in texts(plot(steady(0.0, -1.0), is_log=True))
    assert "1.2e+06" in texts(plot(steady(1e6, 1.5e6))), "no power of ten"


def test_alarms_are_hatched_and_doors_marked() -> None:
    text = svg(plot(steady(1.0, 2.0), shaded=[(START, START + HOUR_MS)], ticks=[(START, START + HOUR_MS)]))
    assert text.count('fill="url(#hatch)"') == 1 and text.count('fill="#5b6b75"') == 1


@pytest.mark.parametrize(
    "title", ["</title><script>", "a\u202eb\x00c\ud800", "&amp; \"x\" 'y'", "שלום 中 😀", "x" * 10_000]
)
def test_no_name_breaks_out_of_it(title: str) -> None:
    text = svg(plot(steady(1.0), title=title, description=title))
    found = ElementTree.fromstring(text)
    assert text.isascii() and [one.tag for one in found][:3] == [f"{SVG}title", f"{SVG}desc", f"{SVG}defs"]
    if title.isprintable():
        assert found.findtext(f"{SVG}title") == title


@pytest.mark.parametrize(
    "values", [(), (None,), (math.nan,), (0.0,), (1e-300, 2e-300), (1e300,), (-5.0, 5.0), (37.0,) * 3, (math.inf, 1.0)]
)
def test_any_numbers_give_finite_places(values: tuple[float | None, ...]) -> None:
    for is_log in (False, True):
        text = svg(plot(steady(*values), is_log=is_log, end=START))
        assert "nan" not in text.replace("no value", "") and "inf" not in text
        assert ElementTree.fromstring(text).tag == f"{SVG}svg"


def test_noise_in_the_last_digit_looks_like_noise() -> None:
    wide, narrow = plot(steady(37.00, 37.01), at_least=1.0), plot(steady(37.00, 37.01))
    assert "37.5" in texts(wide) and "37.005" in texts(narrow)


def test_the_same_data_gives_the_same_text() -> None:
    assert svg(plot(steady(1.0, 2.0))) == svg(plot(steady(1.0, 2.0)))
