"""Events in one line of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cultureops.batch import events as happened
from cultureops.batch.commands import Vial
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
    weight = "" if e.weight_kg is None else f" for {e.weight_kg:g} kg"
    return f"Formulated{weight}: {doses}; retained {_million(e.retained_cells)}"


def _reviewed(e: happened.Reviewed) -> str:
    assessed = "".join(f"; {a.subject}: {a.impact}" for a in e.assessments)
    before = " before the thaw" if e.is_interim else ""
    return f"Record reviewed{before} up to version {e.reviewed_version}{assessed}"


def _stores(vials: Sequence[Vial]) -> str:
    return ", ".join(sorted({vial.place.store for vial in vials}))


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


def _hidden(e: happened.AlarmExposed) -> str:
    return f" (while {e.suppressed.lower().replace('_', ' ')})" if e.suppressed else ""


def _figures(e: happened.AlarmExposed) -> str:
    if e.minutes is None:
        return f"; figures not known: {e.figures_reason}" if e.figures_reason else ""
    excess = "" if e.degree_minutes is None else f", {e.degree_minutes:.3g} {e.degree_unit}"
    unknown = f", {e.unknown_minutes:.1f} min unknown" if e.unknown_minutes else ""
    return f"; {e.minutes:.1f} min{excess}{unknown}"


def _because(e: happened.AlarmExposed) -> str:
    return f"; {e.because}" if e.because else ""


def _regraded(e: happened.DeviationInvestigated) -> str:
    if e.severity_before is None:
        return ""
    return f"; graded {e.severity} instead of {e.severity_before}: {e.severity_reason}"


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
    happened.VesselsSplit: lambda e: (
        f"{e.vessels} split into {', '.join(f'{share.vessels} ({share.n_vessels})' for share in e.into)}"
    ),
    happened.VesselsPooled: lambda e: f"{', '.join(e.vessels)} pooled as {e.into} ({e.n_vessels} vessels)",
    happened.VesselsDiscarded: lambda e: f"{e.n_vessels} of {e.vessels} discarded, {e.vessels_left} left",
    happened.Frozen: lambda e: (
        f"Frozen: {len(e.vials)} vials of {_million(e.cells_per_vial)} cells in {e.dmso_pct:g} % DMSO, "
        f"into {_stores(e.vials)} at {e.store_temperature_c:g} °C"
    ),
    happened.VialsMoved: lambda e: f"{len(e.vials)} vials moved to {_stores(e.vials)}",
    happened.VialsDiscarded: lambda e: f"Vials discarded: {', '.join(e.vials)}",
    happened.StorageChecked: lambda e: f"{e.store} checked: {e.temperature_c:g} °C",
    happened.ThawAuthorised: lambda e: f"Thaw of {len(e.vials)} vials authorised",
    happened.TransferredOut: lambda e: (
        f"{len(e.vials)} vials packed in {e.shipper} at {e.probe_temperature_c:g} °C, logger {e.logger}"
    ),
    happened.TransferredIn: lambda e: (
        f"Vials received in the laboratory after {e.transit_h:.1f} h, "
        f"{e.temperature_min_c:g} to {e.temperature_max_c:g} °C on the way"
    ),
    happened.Thawed: lambda e: (
        f"Thawed {len(e.vials)} vials in {(e.ended_at - e.started_at) / 60_000:.1f} min "
        f"at {e.bath_temperature_c:g} °C: {e.volume_ml:g} mL"
    ),
    happened.Washed: lambda e: (
        f"Wash {e.index}: {e.vol_before_ml:g} mL + {e.vol_added_ml:g} mL {e.diluent}, {e.vol_left_ml:g} mL left; "
        f"residual DMSO at most {e.residual_dmso_pct:.3g} %"
    ),
    happened.LabellingStarted: lambda e: f"Labelling started: {e.iron_ug_per_ml:g} µg/mL iron, in {e.chamber}",
    happened.LabellingEnded: lambda e: f"Labelling ended after {e.hours:.1f} h",
    happened.ConditionallyReleased: lambda e: (
        f"Released on condition: {e.clinician} is told of a late positive culture within {e.notify_within_h:g} h"
    ),
    happened.ExceptionallyReleased: lambda e: f"Released exceptionally in spite of {'; '.join(e.problems)}",
    happened.AdverseEventRecorded: lambda e: f"Adverse event: {e.term}, grade {e.grade}, {e.seriousness}",
    happened.DeviationOpened: lambda e: (
        f"{'Out of specification' if e.kind == 'oos' else 'Deviation'} {e.deviation_id} "
        f"({e.severity}{', drafted' if e.drafted else ''}), "
        f"{e.subject}: {e.description}"
    ),
    happened.DeviationExtended: lambda e: f"{e.deviation_id}: the alarm came again; {e.description}",
    happened.DeviationInvestigated: lambda e: (
        f"{e.deviation_id} investigated: {e.root_cause}; impact: {e.impact}{_regraded(e)}"
    ),
    happened.ActionPlanned: lambda e: f"{e.deviation_id}: action {e.action_id} by {e.owner}: {e.action}",
    happened.EffectivenessChecked: lambda e: (
        f"{e.deviation_id}: action {e.action_id} {'works' if e.is_effective else 'does not work'}: {e.evidence}"
    ),
    happened.DeviationClosed: lambda e: f"{e.deviation_id} closed: {e.conclusion}",
    happened.Held: lambda e: "Held",
    happened.Resumed: lambda e: "Let go on",
    happened.Destroyed: lambda e: f"Destroyed: {e.method}",
    happened.Recalled: lambda e: f"Recalled; told: {e.notified}",
    happened.HandedOver: lambda e: f"Handed over from {e.from_place} to {e.to_place}",
    happened.Moved: lambda e: f"{e.vessels} moved from {e.from_chamber} to {e.to_chamber}",
    happened.Noted: lambda e: e.text,
    happened.Corrected: lambda e: f"Corrected {e.event_type}: {e.field} {e.old_value} -> {e.value}",
    happened.LotStopped: lambda e: f"Lot {e.lot} of this batch is {e.status}: {e.text}",
    happened.AlarmExposed: lambda e: f"Alarm {e.phase}{_hidden(e)}: {e.text}{_figures(e)}{_because(e)}",
    happened.CommandRefused: lambda e: f"{e.command} refused: {e.message}",
}
