"""Confluence of drawn cultures, whose truth is known, and of the eight images of the acceptance data."""

import csv
import math
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.analysis.culture_scenes import camera, empty, monolayer, round_cells, spindles

from cultureops.analysis.confluence import METHOD, Confluence, confluence, observation

SMALL = (260, 352)


@pytest.mark.parametrize("pct", [5, 30, 60, 80, 92])
def test_spread_cells_are_measured(pct: int) -> None:
    drawing = spindles(pct, seed=pct, shape=SMALL)
    found = confluence(camera(drawing))
    assert not found.unsure, found.reason
    assert found.confluence_pct == pytest.approx(drawing.pct, abs=7)
    assert found.low_pct <= drawing.pct <= found.high_pct
    assert (found.mask & drawing.cells).sum() > 0.9 * drawing.cells.sum()


@pytest.mark.parametrize(
    "photograph",
    [
        dict(vignette=0.5),
        dict(noise=0.003),
        dict(noise=0.018),
        dict(level=60.0),
        dict(level=190.0),
        dict(sixteen_bit=True),
        dict(blur_px=1.0),
    ],
)
def test_the_camera_changes_little(photograph: dict[str, float]) -> None:
    drawing = spindles(50, seed=3, shape=SMALL)
    found = confluence(camera(drawing, **photograph))
    assert abs(found.confluence_pct - drawing.pct) < 10
    assert not found.unsure, found.reason


def test_a_closed_sheet_is_read_as_closed_or_unsure() -> None:
    """A plain threshold takes smooth cells for plastic; a figure below 80 % must be marked unsure."""
    for grain in (0.05, 0.035, 0.03, 0.02, 0.012, 0.006, 0.0):
        found = confluence(camera(monolayer(100, grain=grain, shape=SMALL)))
        assert found.unsure or found.confluence_pct > 90, (grain, found.confluence_pct)
        assert found.high_pct == 100
    clear = confluence(camera(monolayer(100, grain=0.03, shape=SMALL)))
    assert clear.confluence_pct > 95
    assert not clear.unsure, clear.reason


@pytest.mark.parametrize("pct", [70, 85, 95])
def test_the_holes_of_a_sheet_are_seen(pct: int) -> None:
    found = confluence(camera(monolayer(pct, seed=pct)))
    assert found.confluence_pct == pytest.approx(pct, abs=5)
    assert not found.unsure, found.reason


@pytest.mark.parametrize("pct", [30, 45])
@pytest.mark.parametrize("radius", [6.0, 10.0, 16.0])
@pytest.mark.parametrize("halo", [0.15, 0.35])
def test_crowded_haloed_cells_are_never_far_off_unsaid(pct: int, radius: float, halo: float) -> None:
    drawing = round_cells(pct, seed=pct, radius=radius, halo=halo, shape=SMALL)
    found = confluence(camera(drawing))
    assert found.unsure or abs(found.confluence_pct - drawing.pct) < 20, (found.confluence_pct, drawing.pct)


def test_wide_halos_of_single_cells_are_not_cells() -> None:
    drawing = round_cells(8, seed=2, radius=16, halo=0.3, gap=30)
    found = confluence(camera(drawing))
    bright = drawing.light > 1.03
    assert found.confluence_pct == pytest.approx(drawing.pct, abs=6)
    assert found.confluence_pct < 100 * (drawing.cells | bright).mean()


@pytest.mark.parametrize("noise", [0.003, 0.009, 0.03])
def test_an_empty_dish_is_never_said_to_be_covered(noise: float) -> None:
    found = confluence(camera(empty(SMALL), noise=noise))
    assert found.confluence_pct < 1
    assert found.unsure
    assert "empty" in found.reason


def test_out_of_focus_is_unsure() -> None:
    found = confluence(camera(spindles(60, shape=SMALL), blur_px=4))
    assert found.unsure
    assert (found.low_pct, found.high_pct) == (0, 100)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_uniform_image_is_unsure(value: int) -> None:
    found = confluence(np.full(SMALL, value, np.uint8))
    assert found.unsure
    assert (found.low_pct, found.high_pct) == (0, 100)
    assert not found.mask.any()


def test_overexposure_is_unsure() -> None:
    found = confluence(camera(spindles(60, shape=SMALL), level=252))
    assert found.unsure
    assert "exposure" in found.reason


