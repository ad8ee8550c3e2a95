"""One image file after the other: its confluence, or why it has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cultureops.analysis.confluence import METHOD, Confluence, confluence, observation
from cultureops.errors import CultureOpsError
from cultureops.imaging.overlay import overlay
from cultureops.imaging.reading import read_image_and_hash

__all__ = ["Judged", "as_json", "judge_file", "line_of"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A file and what it shows; ``found`` is None where it can't be read, and ``refusal`` says why."""

    file: Path
    found: Confluence | None = None
    image_sha256: str | None = None
    refusal: str = ""
    overlay: Path | None = None

    @property
    def done(self) -> bool:
        """Whether everything asked for was done."""
        return not self.refusal


def judge_file(file: Path, overlay_folder: Path | None = None) -> Judged:
    """Return the confluence of an image file, and write its overlay picture into a folder where one is named.

    The overlay is called after the file and the first digits of its hash, so that equal names do not meet.
    """
    try:
        pixels, sha256 = read_image_and_hash(file)
        found = confluence(pixels)
    except (CultureOpsError, ValueError) as error:
        return Judged(file, refusal=str(error))
    if overlay_folder is None:
        return Judged(file, found, sha256)
    target = overlay_folder / f"{file.stem}-{sha256[:8]}.png"
    try:
        overlay_folder.mkdir(parents=True, exist_ok=True)
        overlay(pixels, found, file.name).save(target)
    except OSError as error:
        return Judged(file, found, sha256, refusal=f"{target}: the overlay was not written: {error.strerror or error}")
    return Judged(file, found, sha256, overlay=target)


def as_json(judged: Judged) -> dict[str, object]:
    """Return the object that ``confluence --json`` prints for a file; figures are null where there are none."""
    if judged.found is None or judged.image_sha256 is None:
        return {
            "file": str(judged.file),
            "confluence_pct": None,
            "low": None,
            "high": None,
            "unsure": True,
            "reason": judged.refusal,
            "image_sha256": None,
            "method": METHOD,
            "parameters": None,
            "overlay": None,
        }
    return {
        "file": str(judged.file),
        **observation(judged.found, judged.image_sha256),
        "overlay": None if judged.overlay is None else str(judged.overlay),
    }


def line_of(judged: Judged) -> str:
    """Return the line that ``confluence`` prints for a file."""
    found = judged.found
    if found is None:
        return judged.refusal
    figures = f"{judged.file}: {found.confluence_pct:.1f} % ({found.low_pct:.0f} to {found.high_pct:.0f})"
    return f"{figures}, UNSURE: {found.reason}" if found.unsure else figures
