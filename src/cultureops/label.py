"""Labels for vessels, vials and containers: what a scanner reads and what a person reads, ready to print.

Each label carries two codes: the container's own name as a Data Matrix (ISO/IEC 16022), which fits on a vial, and the
chain-of-identity token as a QR code (ISO/IEC 18004), which is what two scans are compared with at every hand-over.
Never a patient's name: nobody here knows one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

from cultureops.batch.batch import Batch
from cultureops.clock import local_text

__all__ = ["KINDS", "Label", "LabelKind", "Size", "data_matrix", "labels_of", "page", "qr_code"]

LabelKind: TypeAlias = Literal["vessels", "vials", "containers"]
Modules: TypeAlias = tuple[tuple[bool, ...], ...]
"""Rows of a code from the top, dark where True, without its quiet zone."""

_QUIET_MODULES: Final = {"datamatrix": 1, "qr": 4}


@dataclass(frozen=True, slots=True)
class Size:
    """A label's width and height, and the side of each code on it, quiet zone included [mm]."""

    width_mm: float
    height_mm: float
    code_mm: float


KINDS: Final[tuple[LabelKind, ...]] = get_args(LabelKind)
_SIZES: Final[Mapping[LabelKind, Size]] = {
    "vessels": Size(70, 30, 18),
    "vials": Size(46, 13, 11),
    "containers": Size(90, 40, 24),
}


@dataclass(frozen=True, slots=True)
class Label:
    """One label: the scanned ``container`` and ``patient_token``, and lines for people, the most important first."""

    kind: LabelKind
    container: str
    patient_token: str
    lines: tuple[str, ...]

    @property
    def size(self) -> Size:
        """How large it is printed."""
        return _SIZES[self.kind]


def data_matrix(text: str) -> Modules:
    """Return a text as a Data Matrix (ECC 200); raises ValueError for what can't be encoded."""
    from ppf.datamatrix import DataMatrix

    return tuple(tuple(bool(module) for module in row) for row in DataMatrix(text).matrix)


def qr_code(text: str) -> Modules:
    """Return a text as a QR code with error correction M; raises ValueError for what can't be encoded."""
    import segno

    return tuple(tuple(bool(module) for module in row) for row in segno.make(text, error="m", micro=False).matrix)


def labels_of(batch: Batch, kind: LabelKind, zone: ZoneInfo) -> tuple[Label, ...]:
    """Return the labels of what a batch has of a kind: one for each vessel, stored vial or filled container."""
    if kind == "vessels":
        return tuple(
            _label(batch, kind, f"{group.id}.{number}", (f"{group.vessel_type} {number} of {group.n_vessels}",))
            for group in batch.groups
            for number in range(1, group.n_vessels + 1)
        )
    if kind == "vials":
        frozen = "-" if batch.frozen_at is None else local_text(batch.frozen_at, zone)[:10]
        return tuple(
            _label(batch, kind, vial.id, (f"{vial.cells / 1e6:g}e6, {batch.dmso_pct:g} % DMSO", f"frozen {frozen}"))
            for vial in batch.vials
            if vial.place is not None
        )
    expires = "-" if batch.resuspension is None else local_text(batch.resuspension.expires_at, zone)
    return tuple(
        _label(
            batch,
            kind,
            dose.container,
            (f"{dose.route}: {dose.viable_cells / 1e6:.3g}e6 cells in {dose.volume_ml:g} mL", f"use before {expires}"),
        )
        for dose in batch.doses
        if dose.given_at is None
    )


def _label(batch: Batch, kind: LabelKind, container: str, details: Sequence[str]) -> Label:
    return Label(kind, container, batch.patient_token, (container, f"patient {batch.patient_token}", *details))


def page(labels: Iterable[Label], title: str) -> str:
    """Return an HTML page of labels for any printer: sizes in mm, no script, nothing loaded from elsewhere."""
    figures = "\n".join(f'<figure class="label">{_svg(label)}</figure>' for label in labels)
    return _PAGE.format(title=escape(title), figures=figures)


_PAGE: Final = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
@page {{ size: A4; margin: 10mm }}
body {{ margin: 0; font-family: sans-serif; background: white; color: black }}
.label {{ display: inline-block; margin: 0 2mm 2mm 0; border: 0.2mm dashed #888; break-inside: avoid }}
svg {{ display: block }}
</style>
<main>
{figures}
</main></html>
"""


def _svg(label: Label) -> str:
    """Draw one label: codes left and right, words between them."""
    size = label.size
    top = (size.height_mm - size.code_mm) / 2
    left = _code(data_matrix(label.container), _QUIET_MODULES["datamatrix"], 0.5, top, size.code_mm)
    right = _code(
        qr_code(label.patient_token), _QUIET_MODULES["qr"], size.width_mm - size.code_mm - 0.5, top, size.code_mm
    )
    room_mm = size.width_mm - 2 * size.code_mm - 3
    height_mm = min((size.height_mm - 1.5) / len(label.lines), room_mm / (0.62 * max(map(len, label.lines))))
    words = "".join(
        f'<text x="{size.code_mm + 1.5:.2f}" y="{1 + height_mm * (row + 0.8):.2f}" '
        f'font-size="{height_mm * 0.95:.2f}"{_BOLD if row == 0 else ""}>{escape(line)}</text>'
        for row, line in enumerate(label.lines)
    )
    name = escape(f"Label {label.container} for patient {label.patient_token}", quote=True)
    return (
        f'<svg role="img" aria-label="{name}" xmlns="http://www.w3.org/2000/svg" width="{size.width_mm}mm" '
        f'height="{size.height_mm}mm" viewBox="0 0 {size.width_mm} {size.height_mm}">{left}{right}{words}</svg>'
    )


_BOLD: Final = ' font-weight="bold"'


def _code(modules: Modules, quiet: int, x_mm: float, y_mm: float, side_mm: float) -> str:
    """Draw a code with its quiet zone into a square, one rectangle for each run of dark modules."""
    module_mm = side_mm / (len(modules) + 2 * quiet)
    runs = "".join(
        f"M{start} {row}h{length}v1h-{length}z"
        for row, line in enumerate(modules)
        for start, length in _dark_runs(line)
    )
    place = f"translate({x_mm + quiet * module_mm:.3f} {y_mm + quiet * module_mm:.3f}) scale({module_mm:.4f})"
    return f'<path transform="{place}" shape-rendering="crispEdges" d="{runs}"/>'


def _dark_runs(line: Sequence[bool]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for column, dark in enumerate(line):
        if not dark:
            continue
        if found and sum(found[-1]) == column:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((column, 1))
    return found
