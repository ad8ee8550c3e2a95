"""What a stopped lot means for the batches that have used it: their own streams say so, in the same transaction.

A release that is decided meanwhile then conflicts, and one that comes later finds the record changed since its review.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.events import DeviationOpened, LotStopped, data_of
from cultureops.batch.evolve import fold
from cultureops.batch.state import State
from cultureops.batch.steps.base import free_deviation_id
from cultureops.errors import BatchError
from cultureops.ledger.event import Actor, NewEvent, Source
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
    """Return what the batches that name a lot are told of an event of the lot: a deviation, where it stops the lot.

    A batch whose record this program can't read is told all the same, without a deviation: a recall waits for nobody.
    """
    status = _STOPS.get(decided.type)
    if status is None:
        return ()
    text = decided.reason or "no reason was given"
    stopped = NewEvent(
        "lot_stopped", data_of(LotStopped(lot=lot_id, status=status, text=text)), decided.actor, Source.SYSTEM
    )
    found: list[Group] = []
    for batch_id in sorted({use.batch_id for use in uses_of(lot_id, ledger.read_all())}):
        stream = stream_of(batch_id)
        try:
            batch = fold(ledger.read(stream))
        except BatchError:
            found.append((stream, [stopped], None))
            continue
        if batch is not None and batch.state not in _GONE:
            found.append((stream, [stopped, _deviation(batch, lot_id, status, text, decided.actor)], batch.version))
    return found


def _deviation(batch: Batch, lot_id: str, status: str, text: str, actor: Actor) -> NewEvent:
    deviation = DeviationOpened(
        deviation_id=free_deviation_id(batch),
        severity="critical" if status == "recalled" else "major",
        subject="material",
        description=f"lot {lot_id} of this batch is {status}: {text}"[:2_000],
    )
    return NewEvent("deviation_opened", data_of(deviation), actor, Source.SYSTEM)