def with_frame(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    framed = image.copy()
    framed[:30], framed[:, -40:] = 5, 5
    return framed


def with_round_view(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = np.indices(image.shape)
    outside = np.hypot(rows - image.shape[0] / 2, columns - image.shape[1] / 2) > 0.6 * image.shape[0]
    return np.where(outside, np.random.default_rng(1).integers(6, 11, image.shape), image).astype(np.uint8)


def with_scale_bar(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    marked = image.copy()
    marked[-30:-24, -140:-30] = 255
    for left in range(image.shape[1] - 130, image.shape[1] - 60, 12):  # strokes of the text above it
        marked[-50:-38, left : left + 2] = 255
        marked[-50:-48, left : left + 7] = 255
    return marked


@pytest.mark.parametrize("mark", [with_frame, with_round_view, with_scale_bar])
def test_what_is_no_culture_is_left_out(mark) -> None:
    drawing = spindles(40, seed=5)
    found = confluence(mark(camera(drawing)))
    assert found.excluded is not None
    assert not (found.mask & found.excluded).any()
    truth = 100 * drawing.cells[~found.excluded].mean()
    assert found.confluence_pct == pytest.approx(truth, abs=7)
    assert not found.unsure, found.reason


def test_nothing_is_left_out_of_a_plain_image() -> None:
    assert confluence(camera(spindles(60, shape=SMALL))).excluded is None


def test_colour_and_alpha_change_nothing() -> None:
    grey = camera(spindles(40, shape=SMALL))
    plain = confluence(grey)
    tinted = np.stack([grey, grey // 2, grey], axis=2)
    assert confluence(np.repeat(grey[..., None], 3, axis=2)).confluence_pct == pytest.approx(plain.confluence_pct)
    assert confluence(np.dstack([grey, np.full_like(grey, 9)])).confluence_pct == pytest.approx(plain.confluence_pct)
    assert confluence(tinted).confluence_pct == pytest.approx(plain.confluence_pct, abs=3)


@pytest.mark.parametrize("shape", [(240, 320), (1025, 1203)])
def test_other_sizes(shape: tuple[int, int]) -> None:
    drawing = spindles(30, seed=5, shape=shape, scale=shape[0] / 500)
    found = confluence(camera(drawing))
    assert found.mask.shape == shape
    assert found.confluence_pct == pytest.approx(drawing.pct, abs=6)


def test_turning_the_image_turns_the_answer() -> None:
    image = camera(spindles(50, shape=SMALL))
    there, back = confluence(image), confluence(image[::-1, ::-1])
    assert back.confluence_pct == pytest.approx(there.confluence_pct, abs=1.5)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((63, 500), np.uint8), np.zeros(500), np.zeros((100, 100, 5)), np.full((100, 100), np.nan)],
)
def test_what_is_no_image_is_refused(wrong: NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match=r"image|confluence"):
        confluence(wrong)


def test_an_observation_keeps_method_parameters_and_hash() -> None:
    found = confluence(camera(spindles(40, shape=SMALL)))
    kept = observation(found, "ab" * 32)
    assert kept["method"] == METHOD
    assert kept["image_sha256"] == "ab" * 32
    assert kept["parameters"]["best_level"] == 1.4  # type: ignore[index]
    assert kept["confluence_pct"] == round(found.confluence_pct, 1)


# Images that are not ours to ship.


def acceptance(folder: Path) -> list[tuple[str, NDArray[np.uint8], NDArray[np.bool_], float]]:
    from PIL import Image

    images = folder / "images"
    with (images / "truth_confluence.csv").open() as table:
        truth = {row["file"]: float(row["confluence_pct"]) for row in csv.DictReader(table)}
    pixels = {}
    for file in (*truth, *(f"{name[:-4]}_mask.png" for name in truth)):
        with Image.open(images / file) as image:
            pixels[file] = np.array(image)
    return [(name, pixels[name], pixels[f"{name[:-4]}_mask.png"] > 0, pct) for name, pct in truth.items()]


def test_the_eight_images(acceptance_data: Path, record_property) -> None:
    found: dict[str, tuple[float, Confluence]] = {}
    for name, pixels, _, truth in acceptance(acceptance_data):
        found[name] = truth, confluence(pixels)
    errors = {name: one.confluence_pct - truth for name, (truth, one) in found.items()}
    mean = sum(map(abs, errors.values())) / len(errors)
    record_property("confluence_mae", mean)
    assert len(errors) == 8
    assert mean <= 5, errors
    assert max(map(abs, errors.values())) <= 12, errors
    assert not any(one.unsure for _, one in found.values())
    assert all(one.low_pct - 2 <= truth <= one.high_pct + 2 for truth, one in found.values())


def test_closed_patches_of_the_eight_images(acceptance_data: Path) -> None:
    """The fullest patch of each, mirrored to a whole image: never far too low without saying so."""
    for name, pixels, mask, _ in acceptance(acceptance_data):
        tops = [(mask[y : y + 104, x : x + 141].mean(), y, x) for y in range(0, 416, 16) for x in range(0, 563, 16)]
        _, y, x = max(tops)
        patch, cells = (
            np.pad(each[y : y + 104, x : x + 141], ((0, 416), (0, 563)), mode="symmetric") for each in (pixels, mask)
        )
        found = confluence(patch)
        assert found.unsure or math.isclose(found.confluence_pct, 100 * cells.mean(), abs_tol=12), name


def test_an_image_takes_less_than_a_second() -> None:
    image = camera(spindles(50))
    spent = []
    for _ in range(3):
        begun = time.process_time()
        confluence(image)
        spent.append(time.process_time() - begun)
    assert min(spent) < 1
