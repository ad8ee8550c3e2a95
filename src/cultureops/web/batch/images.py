"""The images of a batch's cells: which there are, who may add one, and the look that a person makes of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cultureops.batch.batch import Batch
from cultureops.batch.commands import ImageEvidence, ObserveConfluence
from cultureops.batch.field import Details
from cultureops.batch.looks import Look, looks
from cultureops.errors import BatchError
from cultureops.field import Unfit
from cultureops.web.batch.micrograph import Micrograph
from cultureops.web.form.details_filled import number_of
from cultureops.web.step.entry import StepEntry

__all__ = ["GalleryImage", "ImageEntry", "gallery"]


@dataclass(frozen=True, slots=True)
class GalleryImage:
    """One image: the looks that rest on it or name it, the latest first, and who uploaded it, empty where unknown."""

    sha256: str
    looks: tuple[Look, ...]
    uploaded_by: str


def gallery(batch: Batch, uploaded: Mapping[str, str]) -> tuple[GalleryImage, ...]:
    """Return every image of a batch: those that nobody has looked at yet first, then by time, the latest first."""
    named: dict[str, list[Look]] = {}
    for look in reversed(looks(batch)):
        for sha256 in look.images:
            named.setdefault(sha256, []).append(look)
    waiting = [GalleryImage(sha256, (), who) for sha256, who in uploaded.items() if sha256 not in named]
    seen = [GalleryImage(sha256, tuple(found), uploaded.get(sha256, "")) for sha256, found in named.items()]
    return (*reversed(waiting), *seen)


@dataclass(frozen=True)
class ImageEntry(StepEntry):
    """The filled form of a look that somebody makes of an image."""

    image: Micrograph

    @property
    def details(self) -> Details:
        """The look; raises Unfit that names the field."""
        return _look_from(self.form, self.image)

    def without_scans(self) -> ImageEntry:
        """Return the same as if nothing had been scanned: a wrong pair is scanned anew."""
        return replace(self, form={name: text for name, text in self.form.items() if not name.startswith("scan_")})


def _look_from(form: Mapping[str, Any], image: Micrograph) -> ObserveConfluence:
    """Return the look that a person makes of an image; raises Unfit that names the field, and why.

    What rests on the image lies within its reading; who saw something else has looked at the cells, and says so. The
    image then only stands beside it.
    """
    problems: dict[str, str] = {}
    numbers: dict[str, float] = {}
    for name, most in (("confluence_pct", 100.0), ("n_fields", 1_000.0)):
        try:
            numbers[name] = number_of(str(form.get(name, "")).strip())
        except (BatchError, ValueError) as problem:
            problems[name] = str(problem)
        else:
            if not 0 <= numbers[name] <= most:
                problems[name] = f"type a number from 0 to {most:g}"
    basis, pct = form.get("basis", ""), numbers.get("confluence_pct")
    if basis not in ("image", "visual"):
        problems["basis"] = "say what your figure rests on"
    elif basis == "image" and pct is not None and not image.low_pct <= pct <= image.high_pct:
        problems["confluence_pct"] = (
            f"{pct:g} % is not within the image's {image.low_pct:g} to {image.high_pct:g} %; type another, or say "
            "that you looked at the cells yourself"
        )
    if problems:
        raise Unfit("; ".join(problems.values()), problems)
    evidence = ImageEvidence(
        image_sha256=image.sha256,
        method=image.method,
        parameters=dict(image.parameters),
        low_pct=image.low_pct,
        high_pct=image.high_pct,
        unsure=image.unsure,
        reason=image.reason,
    )
    return ObserveConfluence(
        vessels=str(form.get("vessels", "")).strip(),
        confluence_pct=numbers["confluence_pct"],
        method="image" if basis == "image" else "visual",
        n_fields=numbers["n_fields"],  # type: ignore[arg-type]  # the model refuses what is no whole number
        image_sha256=image.sha256,
        evidence=(evidence,) if basis == "image" else (),
    )
