"""Drawn phase-contrast images whose covered area is known: no recording, only what a lens and a camera would do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["Drawing", "camera", "empty", "monolayer", "round_cells", "spindles"]


@dataclass(frozen=True)
class Drawing:
    """Relative intensity (1 = bare plastic) without noise, and where cells are."""

    light: npt.NDArray[np.float64]
    cells: npt.NDArray[np.bool_]

    @property
    def pct(self) -> float:
        return 100 * float(self.cells.mean())


def empty(shape: tuple[int, int] = (520, 704)) -> Drawing:
    return Drawing(np.ones(shape), np.zeros(shape, dtype=bool))


@cache
def spindles(
    pct: float, seed: int = 1, shape: tuple[int, int] = (520, 704), contrast: float = 2.5, scale: float = 1.0
) -> Drawing:
    """Spread fibroblast-like cells: long tapered bodies with granules, an oval nucleus and bright thin edges."""
    rng = np.random.default_rng(seed)
    cells, thickness, nuclei = np.zeros(shape, dtype=bool), np.zeros(shape), np.zeros(shape)
    for _ in range(4000):
        if cells.mean() >= pct / 100:
            break
        length, width = scale * rng.uniform(35, 80), scale * rng.uniform(9, 22)
        along, across, window = _axes(rng, shape, length)
        taper = np.clip(1 - (along / length) ** 2, 0, None)
        body = np.abs(across) < width * taper**1.3
        height = np.sqrt(np.clip(1 - (across / np.maximum(width * taper**1.3, 1e-6)) ** 2, 0, 1)) * body
        cells[window] |= body
        thickness[window] = np.maximum(thickness[window], height)
        nuclei[window] += (along / (0.16 * length)) ** 2 + (across / (0.5 * width)) ** 2 < 1
    grains = _grains(rng, shape, 1.2 * scale) * cells
    edge = _edge(cells, 1.5 * scale)
    light = 0.025 * grains + 0.05 * edge - 0.03 * _bandpass(thickness, 2 * scale, 8 * scale)
    light += 0.03 * _bandpass(np.minimum(nuclei, 1), scale, 4 * scale)
    return Drawing(1 + contrast * light, cells)


@cache
def round_cells(
    pct: float,
    seed: int = 1,
    shape: tuple[int, int] = (520, 704),
    radius: float = 10.0,
    halo: float = 0.15,
    gap: float = 1.0,
) -> Drawing:
    """Rounded cells that barely touch, dark inside, each within a bright halo that fills the gaps to its neighbours."""
    rng = np.random.default_rng(seed)
    cells = np.zeros(shape, dtype=bool)
    profile = np.zeros(shape)
    for _ in range(60_000):
        if cells.mean() >= pct / 100:
            break
        size = radius * rng.uniform(0.75, 1.25)
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        window = _window(shape, y, x, size + gap + 1)
        rows, columns = np.mgrid[window]
        distance = np.hypot(rows - y, columns - x)
        if (cells[window] & (distance < size + gap)).any():
            continue
        cells[window] |= distance < size
        profile[window] += np.clip(1 - (distance / size) ** 2, 0, None)
    outside = ndimage.distance_transform_edt(~cells)
    ring = np.exp(-np.maximum(outside - 0.5, 0) / (0.25 * radius)) * ~cells
    grains = _grains(rng, shape, 1.2) * cells
    light = 1 + halo * ring - 0.5 * halo * np.sqrt(profile) * cells + 0.25 * halo * grains
    return Drawing(ndimage.gaussian_filter(light, 0.7), cells)


@cache
def monolayer(
    pct: float = 100.0,
    seed: int = 1,
    shape: tuple[int, int] = (520, 704),
    cell_px: float = 45.0,
    border: float = 0.06,
    grain: float = 0.035,
) -> Drawing:
    """A sheet of smooth polygonal cells with faint borders, nuclei and granules; holes where ``pct`` is below 100."""
    rng = np.random.default_rng(seed)
    count = round(shape[0] * shape[1] / cell_px**2)
    seeds = rng.uniform(0, 1, (count, 2)) * shape
    image = np.zeros(shape, dtype=int)
    image[tuple(np.minimum(seeds.astype(int), np.array(shape) - 1).T)] = 1
    labels, _ = ndimage.label(image)
    nearest = ndimage.distance_transform_edt(image == 0, return_distances=False, return_indices=True)
    owner = labels[tuple(nearest)]
    holes = ndimage.gaussian_filter(rng.normal(size=shape), cell_px / 2)
    cells = holes <= np.quantile(holes, pct / 100) if pct < 100 else np.ones(shape, dtype=bool)
    borders = ndimage.gaussian_filter(
        (owner != np.roll(owner, 1, 0)) | (owner != np.roll(owner, 1, 1)), 1.0, output=float
    )
    nuclei = ndimage.distance_transform_edt(image == 0) < 0.18 * cell_px
    light = border * borders * 3 + 0.02 * _bandpass(nuclei, 1, 4) + grain * _grains(rng, shape, 1.2)
    return Drawing(1 + light * cells + 0.05 * _edge(cells, 1.5), cells)


def camera(
    drawing: Drawing,
    *,
    noise: float = 0.009,
    level: float = 128.0,
    vignette: float = 0.0,
    blur_px: float = 0.0,
    sixteen_bit: bool = False,
    seed: int = 9,
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Photograph a drawing: defocus, uneven illumination, photon noise [relative to the level], rounding."""
    rng = np.random.default_rng(seed)
    light = ndimage.gaussian_filter(drawing.light, blur_px) if blur_px else drawing.light
    rows, columns = (np.linspace(-1, 1, n) for n in light.shape)
    light = light * (
        1 - vignette * (rows[:, None] ** 2 + columns[None, :] ** 2) / 2 + 0.3 * vignette * columns[None, :]
    )
    light = light + rng.normal(0, noise, light.shape) * np.sqrt(np.clip(light, 0.05, None))  # photons are counted
    if sixteen_bit:
        return np.clip(np.rint(level * 200 * light), 0, 65535).astype(np.uint16)
    return np.clip(np.rint(level * light), 0, 255).astype(np.uint8)


def _window(shape: tuple[int, int], y: float, x: float, reach: float) -> tuple[slice, slice]:
    return (
        slice(max(int(y - reach), 0), min(int(y + reach) + 2, shape[0])),
        slice(max(int(x - reach), 0), min(int(x + reach) + 2, shape[1])),
    )


def _axes(
    rng: np.random.Generator, shape: tuple[int, int], length: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], tuple[slice, slice]]:
    y, x, angle = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(0, np.pi)
    window = _window(shape, y, x, length)
    rows, columns = np.mgrid[window]
    along = (rows - y) * np.sin(angle) + (columns - x) * np.cos(angle)
    across = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
    return along, across, window


def _grains(rng: np.random.Generator, shape: tuple[int, int], size_px: float) -> npt.NDArray[np.float64]:
    grains = ndimage.gaussian_filter(rng.normal(size=shape), size_px)
    return grains / grains.std()


def _bandpass(values: npt.NDArray[np.float64], inner_px: float, outer_px: float) -> npt.NDArray[np.float64]:
    values = values.astype(float)
    return ndimage.gaussian_filter(values, inner_px) - ndimage.gaussian_filter(values, outer_px)


def _edge(cells: npt.NDArray[np.bool_], width_px: float) -> npt.NDArray[np.float64]:
    inside = ndimage.distance_transform_edt(cells)
    return np.exp(-inside / width_px) * cells
