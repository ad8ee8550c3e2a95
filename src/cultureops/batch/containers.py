"""What labels of a batch carry: every code that a scanner may read of it now, and what stands behind the code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cultureops.batch.batch import Batch
from cultureops.batch.parts import VialStatus

__all__ = ["batch_with", "containers_of", "named_by"]

_FROZEN: Final[tuple[VialStatus, ...]] = ("stored", "authorised", "in_transfer", "received")


def containers_of(batch: Batch) -> Mapping[str, str]:
    """Return every code that a label of this batch can carry now, with what it is in words; the batch's id is first."""
    found = {batch.id: f"batch {batch.id}"}
    for group in batch.groups:
        found[group.id] = f"{group.n_vessels} × {group.vessel_type}"
        for number in range(1, group.n_vessels + 1):
            found[f"{group.id}.{number}"] = f"{group.vessel_type} {number} of {group.n_vessels}"
    for vial in batch.vials_in(*_FROZEN):
        found[vial.id] = f"vial, {vial.status.replace('_', ' ')}"
    for dose in batch.doses:
        if dose.given_at is None:
            found[dose.container] = f"container for {dose.route}"
    for sample in batch.qc:
        if not any(reading.final for reading in sample.readings):
            found[sample.sample_id] = f"{sample.test} sample"
    for held in batch.held_counts:
        found[held.sample_id] = "count on hold"
    return found


def batch_with(batches: Iterable[Batch], code: str) -> tuple[Batch, str] | None:
    """Return the batch that carries a scanned container code or patient token, and what was scanned in words.

    Of several batches of one patient it is the one opened last that goes on still, else the one opened last.
    """
    newest_first = sorted(batches, key=lambda batch: (batch.ended_at is None, batch.created_at, batch.id), reverse=True)
    for batch in newest_first:
        if (words := containers_of(batch).get(code)) is not None:
            return batch, words
    of_patient = (batch for batch in newest_first if batch.patient_token == code)
    return next(((batch, f"patient {code}") for batch in of_patient), None)


def named_by(container: str, named: str) -> bool:
    """Whether a scanned code is what a step names: that group of vessels or one vessel of it, or that very container.

    The code of the whole batch fits whatever is named.
    """
    return container == named or container.startswith(f"{named}.")
