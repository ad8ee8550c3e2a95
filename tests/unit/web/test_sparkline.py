"""A sparkline's figures: where its points lie, what it says, and that a hole stays a hole."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from cultureops.telemetry import Buckets
from cultureops.web.sparkline import HEIGHT, MARGIN, WIDTH, sparkline

HOLE = None


def buckets(*stretches: tuple[float, float, float] | None) -> Buckets:
    """Build stretches of (minimum, mean, maximum); None has no value."""
    nan = float("nan")
    rows = np.array([(nan, nan, nan) if stretch is None else stretch for stretch in stretches]).reshape(-1, 3)
    count = np.array([0 if stretch is None else 3 for stretch in stretches], dtype=np.int64)
    from_ms = np.arange(len(stretches), dtype=np.int64) * 1000
    return Buckets(1000, from_ms, rows[:, 0], rows[:, 2], rows[:, 1], count, (count == 0).astype(np.int64))


def points(svg: str, kind: str) -> list[list[tuple[float, float]]]:
    """Return the points of each path of one class."""
    return [
        [(float(x), float(y)) for x, y in (pair.split() for pair in path.get("d", "").strip("MZ").split("L"))]
        for path in ElementTree.fromstring(svg).iter("path")
        if path.get("class") == kind
    ]


def test_nothing_read_draws_nothing() -> None:
    assert sparkline(buckets(HOLE, HOLE, HOLE), 2) == ""
    assert sparkline(buckets(), 2) == ""


def test_the_band_runs_from_the_least_to_the_greatest_value() -> None:
    (outline,) = points(sparkline(buckets((0, 5, 10), (0, 5, 10)), 0), "band")
    assert outline == [(MARGIN, MARGIN), (WIDTH - MARGIN, MARGIN), (WIDTH - MARGIN, 33.0), (MARGIN, 33.0)]


def test_the_mean_lies_between_and_time_runs_to_the_right() -> None:
    (line,) = points(sparkline(buckets((0, 0, 0), (5, 5, 5), (10, 10, 10)), 0), "mean")
    assert line == [(MARGIN, HEIGHT - MARGIN), (WIDTH / 2, HEIGHT / 2), (WIDTH - MARGIN, MARGIN)]


def test_a_hole_parts_the_line_and_keeps_its_width() -> None:
    svg = sparkline(buckets((1, 1, 1), (2, 2, 2), HOLE, (3, 3, 3), (4, 4, 4)), 1)
    left, right = points(svg, "mean")
    assert [x for x, _ in left] == [3.0, 43.5]
    assert [x for x, _ in right] == [124.5, 165.0]
    assert len(points(svg, "band")) == 2


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_noise_in_the_last_digit_looks_like_noise(decimals: int) -> None:
    step = 10.0**-decimals
    (line,) = points(sparkline(buckets((37, 37, 37), (37 + step, 37 + step, 37 + step)), decimals), "mean")
    assert line[0][1] - line[1][1] == pytest.approx((HEIGHT - 2 * MARGIN) / 10, abs=0.11)


def test_a_constant_value_is_a_level_line_in_the_middle() -> None:
    (line,) = points(sparkline(buckets((5, 5, 5), (5, 5, 5)), 1), "mean")
    assert {y for _, y in line} == {HEIGHT / 2}


def test_one_stretch_alone_is_drawn_without_a_division_by_zero() -> None:
    svg = sparkline(buckets((5, 5, 5)), 1)
    assert points(svg, "mean") == [[(MARGIN, HEIGHT / 2)]]
    assert not re.search("nan|inf", svg)


def test_it_says_its_extremes_at_the_channels_resolution_to_those_who_do_not_see_it() -> None:
    svg = sparkline(buckets((36.94, 37, 37.06), HOLE, (35.26, 36, 36.5)), 1)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext("title") == "last hours between 35.3 and 37.1"
