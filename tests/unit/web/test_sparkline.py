"""A sparkline's figures: where its points lie, what it says, that a hole stays a hole, and that it is drawn once."""

import re
from xml.etree import ElementTree

import pytest

from cultureops.acquisition.recent import STRETCHES, WIDTH_MS, Recent
from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.device.channel import Channel
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.web.board.sparkline import HEIGHT, MARGIN, STEP, Sparklines, sparkline

HOLE = None
NOW = 100 * WIDTH_MS
ROW = MeasuredChannel("inc/co2", "inc", "inc", Channel("co2", "%"), False, 1000)


def outlines(svg: str) -> list[list[tuple[int, int]]]:
    """Return the corners of each stretch that is drawn, along the greatest values and back along the least."""
    found = []
    for part in ElementTree.fromstring(svg)[0].get("d", "").split("z")[:-1]:
        start, *moves = re.findall(r"[Mlv][^Mlv]+", part)
        x, y = (int(number) for number in start[1:].split())
        corners = [(x, y)]
        for move in moves:
            by_x, by_y = (0, int(move[1:])) if move[0] == "v" else (int(number) for number in move[1:].split())
            x, y = x + by_x, y + by_y
            corners.append((x, y))
        found.append(corners)
    return found


def test_nothing_read_draws_nothing() -> None:
    assert sparkline([HOLE, HOLE, HOLE], 2) == "" == sparkline([], 2)


def test_it_runs_from_the_least_to_the_greatest_value_and_time_to_the_right() -> None:
    top, bottom = MARGIN, HEIGHT - MARGIN
    assert outlines(sparkline([(0, 10), (0, 5)], 0)) == [[(0, top), (STEP, HEIGHT // 2), (STEP, bottom), (0, bottom)]]


def test_a_hole_parts_the_line_and_keeps_its_width() -> None:
    left, right = outlines(sparkline([(1, 1), (2, 2), HOLE, (3, 3), (4, 4)], 1))
    assert {x for x, _ in left} == {0, STEP}
    assert {x for x, _ in right} == {3 * STEP, 4 * STEP}


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_noise_in_the_last_digit_looks_like_noise(decimals: int) -> None:
    step = 10.0**-decimals
    ((first, second, *_),) = outlines(sparkline([(37, 37), (37 + step, 37 + step)], decimals))
    assert first[1] - second[1] == pytest.approx((HEIGHT - 2 * MARGIN) / 10, abs=1)


def test_one_stretch_alone_is_drawn_as_wide_as_it_lasts_and_a_constant_value_in_the_middle() -> None:
    svg = sparkline([(5, 5)], 1)
    assert outlines(svg) == [[(0, HEIGHT // 2), (STEP, HEIGHT // 2), (STEP, HEIGHT // 2), (0, HEIGHT // 2)]]
    assert not re.search("nan|inf", svg)


def test_it_says_its_extremes_at_the_channels_resolution_to_those_who_do_not_see_it() -> None:
    root = ElementTree.fromstring(sparkline([(36.94, 37.06), HOLE, (35.26, 36.5)], 1))
    assert (root.get("role"), root.get("aria-label")) == ("img", "last hours between 35.3 and 37.1")


def test_it_is_drawn_once_until_another_stretch_begins() -> None:
    recent = Recent(["inc/co2"])
    lines = Sparklines(recent)
    assert lines.of(ROW, NOW) == ""
    recent.take([Reading("inc/co2", 5.0, Quality.GOOD, Reason.NONE, NOW, NOW)])
    drawn = lines.of(ROW, NOW)
    assert "between 5.00 and 5.00" in drawn
    recent.take([Reading("inc/co2", 9.0, Quality.GOOD, Reason.NONE, NOW + 1, NOW + 1)])
    assert lines.of(ROW, NOW + 1) is drawn
    assert "between 5.00 and 9.00" in lines.of(ROW, NOW + WIDTH_MS)
    assert lines.of(ROW, NOW + STRETCHES * WIDTH_MS) == ""
