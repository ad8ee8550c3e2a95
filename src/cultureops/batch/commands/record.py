"""Commands that only add to the record: counts, tests, notes, corrections."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cultureops.batch.commands.base import QcTest, Route
from cultureops.batch.field import Cells, Density, Details, Flag, Name, Percent, SampleName, Sha256, Text

__all__ = [
    "AcceptCount",
    "Correct",
    "Count",
    "HoldCount",
    "Note",
    "RecordQcResult",
    "RejectResultFile",
    "SampleQc",
]


class _Figures(Details):
    """One count of one sample; densities in 10^6 cells/mL."""

    sample_id: SampleName
    viability_pct: Percent
    viable_density_1e6_per_ml: Density
    total_density_1e6_per_ml: Density | None = None


class Count(_Figures):
    """Take a cell counter's result as it is; ``counted_at_local`` is the instrument's own time."""

    device: Name
    counted_at_local: Name
    viable_cells: Cells | None = None
    total_cells: Cells | None = None
    average_diameter_um: Annotated[float, Field(strict=True, ge=0, le=1_000)] | None = None
    source_file: Name
    source_sha256: Sha256


class HoldCount(Details):
    """Hold an implausible result for a person; ``raw`` is what the instrument wrote, as text."""

    sample_id: SampleName
    device: Name
    counted_at_local: Name
    source_file: Name
    source_sha256: Sha256
    reasons: Annotated[tuple[Name, ...], Field(min_length=1)]
    raw: dict[str, Text]


class AcceptCount(_Figures):
    """Let a held count count, with the figures a person stands for."""


class RejectResultFile(Details):
    """Record that a result file which names this batch could not be read."""

    source_file: Name
    source_sha256: Sha256
    moved_to: Name
    error: Text


class SampleQc(Details):
    """Take a sample for a test, of a passage or of the product (for endotoxin: of one route's container).

    A repeat of a failed test names the sample that it repeats and the out-of-specification record it belongs to.
    """

    sample_id: SampleName
    test: QcTest
    method: Name
    stage: Literal["passage", "product"]
    route: Route | None = None
    repeats: SampleName | None = None
    deviation_id: SampleName | None = None


class RecordQcResult(Details):
    """Enter a test's result; what is measured is endotoxin [EU/mL], or ``panel`` [%] by marker."""

    sample_id: SampleName
    outcome: Literal["negative", "positive", "measured"]
    final: Flag
    lab: Name
    value_eu_per_ml: Annotated[float, Field(strict=True, ge=0, le=1e6)] | None = None
    panel: dict[str, Percent] = Field(default_factory=dict)


class Note(Details):
    """Say something for the record."""

    text: Annotated[Text, Field(min_length=1)]


class Correct(Details):
    """Correct one field of an earlier event, with a reason; the first value stays on record."""

    event_id: Name
    field: Name
    value: str | bool | int | float
