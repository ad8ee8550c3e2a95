"""What the demo prints when it is over: one JSON object, for one batch or for several side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.batch.batch import Batch
from cultureops.batch.counts import CountsUnusable, pool
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.views import summary
from cultureops.clock import DAY_MS, Instant, iso
from cultureops.lab import Lab
from cultureops.ledger.event import Event
from cultureops.ledger.head import Head

__all__ = ["alarm_rows", "summarise"]

_WHOLE_RUN_MS: Final = 400 * DAY_MS


async def summarise(lab: Lab, batch_ids: Sequence[str], verified: Head) -> dict[str, Any]:
    """Say what became of each batch, what went wrong on the way, and where the ledger ends.

    One batch is the object itself, several are its ``batches``. ``verified`` is the head that hashing the stored
    ledger again has given.
    """
    now, head = lab.clock.now(), lab.ledger.head()
    batches = [_of_batch(lab, batch_id, now) for batch_id in batch_ids]
    gaps = await lab.store.gaps(now - _WHOLE_RUN_MS, now + 1)
    return {
        **(batches[0] if len(batches) == 1 else {"batches": batches}),
        "alarms": alarm_rows(lab.ledger.read_all()),
        "readings_stored": lab.store.count(),
        "gaps": [
            {
                "channel": gap.channel,
                "from": iso(gap.from_ms),
                "to": None if gap.to_ms is None else iso(gap.to_ms),
                "reason": gap.reason.text,
            }
            for gap in gaps
        ],
        "ledger_events": head.position,
        "ledger_head": head.hash,
        "verified": verified == head,
    }


def _of_batch(lab: Lab, batch_id: str, now: Instant) -> dict[str, Any]:
    batch = lab.batches.get(batch_id)
    if batch is None:
        return {"batch_id": batch_id, "state": None}
    recipe = lab.recipes.lookup(batch.recipe.name, batch.recipe.sha256)
    return {
        **summary(batch, now),
        "patient_token": batch.patient_token,
        "weight_kg": batch.weight_kg,
        "vials": {"frozen": len(batch.vials), "thawed": len(batch.vials_in("thawed"))} if batch.vials else None,
        "reconciliation": _reconciliation(batch, recipe),
        "split": _split(batch),
        "residual_dmso": _residual_dmso(batch),
        "gates_checked": _gates_checked(batch),
        "deviations": len(batch.deviations),
        "drafted_deviations": sum(deviation.drafted for deviation in batch.deviations),
        "open_deviations": len(batch.open_deviations),
        "refusals": len(batch.refusals),
    }


def _reconciliation(batch: Batch, recipe: Recipe) -> dict[str, Any] | None:
    """Compare what was filled and retained with what was counted in the product's suspension."""
    made, retained = batch.resuspension, _last(batch, "formulated", "retained_cells")
    if made is None or retained is None:
        return None
    try:
        counted = pool(batch.counts_of("product", None, made.at), recipe.counting)
    except CountsUnusable:
        return None
    cells = round(counted.viable_density_1e6_per_ml * 1e6 * made.volume_ml)
    in_doses = sum(dose.viable_cells for dose in batch.doses)
    return {
        "counted_cells": cells,
        "dose_cells": in_doses,
        "retained_cells": retained,
        "off_pct": round(100 * ((in_doses + retained) / cells - 1), 2),
    }


def _split(batch: Batch) -> dict[str, float] | None:
    """Return each route's share of all doses."""
    in_all = sum(dose.viable_cells for dose in batch.doses)
    return {dose.route: round(dose.viable_cells / in_all, 4) for dose in batch.doses} or None


def _residual_dmso(batch: Batch) -> dict[str, Any] | None:
    """Return what gate G7 had worked out when the cells were taken up; None where nothing was thawed."""
    checks: Any = _last(batch, "resuspended", "checks") or ()
    used: Any = next((check["used"] for check in checks if check["gate"] == "G7"), {})
    if "residual_dmso_pct" not in used:
        return None
    return {"pct": used["residual_dmso_pct"], "intrathecal_mg": used["intrathecal_mg"], "washes": used["washes"]}


def _last(batch: Batch, event_type: str, name: str) -> Any:
    """Return a field of the last event of a type, None without one."""
    return next((event.data.get(name) for event in reversed(batch.history) if event.type == event_type), None)


def _gates_checked(batch: Batch) -> list[str]:
    """Return the gates whose checks are stored with this batch's events, by number."""
    found: set[str] = set()
    for event in batch.history:
        checks: Any = event.data.get("checks", ())
        found |= {check["gate"] for check in checks}
    return sorted(found, key=lambda gate: int(gate[1:]))


def alarm_rows(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Fold alarm events into one row for each activation; it is cleared when its condition was gone."""
    rows: list[dict[str, Any]] = []
    present: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.type not in ALARM_EVENT_TYPES:
            continue
        data: Any = event.data
        if event.type == "alarm_raised":
            present[data["rule_id"]] = {
                "chamber": data["chamber"],
                "channel": data["channel"] or data["device"],
                "kind": data["kind"],
                "raised_at": data["raised_at"],
                "cleared_at": None,
                "batch_ids": data["batch_ids"],
            }
            rows.append(present[data["rule_id"]])
        elif not data["is_active"] and (row := present.get(data["rule_id"])) is not None and row["cleared_at"] is None:
            row["cleared_at"] = data["at"]
    return rows
