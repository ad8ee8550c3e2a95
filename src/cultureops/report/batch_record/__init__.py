"""The batch record: what its JSON holds and its template ``batch_record.typ`` sets.

The JSON and the paper are one: the template shows this data and nothing else. Keys ending in ``_text`` say for people,
in the site's zone, what the key without it says in ISO 8601 and in the units of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.clock import Instant, iso
from cultureops.dossier import Dossier
from cultureops.ledger.event import JsonValue
from cultureops.report.batch_record import cover, culture, environment, material, quality, steps
from cultureops.report.batch_record.drawing import with_plots
from cultureops.report.batch_record.words import Words
from cultureops.report.document import Imprint, render

__all__ = ["TEMPLATE", "batch_record", "record_pdf", "record_title"]

TEMPLATE: Final = "batch_record"


def record_title(batch_id: str) -> str:
    """Return what the record of a batch is called."""
    return f"Batch record {batch_id}"


def batch_record(dossier: Dossier, printed_by: str, printed_at: Instant) -> dict[str, JsonValue]:
    """Return the whole record of a batch as JSON values; raises BatchError for an event that is not known here."""
    words = Words(dossier)
    imprint = Imprint(
        record_title(dossier.batch.id),
        dossier.place.name,
        printed_by,
        printed_at,
        words.zone,
        dossier.head,
        dossier.signed_head,
    )
    return {
        **imprint.data(),
        "as_of": iso(dossier.now),
        "zone": words.zone.key,
        "simulated": dossier.is_simulated,
        "batch": cover.batch_row(words),
        "decided": cover.decided(words),
        "exceptions": cover.exception_rows(words),
        "signatures": quality.signature_rows(words),
        "decisions": quality.decision_rows(words),
        "changed_values": steps.changed_values(words),
        "late_entries": steps.late_rows(words),
        "steps": steps.step_rows(words),
        "alarms": quality.alarm_rows(words),
        "gaps": quality.gap_rows(words),
        "deviations": quality.deviation_rows(words),
        "refusals": quality.refusal_rows(words),
        "qc": material.qc_rows(words),
        "passages": culture.passage_rows(words),
        "counts": culture.count_rows(words),
        "confluences": culture.confluence_rows(words),
        "confluence_target_pct": dossier.recipe.passage.confluence.value,
        "viability_min_pct": dossier.recipe.release.viability_min.value,
        "vials": culture.vial_rows(words),
        "washes": culture.wash_rows(words),
        "doses": culture.dose_rows(words),
        "calculations": culture.formulas(words),
        "clocks": culture.clock_rows(words),
        "stays": environment.stay_rows(words),
        "series": environment.series_rows(words),
        "lots": material.lot_rows(words),
        "equipment": material.equipment_rows(words),
        "people": material.people_rows(words),
        "events": steps.event_rows(words),
    }


def record_pdf(record: Mapping[str, JsonValue], zone: ZoneInfo) -> bytes:
    """Return the record as a PDF/A-2b, plots drawn in ``zone``; blocks. Raises CultureOpsError as ``render``."""
    return render(TEMPLATE, with_plots(record, zone))
