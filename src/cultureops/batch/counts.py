"""Cell-counter results on their way into a batch: whose they are, can they be true, what do they amount to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.analysis.counting import implausibilities, replicates
from cultureops.batch.batch import Batch
from cultureops.batch.commands import Count, HoldCount
from cultureops.batch.field import BATCH_ID
from cultureops.batch.parts import CountRecord
from cultureops.batch.recipe_schema import Counting, Recipe
from cultureops.clock import HOUR_MS, Instant
from cultureops.device.driver import CountResult
from cultureops.errors import BatchError

__all__ = [
    "CountsUnusable",
    "PooledCount",
    "SampleId",
    "count_command",
    "counts_to_resuspend",
    "parse_sample_id",
    "pool",
]

_SAMPLE: Final = re.compile(
    rf"(?P<batch>{BATCH_ID})\."
    r"(?:P(?P<passage>0|[1-9][0-9]?)-)?(?P<stage>[a-z][a-z_]{0,29})-(?P<replicate>0|[1-9][0-9]{0,2})"
)
"""Numbers without leading zeros: ``product-1`` and ``product-01`` would count as two replicates of one sample."""


class CountsUnusable(BatchError):
    """There are too few counts, or they differ too much."""


@dataclass(frozen=True, slots=True)
class SampleId:
    """What a sample id says: batch, passage (None for the product), stage and replicate."""

    batch_id: str
    passage: int | None
    stage: str
    replicate: int


@dataclass(frozen=True, slots=True)
class PooledCount:
    """Replicates taken together; densities in 10^6 cells/mL."""

    n: int
    viable_density_1e6_per_ml: float
    cv_pct: float | None
    viability_pct: float
    sample_ids: tuple[str, ...]


def parse_sample_id(text: str) -> SampleId:
    """Read ``<batch>.[P<passage>-]<stage>-<replicate>``, e.g. ``B-2026-001.P1-harvest-1``, ``B1.product-2``.

    Raises BatchError for anything else: a sample is never attributed by guessing.
    """
    found = _SAMPLE.fullmatch(text)
    if found is None:
        raise BatchError(f"sample id {text[:80]!r} names no sample of a batch; expected e.g. B-2026-001.P1-harvest-1")
    passage = found["passage"]
    return SampleId(found["batch"], None if passage is None else int(passage), found["stage"], int(found["replicate"]))


def count_command(result: CountResult, device: str) -> Count | HoldCount:
    """Turn a counter's result into the details of a command: to count, or to be held for a person.

    Raises BatchError when the sample id names no sample of a batch.
    """
    parse_sample_id(result.sample_id)
    viability, viable_density = result.viability_pct, result.viable_density_1e6_per_ml
    if viability is None or viable_density is None:
        return _hold(result, device, (*result.flags, "viability or viable density is missing"))
    reasons = (
        *result.flags,
        *implausibilities(
            viability,
            viable_density,
            result.total_density_1e6_per_ml,
            result.viable_cells,
            result.total_cells,
        ),
    )
    if reasons:
        return _hold(result, device, reasons)
    try:
        return Count(
            sample_id=result.sample_id,
            device=device,
            counted_at_local=result.counted_at_local,
            viability_pct=viability,
            viable_density_1e6_per_ml=viable_density,
            total_density_1e6_per_ml=result.total_density_1e6_per_ml,
            viable_cells=result.viable_cells,
            total_cells=result.total_cells,
            average_diameter_um=result.average_diameter_um,
            source_file=result.source_file,
            source_sha256=result.source_sha256,
        )
    except BatchError as error:
        return _hold(result, device, (str(error),))


def _hold(result: CountResult, device: str, reasons: tuple[str, ...]) -> HoldCount:
    figures = (
        "viability_pct",
        "viable_density_1e6_per_ml",
        "total_density_1e6_per_ml",
        "viable_cells",
        "total_cells",
        "average_diameter_um",
    )
    return HoldCount(
        sample_id=result.sample_id,
        device=device,
        counted_at_local=result.counted_at_local,
        source_file=result.source_file,
        source_sha256=result.source_sha256,
        reasons=tuple(dict.fromkeys(reason[:200] for reason in reasons)),
        raw={name: str(getattr(result, name)) for name in figures},
    )


def pool(counts: Sequence[CountRecord], limits: Counting) -> PooledCount:
    """Return the mean of replicates; raise CountsUnusable when they are too few or too far apart."""
    wanted = int(limits.min_replicates.value)
    if len(counts) < wanted:
        raise CountsUnusable(f"{len(counts)} found, at least {wanted} replicates expected; count again")
    spread = replicates([count.viable_density_1e6_per_ml for count in counts])
    if spread.mean <= 0:
        raise CountsUnusable("no viable cell was counted")
    if spread.cv_pct is not None and spread.cv_pct > limits.max_cv.value:
        raise CountsUnusable(
            f"replicates differ by {spread.cv_pct:.1f} % (CV), allowed are {limits.max_cv.value:g} %; count again"
        )
    return PooledCount(
        n=spread.n,
        viable_density_1e6_per_ml=spread.mean,
        cv_pct=spread.cv_pct,
        viability_pct=replicates([count.viability_pct for count in counts]).mean,
        sample_ids=tuple(count.sample_id for count in counts),
    )


def counts_to_resuspend(batch: Batch, recipe: Recipe, at: Instant) -> tuple[CountRecord, ...]:
    """Return the counts that say how many cells there are to resuspend: of the harvest, or after the last wash.

    Only those that are still valid at ``at`` [ms UTC]: older ones say nothing about the cells of now.
    """
    oldest = at - round(recipe.release.count_valid.value * HOUR_MS)
    if not recipe.is_frozen:
        return batch.counts_of("harvest", batch.harvest.passage if batch.harvest else None, oldest)
    return batch.counts_of("washed", None, max(oldest, batch.washes[-1].at)) if batch.washes else ()
