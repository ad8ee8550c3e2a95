"""What the command `batch review` does: of a batch only what a person must judge, and the release checklist."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.alarms.state import State
from cultureops.batch.checklist import checklist
from cultureops.batch.exceptions import exceptions
from cultureops.batch.facts import Facts, LotFact, OpenAlarm
from cultureops.clock import parse_iso, with_offset
from cultureops.dossier import Dossier
from cultureops.errors import ConfigError
from cultureops.keeping.dossiers import dossier_of
from cultureops.keeping.entry import print_grid, print_json, when
from cultureops.ledger.event import Actor, Event
from cultureops.pack.ledger import is_pack
from cultureops.recording import SITE_FILE

__all__ = ["review_batch"]

_READER = Actor("cultureops", "system")


def review_batch(data_dir: Path, batch_id: str, site: Path | None, *, as_json: bool) -> None:
    """Print what must be judged of a batch; raises ConfigError for an unknown one."""
    if site is None and not is_pack(data_dir) and not (data_dir / SITE_FILE).is_file():
        raise ConfigError(f"{data_dir / SITE_FILE}: no such file; name the site file with --site")
    dossier = asyncio.run(dossier_of(data_dir, batch_id, site))
    facts, zone = _facts(dossier), dossier.place.zone
    simulated = {use.id for use in dossier.equipment if use.simulated}
    matters, checks = exceptions(dossier.batch, facts, simulated), checklist(dossier.batch, facts)
    if as_json:
        print_json(
            {
                "batch_id": dossier.batch.id,
                "version": dossier.batch.version,
                "reviewed_version": dossier.batch.reviewed_version,
                "matters": [asdict(one) | {"kind": one.kind.value, "at": when(one.at)} for one in matters],
                "checklist": [asdict(one) | {"state": one.state.value, "at": when(one.at)} for one in checks],
            }
        )
        return
    print_grid(
        ("grade", "what", "when", "who", "what disposes of it"),
        [
            (
                *(one.severity, f"{one.kind}: {one.what}", "-" if one.at is None else with_offset(one.at, zone)),
                *(one.who, f"{one.disposal}{' (read in the review)' if one.is_read else ''}"),
            )
            for one in matters
        ],
        "nothing to judge: all is as the recipe has it",
    )
    print()
    print_grid(
        ("gate", "state", "what must hold", "problem"), [(c.gate, c.state, c.sentence, c.problem) for c in checks], ""
    )


def _facts(dossier: Dossier) -> Facts:
    return Facts(
        now=dossier.now,
        actor=_READER,
        recipe=dossier.recipe,
        open_alarms=tuple(_open_alarms(dossier.related)),
        telemetry_gaps=dossier.gaps,
        lots={
            lot.id: LotFact(str(lot.present.status), lot.present.expires_at)
            for lot in dossier.lots
            if lot.present is not None
        },
    )


def _open_alarms(related: Iterable[Event]) -> Iterable[OpenAlarm]:
    """Yield the alarms that had not gone by the last event of each, but for what a declared state explains."""
    latest = {str(event.data["rule_id"]): event.data for event in related if event.type in ALARM_EVENT_TYPES}
    for rule_id, data in latest.items():
        if data["is_active"] and data["to_state"] != State.SUPPRESSED_BY_DESIGN:
            raised_at = parse_iso(str(data["raised_at"]))
            yield OpenAlarm(rule_id, str(data["chamber"]), bool(data["gmp_critical"]), raised_at)
