"""What QA files: the challenge as JSON, and the same as PDF. Every page says that its sources are simulated.

``alarm_challenge.json``, schema ``cultureops/alarm-challenge/1``: ``simulated`` (true), ``site``, ``site_file`` with
``site_file_sha256``, ``program_version``, ``seed``, ``performed_at``, ``tolerance_s``, ``summary`` (alarms by verdict),
``twins`` (``device driver simulator independent``: whether its register map is another than the driver's),
``untwinned`` (``device driver reason``), ``ledger`` (``position hash`` of the challenge's own), ``alarms``.

An alarm: what identifies the rule and its figures; ``verdict`` (pass, fail, not challenged, by inspection) and
``reason``; where it was not driven ``why`` (no simulator, by inspection, can't be driven). Where it was driven:
``stimulus``; ``value_at_wire`` of the first reading that shows the condition; the instants ``condition_at_wire
first_reading raised notified acknowledged rest_at_wire first_reading_back cleared`` (lab time, ISO 8601 UTC, null for
what did not happen); ``raise`` and ``clear`` with ``delay_s`` and ``allowed_s`` [least, most], from the reading on;
``held_within_deadband_s``; ``value_just_inside`` that was read while it must not be raised; ``drills`` (just inside,
twice, bad reading, re-alarm, shelving, door window: ``shown``, ``not shown`` or ``does not apply``); ``also_raised``;
``ledger_positions``; ``attempt``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from zoneinfo import ZoneInfo

from cultureops.acquisition import DeviceRow
from cultureops.challenge.challenging import Outcome
from cultureops.challenge.result import Result, excused_row, result_row
from cultureops.challenge.stimulus import TOLERANCE_S, Verdict
from cultureops.challenge.twin import SHARING
from cultureops.clock import Instant, iso
from cultureops.ledger.event import JsonValue
from cultureops.report.document import Imprint, render

__all__ = ["TEMPLATE", "Circumstances", "as_json", "as_pdf", "is_good"]

SCHEMA = "cultureops/alarm-challenge/1"
TEMPLATE = "alarm_challenge"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a report says beside its results; ``performed_at`` is the wall clock's [ms UTC]."""

    site: str
    site_file: str
    site_file_sha256: str
    zone: ZoneInfo
    program_version: str
    seed: int
    performed_by: str
    performed_at: Instant
    devices: Sequence[DeviceRow]


def as_json(outcome: Outcome, said: Circumstances) -> dict[str, JsonValue]:
    """Return the challenge as JSON, see the module."""
    rows = [result_row(row) if isinstance(row, Result) else excused_row(row) for row in outcome.rows]
    counts = Counter(str(row["verdict"]) for row in rows)
    driver = {row.id: row.driver for row in said.devices}
    return {
        "schema": SCHEMA,
        "simulated": True,
        "site": said.site,
        "site_file": said.site_file,
        "site_file_sha256": said.site_file_sha256,
        "program_version": said.program_version,
        "seed": said.seed,
        "started_by": said.performed_by,
        "performed_at": iso(said.performed_at),
        "tolerance_s": TOLERANCE_S,
        "summary": {"alarms": len(rows), **{verdict.replace(" ", "_"): counts[verdict] for verdict in Verdict}},
        "twins": [
            {"device": device, "driver": driver[device], "simulator": kind, "independent": kind not in SHARING}
            for device, kind in outcome.twins.items()
        ],
        "untwinned": [
            {"device": device, "driver": driver[device], "reason": reason}
            for device, reason in outcome.untwinned.items()
        ],
        "ledger": {"position": outcome.head.position, "hash": outcome.head.hash},
        "alarms": list[JsonValue](rows),
    }


def is_good(outcome: Outcome, *, allow_unchallenged: bool) -> bool:
    """Whether every alarm passed, those apart that only inspection can judge."""
    for row in outcome.rows:
        verdict = row.verdict
        if verdict is Verdict.FAIL or (verdict is Verdict.NOT_CHALLENGED and not allow_unchallenged):
            return False
    return True


def as_pdf(outcome: Outcome, said: Circumstances) -> bytes:
    """Return the report as PDF/A-2b."""
    imprint = Imprint(
        title="Alarm challenge — SIMULATED SOURCES",
        site=said.site,
        printed_by=said.performed_by,
        printed_at=said.performed_at,
        zone=said.zone,
        head=outcome.head,
    )
    found = as_json(outcome, said)
    rows = [result_row(row) if isinstance(row, Result) else excused_row(row) for row in outcome.rows]
    rows.sort(key=lambda row: str(row["chamber"]))
    chambers: list[JsonValue] = [
        {"chamber": chamber, "alarms": list[JsonValue](group)}
        for chamber, group in groupby(rows, key=lambda row: str(row["chamber"]))
    ]
    return render(TEMPLATE, {**found, **imprint.data(), "chambers": chambers})
