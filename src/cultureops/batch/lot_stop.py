"""What a stopped lot means for the batches that have used it: their own streams say so, in the same transaction.

A release that is decided meanwhile then conflicts, and one that comes later finds the record changed since its review.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from cultureops.batch.batch import stream_of
from cultureops.batch.events import DeviationOpened, LotStopped, data_of
from cultureops.batch.evolve import fold
from cultureops.batch.state import State
from cultureops.batch.steps.base import free_deviation_id
from cultureops.ledger.event import NewEvent, Source
from cultureops.ledger.store import Group, Ledger
from cultureops.material.use import uses_of

__all__ = ["tell_batches"]

_STOPS: Final[dict[str, Literal["quarantined", "recalled", "rejected"]]] = {
    "lot_quarantined": "quarantined",
    "lot_recalled": "recalled",
    "lot_rejected": "rejected",
}
_GONE: Final = frozenset({State.REJECTED, State.DESTROYED})


def tell_batches(ledger: Ledger, lot_id: str, decided: NewEvent) -> Sequence[Group]:
    """Return what the batches that name a lot are told of an event of the lot: a deviation, where it stops the lot."""
    status = _STOPS.get(decided.type)
    if status is None:
        return ()
    found: list[Group] = []
    for batch_id in sorted({use.batch_id for use in uses_of(lot_id, ledger.read_all())}):
        batch = fold(ledger.read(stream_of(batch_id)))
        if batch is None or batch.state in _GONE:
            continue
        text = decided.reason or "no reason was given"
        said = f"lot {lot_id} of this batch is {status}: {text}"
        deviation = DeviationOpened(
            deviation_id=free_deviation_id(batch),
            severity="critical" if status == "recalled" else "major",
            subject="material",
            description=said[:2_000],
        )
        events = [
            NewEvent("lot_stopped", data_of(LotStopped(lot=lot_id, status=status, text=text)), decided.actor, _SOURCE),
            NewEvent("deviation_opened", data_of(deviation), decided.actor, _SOURCE),
        ]
        found.append((stream_of(batch_id), events, batch.version))
    return found


_SOURCE: Final = Source.SYSTEM
