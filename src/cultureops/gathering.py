"""Gathering the facts that decisions on batches look at: gaps in the data, alarms, equipment, lots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

from cultureops.acquisition import MeasuredChannel
from cultureops.alarms import State
from cultureops.alarms.alarms import Alarms
from cultureops.alarms.kpi import AlarmKpi, alarm_kpi
from cultureops.batch.batch import Batch
from cultureops.batch.collecting import COLLECTED_WITHIN_MS, SOURCES, places_in
from cultureops.batch.commands import Collected, Command
from cultureops.batch.facts import EquipmentFact, LotFact, OpenAlarm, TelemetryGap
from cultureops.clock import Instant
from cultureops.device.reading import Quality
from cultureops.environment import gaps_in, silence_ms
from cultureops.equipment import Chamber, EquipmentRegister
from cultureops.errors import TransitionRefused
from cultureops.ledger.store import Ledger
from cultureops.material import LotRegister, lots_named
from cultureops.telemetry import TelemetryStore, Watch

__all__ = ["alarm_performance", "check_collected", "equipment_facts", "gaps_of", "lot_facts", "open_alarms"]


async def gaps_of(
    batch: Batch, channels: Iterable[MeasuredChannel], store: TelemetryStore, now: Instant
) -> tuple[TelemetryGap, ...]:
    """Return where the chambers that a batch stood in gave no value, while it stood there.

    A gap is where every reading was BAD as well as where there was none, for longer than the channel may be silent.
    """
    rows, found = tuple(channels), list[TelemetryGap]()
    for stay in batch.occupancies:
        end = now if stay.taken is None else stay.taken
        watches = [Watch(row.id, None, None, silence_ms(row.period_ms)) for row in rows if row.chamber == stay.chamber]
        if end <= stay.placed:
            continue
        if not watches:
            found.append(
                TelemetryGap(stay.chamber, f"{stay.chamber}/-", stay.placed, end, "no instrument looks into it")
            )
            continue
        exposures = await store.exposures(stay.placed, end, watches)
        bad = await store.gaps(stay.placed, end, [watch.channel for watch in watches])
        for watch, exposure in zip(watches, exposures, strict=True):
            found += gaps_in(stay.chamber, watch, exposure, bad)
    return tuple(found)


def open_alarms(alarms: Alarms) -> tuple[OpenAlarm, ...]:
    """Return the alarms whose condition lasts, those as well that somebody has shelved or taken out of service."""
    hidden = (view for view in alarms.suppressed() if view.state is not State.SUPPRESSED_BY_DESIGN)
    return tuple(
        OpenAlarm(
            view.rule.id,
            view.rule.chamber,
            view.rule.gmp_critical,
            view.since if view.state.is_suppressed else view.raised_at,
        )
        for view in (*alarms.active(), *hidden)
        if view.is_active
    )


def equipment_facts(register: EquipmentRegister, now: Instant, command: Command | None) -> Mapping[str, EquipmentFact]:
    """Return what held of all equipment when a step used it, which for a late entry was before ``now``."""
    at = now if command is None or command.occurred_at is None else command.occurred_at
    known = ((name, register.fact(name, at)) for name in register.ids())
    return {name: EquipmentFact(it.in_service, it.calibrated_until, it.kind) for name, it in known if it is not None}


def lot_facts(register: LotRegister, now: Instant, command: Command | None) -> Mapping[str, LotFact]:
    """Return what held of all lots when a step used them; one that uses none, such as a release, sees them as now."""
    uses_lots = command is not None and any(lots_named(command.details.model_dump()))
    late_at = None if command is None else command.occurred_at
    at = now if late_at is None or not uses_lots else late_at
    known = ((lot, register.fact(lot, at)) for lot in register.ids())
    return {lot: LotFact(it.status, it.expires_at) for lot, it in known if it is not None}


async def check_collected(
    command: Command,
    channels: Mapping[str, MeasuredChannel],
    chambers: Mapping[str, Chamber],
    store: TelemetryStore,
    now: Instant,
) -> None:
    """Refuse a value that is said to come from an instrument and that the store does not hold so, good and recent.

    Raises TransitionRefused.
    """
    at = now if command.occurred_at is None else command.occurred_at
    for taken in command.collected:
        if not _may_fill(command, taken, channels, chambers):
            problem = f"can't be taken from {taken.channel[:80]}"
        elif not 0 <= at - taken.at <= COLLECTED_WITHIN_MS:
            problem = f"was taken from {taken.channel} at another time than the step"
        elif not await _is_kept(taken, store):
            problem = f"{taken.value:g} is not what {taken.channel} gave"
        else:
            continue
        raise TransitionRefused(
            f"batch {command.batch_id}: {taken.field[:40]} {problem}; take it anew, or type what you read"
        )


def _may_fill(
    command: Command, taken: Collected, channels: Mapping[str, MeasuredChannel], chambers: Mapping[str, Chamber]
) -> bool:
    row = channels.get(taken.channel)
    chamber = None if row is None or row.chamber is None else chambers.get(row.chamber)
    return (
        row is not None
        and chamber is not None
        and any(
            chamber.chamber_class == source.chamber_class
            and row.channel.name in source.channels
            and row.channel.unit == source.unit
            and chamber.id in places_in(command.details, source)
            for source in SOURCES.get((type(command.details), taken.field), ())
        )
    )


async def _is_kept(taken: Collected, store: TelemetryStore) -> bool:
    series = await store.series(taken.channel, taken.at, taken.at + 1)
    return any(one.value == taken.value and one.quality is Quality.GOOD for one in series.readings(taken.channel))


def alarm_performance(ledger: Ledger, since: Instant, until: Instant, zone: ZoneInfo) -> AlarmKpi:
    """Return the KPIs of a stretch of the record, which begins with the ledger's first event."""
    first = next(iter(ledger.read_all(limit=1)), None)
    events = (event for stream in ledger.streams("alarm:") for event in ledger.read(stream))
    by_position = sorted(events, key=lambda event: event.position)
    record_since = until if first is None else first.recorded_at
    return alarm_kpi(by_position, since, until, record_since, zone=zone)
