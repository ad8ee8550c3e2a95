"""Changes that only add to the record: counts and tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cultureops.batch import events as happened
from cultureops.batch.batch import Batch
from cultureops.batch.changes.base import Change
from cultureops.batch.events import Recorded
from cultureops.batch.parts import CountRecord, HeldCount, QcReading, QcSample
from cultureops.ledger.event import Event

__all__ = ["RECORD"]


def _counted(batch: Batch, recorded: happened.Counted | happened.CountAccepted, event: Event) -> Batch:
    waited = next((one.at for one in batch.held_counts if one.sample_id == recorded.sample_id), event.occurred_at)
    count = CountRecord(
        sample_id=recorded.sample_id,
        at=waited,
        passage=recorded.passage,
        stage=recorded.stage,
        replicate=recorded.replicate,
        viability_pct=recorded.viability_pct,
        viable_density_1e6_per_ml=recorded.viable_density_1e6_per_ml,
        device=recorded.device,
    )
    held = tuple(waiting for waiting in batch.held_counts if waiting.sample_id != recorded.sample_id)
    return batch.changed(counts=(*batch.counts, count), held_counts=held)


def _count_held(batch: Batch, recorded: happened.CountHeld, event: Event) -> Batch:
    held = HeldCount(recorded.sample_id, event.occurred_at, recorded.device, recorded.reasons)
    return batch.changed(held_counts=(*batch.held_counts, held))


def _qc_sampled(batch: Batch, recorded: happened.QcSampled, event: Event) -> Batch:
    sample = QcSample(
        recorded.sample_id,
        recorded.test,
        recorded.passage,
        recorded.stage,
        recorded.route,
        event.occurred_at,
    )
    return batch.changed(qc=(*batch.qc, sample))


def _qc_resulted(batch: Batch, recorded: happened.QcResulted, event: Event) -> Batch:
    reading = QcReading(
        event.occurred_at,
        recorded.outcome,
        recorded.final,
        recorded.value_eu_per_ml,
        tuple(sorted(recorded.panel.items())),
    )
    return batch.changed(
        qc=tuple(
            replace(sample, readings=(*sample.readings, reading)) if sample.sample_id == recorded.sample_id else sample
            for sample in batch.qc
        ),
    )


RECORD: Final[dict[type[Recorded], Change]] = {
    happened.Counted: _counted,
    happened.CountHeld: _count_held,
    happened.CountAccepted: _counted,
    happened.QcSampled: _qc_sampled,
    happened.QcResulted: _qc_resulted,
}
