"""Events in one line of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cultureops.batch import events as happened
from cultureops.batch.events import Recorded

__all__ = ["tell"]


def tell(recorded: Recorded) -> str:
    """Return what happened, as a person reads it in the timeline."""
    return _TEXTS[type(recorded)](recorded)


def _million(cells: int) -> str:
    return f"{cells / 1e6:.3g} × 10⁶"


def _yield(e: happened.Passaged | happened.Harvested) -> str:
    text = f"{_million(e.harvested_viable_cells)} viable cells, viability {e.viability_pct:.1f} %"
    if e.population_doublings is None:
        return text
    doubling = "" if e.doubling_time_h is None else f", doubling time {e.doubling_time_h:.0f} h"
    return f"{text}, {e.population_doublings:.2f} doublings{doubling}"


def _count(e: happened.Counted | happened.CountAccepted) -> str:
    figures = f"{e.viable_density_1e6_per_ml:g} × 10⁶ viable/mL, {e.viability_pct:g} %"
    return f"Counted {e.sample_id}: {figures}"


def _qc_result(e: happened.QcResulted) -> str:
    found: str = e.outcome
    if e.value_eu_per_ml is not None:
        found = f"{e.value_eu_per_ml:g} EU/mL"
    elif e.panel:
        found = ", ".join(f"{marker} {share:g} %" for marker, share in sorted(e.panel.items()))
    kind = "final" if e.final else "interim"
    return f"{e.test.capitalize()} {e.sample_id}: {found} ({kind}, {e.days_since_sampling:.1f} d after sampling)"


def _formulated(e: happened.Formulated) -> str:
    doses = "; ".join(
        f"{d.route} {_million(d.viable_cells)} cells in {d.volume_ml:g} mL ({d.container})" for d in e.doses
    )
    return f"Formulated for {e.weight_kg:g} kg: {doses}; retained {_million(e.retained_cells)}"


def _reviewed(e: happened.Reviewed) -> str:
    assessed = "".join(f"; {a.subject}: {a.impact}" for a in e.assessments)
    return f"Record reviewed up to version {e.reviewed_version}{assessed}"


def _administered(e: happened.Administered) -> str:
    minutes = (e.ended_at - e.started_at) / 60_000
    where = f" at {e.level}" if e.level else ""
    return f"{e.route} dose given{where}: {_million(e.viable_cells)} cells in {e.volume_ml:g} mL over {minutes:.0f} min"


def _seeded(e: happened.Seeded) -> str:
    vessels = f"{e.n_vessels} × {e.vessel_type}"
    return f"P0 seeded: {_million(e.cells_total)} cells in {vessels} ({e.density_per_cm2:,.0f}/cm²), into {e.chamber}"


def _passaged(e: happened.Passaged) -> str:
    vessels = f"{_million(e.cells_seeded)} cells in {e.n_vessels} × {e.vessel_type}"
    return f"Passaged to P{e.passage}: {_yield(e)}; seeded {vessels} ({e.density_per_cm2:,.0f}/cm²), into {e.chamber}"


_TEXTS: Final[Mapping[type[Recorded], Callable[[Any], str]]] = {
    happened.BatchCreated: lambda e: f"Batch opened for {e.patient_token} by {e.recipe} v{e.recipe_version}",
    happened.ConsentRecorded: lambda e: f"Consent {e.form}, {'eligible' if e.eligible else 'not eligible'}",
    happened.MarrowReceived: lambda e: f"Marrow received: {e.marrow_ml:g} mL at {e.receipt_temperature_c:g} °C",
    happened.Isolated: lambda e: (
        f"Isolated by {e.method}: {_million(e.mnc_count)} mononuclear cells, viability {e.viability_pct:g} %"
    ),
    happened.Seeded: _seeded,
    happened.MediumChanged: lambda e: (
        f"Medium changed: {e.volume_ml:g} mL of {e.medium_lot}, after {e.interval_h:.0f} h"
    ),
    happened.ConfluenceObserved: lambda e: f"Confluence {e.confluence_pct:g} % ({e.method})",
    happened.Counted: _count,
    happened.CountHeld: lambda e: f"Count {e.sample_id} held: {'; '.join(e.reasons)}",
    happened.CountAccepted: lambda e: f"{_count(e)} (held before, accepted by a person)",
    happened.ResultFileRejected: lambda e: f"Result file {e.source_file} could not be read: {e.error}",
    happened.Passaged: _passaged,
    happened.Harvested: lambda e: f"Harvested from P{e.passage}: {_yield(e)}",
    happened.QcSampled: lambda e: f"Sample {e.sample_id} taken for {e.test} ({e.method})",
    happened.QcResulted: _qc_result,
    happened.Resuspended: lambda e: (
        f"Resuspended in {e.volume_ml:g} mL {e.diluent}: {_million(e.viable_cells)} viable cells"
    ),
    happened.Formulated: _formulated,
    happened.Reviewed: _reviewed,
    happened.Released: lambda e: "Released",
    happened.Rejected: lambda e: "Rejected",
    happened.Shipped: lambda e: f"Shipped in {e.shipper} at {e.temperature_c:g} °C, logger {e.logger}",
    happened.ReceivedAtSite: lambda e: (
        f"Received at the site: {e.temperature_min_c:g}-{e.temperature_max_c:g} °C on the way"
    ),
    happened.Administered: _administered,
    happened.Closed: lambda e: "Record closed",
    happened.Moved: lambda e: f"{e.vessels} moved from {e.from_chamber} to {e.to_chamber}",
    happened.Noted: lambda e: e.text,
    happened.Corrected: lambda e: f"Corrected {e.event_type}: {e.field} {e.old_value} -> {e.value}",
    happened.AlarmExposed: lambda e: f"Alarm {e.phase}: {e.text}",
    happened.CommandRefused: lambda e: f"{e.command} refused: {e.message}",
}
