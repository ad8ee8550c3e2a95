"""Which steps have hands on a patient's material: there container and patient are scanned first, whoever asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from cultureops.batch import commands as asked
from cultureops.batch.batch import Batch
from cultureops.batch.commands import Identified
from cultureops.batch.containers import containers_of, named_by
from cultureops.batch.field import Details
from cultureops.batch.parts import VialStatus

__all__ = ["HANDS_ON", "STOP", "misidentified", "named_in"]

STOP: Final = "stop and fetch a second person"
"""What to do when a scan does not fit: nobody goes on alone with material that may be another patient's."""
HANDS_ON: Final[frozenset[type[Details]]] = frozenset(
    {
        *(asked.ReceiveMarrow, asked.Isolate, asked.Seed, asked.ChangeMedium, asked.ObserveConfluence),
        *(asked.Move, asked.Split, asked.Pool, asked.Discard, asked.Passage, asked.Harvest),
        *(asked.Freeze, asked.MoveVials, asked.DiscardVials),
        *(asked.TransferOut, asked.TransferIn, asked.Thaw, asked.Wash, asked.StartLabelling, asked.EndLabelling),
        *(asked.Resuspend, asked.Formulate, asked.Ship, asked.ReceiveAtSite, asked.Administer),
        *(asked.HandOver, asked.Destroy, asked.SampleQc),
    }
)
"""Steps on which pages and the API insist on ``Command.identified``; desk work such as notes and results is the rest.

A look at a cryostore is none of them: nobody takes a vial out of the cold for the sake of a scan.
"""
_VIALS_OF: Final[Mapping[type[Details], VialStatus]] = {
    asked.TransferOut: "authorised",
    asked.TransferIn: "in_transfer",
    asked.Thaw: "received",
}
"""Steps that work on all vials which have come so far; one that stays in the store is the wrong one in hand."""
_MOST_TOLD: Final = 3


def misidentified(batch: Batch, scanned: Identified, named: Collection[str] = ()) -> str:
    """Say what is wrong with what was scanned before a step; empty where container and patient are this batch's.

    ``named`` are the containers that the step says it works on: one of them must have been in hand, or the label of the
    whole batch; for a filled container nothing but its own label will do, since each is for one route. A token that was
    scanned is never repeated: it may be another patient's.
    """
    if scanned.token != batch.patient_token:
        return "the token that was scanned is not this batch's patient"
    if scanned.container not in containers_of(batch):
        return f"{scanned.container[:80]} is no container of this batch that is in use"
    is_dose = any(dose.container in named for dose in batch.doses)
    if scanned.container == batch.id and not is_dose:
        return ""
    if named and not any(named_by(scanned.container, name) for name in named):
        told = sorted(named)[:_MOST_TOLD]
        more = f" or another {len(named) - len(told)}" if len(named) > len(told) else ""
        return f"{scanned.container[:80]} is not {' or '.join(told)}{more}, which this step is about"
    return ""


def named_in(batch: Batch, details: Details) -> tuple[str, ...]:
    """Return the containers that a step works on, by name or as what has come so far; empty where that is any."""
    if (status := _VIALS_OF.get(type(details))) is not None:
        return tuple(vial.id for vial in batch.vials_in(status))
    match details:
        case asked.Administer():
            return (details.container,)
        case asked.MoveVials():
            return tuple(vial.vial for vial in details.vials)
        case asked.DiscardVials():
            return details.vials
        case asked.Seed():
            return ()  # names what does not exist yet
    vessels: str | tuple[str, ...] = getattr(details, "vessels", ())
    return (vessels,) if isinstance(vessels, str) else vessels
