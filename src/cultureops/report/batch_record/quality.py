"""What quality assurance judges in a batch: signatures, decisions, alarms, deviations, refusals, gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cultureops.batch.events import read_event
from cultureops.batch.facts import TelemetryGap
from cultureops.batch.field_text import field_text
from cultureops.batch.gates import GATES
from cultureops.batch.narrative import tell
from cultureops.batch.parts import AlarmExposure, Deviation
from cultureops.batch.signed import Standing, signatures_of
from cultureops.clock import MINUTE_MS, iso
from cultureops.clock import local_stamp as stamp
from cultureops.errors import ConfigError
from cultureops.ledger.event import Event
from cultureops.report.batch_record.words import Row, Words, number, title_of
from cultureops.telemetry.local_time import zone_named

__all__ = ["alarm_rows", "decision_rows", "deviation_rows", "gap_rows", "refusal_rows", "signature_rows"]

DECISIONS: Final = (
    *("thaw_authorised", "reviewed", "released", "conditionally_released", "exceptionally_released", "rejected"),
    *("recalled", "destroyed", "closed"),
)


def signature_rows(words: Words) -> list[Row]:
    """Return every signature as 21 CFR 11.50 wants it shown, and how it stands today."""
    return [_signature(words, standing) for standing in signatures_of(words.dossier.batch)]


def _signature(words: Words, standing: Standing) -> Row:
    signature = standing.signature
    row: Row = {
        "step": standing.step,
        "position": standing.position,
        "standing": standing.validity.value,
        "standing_text": standing.text,
    }
    if signature is None:
        return row | {"printed_name": "unreadable", "username": "", "role": "", "meaning": "", "signed_at_text": ""}
    try:
        zone = zone_named(signature.zone)
    except ConfigError:
        zone = words.dossier.place.zone
    return row | {
        "id": signature.id,
        "printed_name": signature.printed_name,
        "username": signature.username,
        "role": signature.role.value,
        "meaning": signature.meaning.value,
        "signed_at": iso(signature.signed_at),
        "signed_at_text": stamp(signature.signed_at, zone),
        "zone": signature.zone,
        "method": signature.method,
        "record_sha256": signature.shown.sha256,
        "content_sha256": signature.content_sha256,
    }


def decision_rows(words: Words) -> list[Row]:
    """Return the decisions on the batch, each with its gates and the facts that these looked at."""
    return [_decision(words, event) for event in words.dossier.events if event.type in DECISIONS]


def _decision(words: Words, event: Event) -> Row:
    checks, assessed = _listed(event, "checks"), _listed(event, "assessments")
    return {
        "position": event.position,
        "decision": event.type,
        "title": title_of(event.type),
        "text": tell(read_event(event.type, {**event.data, "assessments": ()} if assessed else event.data)),
        "assessments": _grouped(assessed),
        **words.at("at", event.occurred_at),
        "stamp": words.stamp(event.occurred_at),
        "person": words.who(event.actor.id, event.actor.role),
        "reason": event.reason,
        "gates": [_gate(words, check) for check in checks],
    }


def _gate(words: Words, check: Mapping[str, Any]) -> Row:
    gate, used = GATES.get(str(check["gate"])), check["used"]
    return {
        "gate": str(check["gate"]),
        "sentence": "" if gate is None else gate.sentence,
        "source": "" if gate is None else gate.source,
        "used": used,
        "used_text": field_text({name: fact for name, fact in used.items() if name != "problem"}, words.zone) or "–",
        "problem": str(used.get("problem", "")),
    }


def alarm_rows(words: Words) -> list[Row]:
    """Return the alarms that the batch was exposed to, with the minutes endangered, who answered, and what it meant."""
    return [_alarm(words, exposure) for exposure in words.dossier.batch.exposures]


def _alarm(words: Words, exposure: AlarmExposure) -> Row:
    answered = next(
        (event for event in words.dossier.related if _is_acknowledgement(event, exposure)),
        None,
    )
    return {
        "exposure_id": exposure.id,
        "rule_id": exposure.rule_id,
        "chamber": words.chamber(exposure.chamber),
        "gmp_critical": exposure.gmp_critical,
        **words.at("raised_at", exposure.raised_at),
        **words.at("cleared_at", exposure.cleared_at),
        "text": exposure.text,
        "minutes": exposure.minutes,
        "minutes_text": number(exposure.minutes),
        "degree_minutes": exposure.degree_minutes,
        "degree_minutes_text": number(exposure.degree_minutes),
        "unknown_minutes": exposure.unknown_minutes,
        "unknown_minutes_text": number(exposure.unknown_minutes),
        "suppressed": exposure.suppressed.lower().replace("_", " "),
        "withdrawn": exposure.withdrawn_at is not None,
        "acknowledged": "" if answered is None else _acknowledged(words, answered),
        "wants_assessment": exposure.wants_assessment,
        "assessment": _assessments(words).get(exposure.id, ""),
    }


def _is_acknowledgement(event: Event, exposure: AlarmExposure) -> bool:
    data = event.data
    return (
        event.type == "alarm_acknowledged"
        and data.get("rule_id") == exposure.rule_id
        and data.get("raised_at") == iso(exposure.raised_at)
    )


def _acknowledged(words: Words, event: Event) -> str:
    who = words.who(str(event.data.get("actor_id")), str(event.data.get("role")))
    return f"{who}, {words.when(event.occurred_at)}: {event.data.get('reason')}"


def _assessments(words: Words) -> dict[str, str]:
    """Return what reviews said that alarms and gaps meant, the last word of each."""
    return {
        str(one["subject"]): f"{one['impact']} ({words.dossier.name_of(event.actor.id)})"
        for event in words.dossier.events
        if event.type == "reviewed"
        for one in _listed(event, "assessments")
    }


def _listed(event: Event, key: str) -> Any:
    return event.data.get(key, ())


def _grouped(assessments: Any) -> list[Row]:
    """Return assessments by what they say: one word is often said of every channel that a device lost."""
    subjects: dict[str, list[str]] = {}
    for one in assessments:
        subjects.setdefault(str(one["impact"]), []).append(str(one["subject"]))
    return [{"impact": impact, "subjects": list(some)} for impact, some in subjects.items()]


def gap_rows(words: Words) -> list[Row]:
    """Return where chambers gave no value while the batch stood in them, one row for what was lost at once.

    A long gap wants an assessment; a row has one where each of its channels has.
    """
    rows: dict[tuple[Any, ...], list[TelemetryGap]] = {}
    for gap in words.dossier.gaps:
        rows.setdefault((gap.chamber, gap.start, gap.end, gap.reason), []).append(gap)
    assessed = _assessments(words)
    return [_gap(words, gaps, [assessed.get(gap.id, "") for gap in gaps]) for gaps in rows.values()]


def _gap(words: Words, gaps: list[TelemetryGap], assessed: list[str]) -> Row:
    first, longest_ms = gaps[0], words.dossier.recipe.culture.max_gap.value * MINUTE_MS
    return {
        "gap_ids": [gap.id for gap in gaps],
        "chamber": words.chamber(first.chamber),
        "channels": [gap.channel for gap in gaps],
        **words.at("from", first.start),
        **words.at("to", first.end),
        "minutes": round((first.end - first.start) / MINUTE_MS, 1),
        "reason": first.reason,
        "wants_assessment": first.end - first.start > longest_ms,
        "assessment": "; ".join(dict.fromkeys(assessed)) if all(assessed) else "",
    }


def deviation_rows(words: Words) -> list[Row]:
    """Return the deviations, each with all that was done about it."""
    return [_deviation(words, deviation) for deviation in words.dossier.batch.deviations]


def _deviation(words: Words, deviation: Deviation) -> Row:
    history = [event for event in words.dossier.events if event.data.get("deviation_id") == deviation.id]
    return {
        "deviation_id": deviation.id,
        "kind": "out of specification" if deviation.kind == "oos" else deviation.kind,
        "severity": deviation.severity,
        "subject": deviation.subject,
        "description": deviation.description,
        "drafted": deviation.drafted,
        **words.at("opened_at", deviation.opened_at),
        **words.at("due_at", deviation.due_at),
        **words.at("closed_at", deviation.closed_at),
        "is_open": deviation.closed_at is None,
        "history": [
            {
                "position": event.position,
                **words.at("at", event.occurred_at),
                "person": words.who(event.actor.id, event.actor.role),
                "text": tell(read_event(event.type, event.data)),
                "reason": event.reason,
            }
            for event in history
        ],
    }


def refusal_rows(words: Words) -> list[Row]:
    """Return the steps that were refused."""
    return [
        {
            "position": event.position,
            **words.at("at", event.occurred_at),
            "person": words.who(event.actor.id, event.actor.role),
            "text": tell(read_event(event.type, event.data)),
        }
        for event in words.dossier.events
        if event.type == "command_refused"
    ]
