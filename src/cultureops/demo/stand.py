"""What lies on the bench for one batch, and what hands can do to it next; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.batch.batch import Batch
from cultureops.batch.state import State
from cultureops.clock import Instant
from cultureops.demo.lab import BOX_LOGGER, DRY_ICE_LOGGER
from cultureops.demo.logger_trip import Trip
from cultureops.demo.referral import Box, Referral, Referrals
from cultureops.web.bench import Act, ActField, Stand

__all__ = ["FIELDS_LOOKED_AT", "Table", "next_sample", "stage_of", "stand_of"]

FIELDS_LOOKED_AT: Final = 3
SUSPENSION_ML_PER_VESSEL: Final = 5.0
_COUNTED: Final[Mapping[State, str]] = {
    State.CULTURE: "harvest",
    State.THAWED: "thawed",
    State.WASHED: "washed",
    State.RESUSPENDED: "product",
    State.FORMULATED: "product",
}
_LEFT_HOUSE: Final = frozenset({State.CLOSED, State.DESTROYED})

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """What hands have seen of one batch; ``seen_pct`` are the fields looked at last [%], ``passage`` theirs."""

    box: Box | None = None
    mononuclear: tuple[int, float] | None = None
    seen_pct: tuple[int, ...] = ()
    seen_at: Instant | None = None
    suspension_ml: float | None = None
    passage: int | None = None
    probe_c: float | None = None
    trip: Trip | None = None


def stage_of(batch: Batch) -> State:
    """Return what a batch is in for hands, which a hold does not change."""
    return batch.held_from or batch.state


def stand_of(
    batch: Batch, table: Table, patient: Referral, *, is_growing: bool, now: Instant, written: Callable[[Instant], str]
) -> Stand | None:
    """Return what one sees of a batch; None once nothing of it is here. ``written`` writes a time."""
    state = stage_of(batch)
    if state in _LEFT_HOUSE:
        return None
    facts = {
        State.CREATED: lambda: _box(table, written),
        State.RECEIVED: lambda: _box(table, written) + _mononuclear(table),
        State.ISOLATED: lambda: _mononuclear(table),
        State.CULTURE: lambda: _culture(batch, table, written, is_growing=is_growing),
        State.THAW_AUTHORISED: lambda: _probe(table),
    }.get(state, tuple)()
    if state not in (State.CREATED, State.RECEIVED, State.ISOLATED, State.CULTURE):
        weighed = (("Body weight", f"{patient.weight_kg:g} kg"), ("Weighed at", written(Referrals.weighed_at(now))))
        facts += weighed + _trip(table)
    return Stand(batch.id, batch.patient_token, batch.stage, facts, _acts(batch, table, is_growing=is_growing))


def next_sample(batch: Batch) -> str | None:
    """Return the name of the next replicate of the suspension at hand; None where there is none to count."""
    stage = _COUNTED.get(stage_of(batch))
    if stage is None:
        return None
    passage = f"P{batch.passage}-" if stage == "harvest" else ""
    stem = f"{batch.id}.{passage}{stage}-"
    known = {one.sample_id for one in batch.counts} | {one.sample_id for one in batch.held_counts}
    return next(name for number in range(1, 1_000) if (name := f"{stem}{number}") not in known)


def _box(table: Table, written: Callable[[Instant], str]) -> Facts:
    if (box := table.box) is None:
        return ()
    return (
        ("Marrow", f"{box.marrow_ml:g} mL"),
        ("Collected at", written(box.collected_at)),
        ("Anticoagulant", box.anticoagulant),
        ("Temperature in the box", f"{box.temperature_c:g} °C"),
        ("Donor's markers", box.donor_markers),
    )


def _mononuclear(table: Table) -> Facts:
    if table.mononuclear is None:
        return ()
    cells, viability_pct = table.mononuclear
    return ("Mononuclear cells", f"{cells:,}"), ("Viability", f"{viability_pct:g} %")


def _culture(batch: Batch, table: Table, written: Callable[[Instant], str], *, is_growing: bool) -> Facts:
    found: Facts = tuple(
        ("Vessels", f"{group.id}: {group.n_vessels} × {group.vessel_type}, {batch.chamber_of(group.id) or '–'}")
        for group in batch.groups
    )
    if not is_growing and table.suspension_ml is not None:
        return (*found, ("In suspension", f"{table.suspension_ml:g} mL"))
    if table.passage == batch.passage and table.seen_pct and table.seen_at is not None:
        mean_pct = sum(table.seen_pct) / len(table.seen_pct)
        fields = ", ".join(f"{pct} %" for pct in table.seen_pct)
        found += (("Confluence", f"{mean_pct:.1f} %"), ("Seen", f"{fields} in {len(table.seen_pct)} fields"))
        found += (("Looked at", written(table.seen_at)),)
    return found


def _probe(table: Table) -> Facts:
    return () if table.probe_c is None else (("Probe in the dry ice", f"{table.probe_c:g} °C"),)


def _trip(table: Table) -> Facts:
    if (trip := table.trip) is None:
        return ()
    return (
        ("Lowest on the way", f"{trip.min_c:g} °C"),
        ("Highest on the way", f"{trip.max_c:g} °C"),
        ("Out of range", f"{trip.out_of_range_min:g} min"),
        ("SHA-256 of the trace", trip.sha256),
    )


def _acts(batch: Batch, table: Table, *, is_growing: bool) -> tuple[Act, ...]:
    state = stage_of(batch)
    if state is State.CULTURE and is_growing:
        vessels = sum(group.n_vessels for group in batch.groups)
        volume = ActField("volume_ml", "into", f"{vessels * SUSPENSION_ML_PER_VESSEL:g}", "mL")
        return Act("look", f"Look at {FIELDS_LOOKED_AT} fields", takes_min=2), Act("detach", "Detach", (volume,), 10)
    own = {
        State.CREATED: Act("open_box", "Open the courier's box"),
        State.RECEIVED: Act("spin", "Spin the marrow", takes_min=120),
        State.THAW_AUTHORISED: Act("probe", "Pack dry ice and read the probe", takes_min=10),
        State.IN_TRANSFER: Act("read_logger", f"Read out {DRY_ICE_LOGGER}"),
        State.SHIPPED: Act("read_logger", f"Read out {BOX_LOGGER}"),
    }.get(state)
    if own is not None:
        return (own,)
    if (sample := next_sample(batch)) is None or (state is State.CULTURE and table.suspension_ml is None):
        return ()
    return (Act("count", "Put on the counter", (ActField("sample_id", "sample", sample),), 4),)
