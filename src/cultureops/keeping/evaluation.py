"""The periodic evaluation: compiled from a data folder, written as PDF and JSON, signed by quality assurance."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from cultureops.access import Meaning, Role
from cultureops.access.accounts import Accounts
from cultureops.access.policy import policy_of
from cultureops.access.review import review
from cultureops.access.signature import check_signatures, details_sha256, shown, signed
from cultureops.audit.alcoa import Alcoa
from cultureops.audit.evaluation import SIGNED_EVENT, STREAM, Evaluated
from cultureops.batch.batch import Batch
from cultureops.batch.register import BatchRegister
from cultureops.clock import Instant, SystemClock, iso, local_text, parse_iso, with_offset
from cultureops.errors import ConfigError, CultureOpsError
from cultureops.keeping.entry import instant, ledger_of, print_json
from cultureops.keeping.proof import Secret, desk_of, proven
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.unread import Unread
from cultureops.ledger.verify import verify
from cultureops.progress import patience
from cultureops.recording import SITE_FILE, ledger_in
from cultureops.report.document import Imprint, render
from cultureops.site import Site, read_site
from cultureops.telemetry.whole_file import whole_file

__all__ = ["count_alcoa", "sign_evaluation", "standing_of_evaluation", "write_evaluation"]

TITLE: Final = "Periodic evaluation"
TEMPLATE: Final = "evaluation"
STEP: Final = "SignEvaluation"
MOST_BYTES: Final = 100_000_000


def count_alcoa(data_dir: Path, *, as_json: bool) -> None:
    """Print what contradicts ALCOA++ in the whole ledger; raises ConfigError where there is none."""
    site = _site(data_dir)
    found = asyncio.run(_counted(data_dir, _simulated(site)))
    rows = [one.data() for one in found.violations()]
    if as_json:
        print_json({"events": found.events, "gap_minutes": round(found.gap_minutes, 1), "violations": rows})
        return
    for row in rows:
        places: Any = row["positions"]
        where = f"  at {', '.join(str(place) for place in places[:5])}" if places else ""
        print(f"{row['letter']:<16} {row['count']:>8}  {row['violation']}{where}")


async def _counted(data_dir: Path, simulated: frozenset[str]) -> Alcoa:
    alcoa = Alcoa(simulated)
    async with ledger_of(data_dir, SystemClock()) as ledger:
        await asyncio.to_thread(alcoa.take, ledger.read_all())
    return alcoa


def write_evaluation(data_dir: Path, since: str, until: str | None, out: Path, *, as_json: bool) -> None:
    """Write the evaluation of a period as PDF and, beside it under the same name, as JSON.

    The ledger is verified first. Raises ConfigError for a period that is none or is not over, or where a file is there.
    """
    if out.suffix.lower() != ".pdf":
        raise ConfigError(f"{out}: expected a name that ends in .pdf; the JSON form is written beside it")
    now = SystemClock().now()
    start, end = instant(since, "--from"), now if until is None else instant(until, "--to")
    if end <= start:
        raise ConfigError(f"--to: {iso(end)} does not lie after --from")
    with patience(f"reading {data_dir}"):
        report = asyncio.run(_report(data_dir, start, end, now))
    text = json.dumps(report, ensure_ascii=False, indent=1, sort_keys=True).encode()
    with whole_file(out.with_suffix(".json")) as file:
        file.write(text)
    with whole_file(out) as file:
        file.write(render(TEMPLATE, _for_people(report, ZoneInfo(report["zone"]))))
    written = {"pdf": str(out), "json": str(out.with_suffix(".json")), "sha256": hashlib.sha256(text).hexdigest()}
    if as_json:
        print_json(written | {"signed": False})
    else:
        print(f"{out} and {written['json']} written, UNSIGNED; SHA-256 of the latter {written['sha256']}")


async def _report(data_dir: Path, start: Instant, end: Instant, now: Instant) -> dict[str, Any]:
    head = await asyncio.to_thread(verify, ledger_in(data_dir))
    site = _site(data_dir)
    zone = ZoneInfo("UTC") if site is None else site.zone
    accounts, batches, unread = Accounts(), BatchRegister(), Unread()
    evaluated, alcoa = Evaluated(start, end), Alcoa(_simulated(site))
    async with ledger_of(data_dir, SystemClock()) as ledger:
        events = ledger.read_all(limit=head.position)
        await asyncio.to_thread(_fold, events, end, accounts, batches, unread, evaluated, alcoa)
    alcoa.note_unread(unread.count, unread.positions)
    name = "not named" if site is None else site.name
    imprint = Imprint(TITLE, name, getpass.getuser(), now, zone, head)
    access = review(accounts.all(), accounts.reviewed_at, policy_of(accounts.policy_data), end)
    return (
        imprint.data()
        | evaluated.data()
        | {
            "zone": zone.key,
            "period": {
                "from": iso(start),
                "to": iso(end),
                "text": f"{local_text(start, zone)} to {local_text(end, zone)}",
            },
            "verified": {
                "events": head.position,
                "head": str(head),
                "text": f"{head.position} events, chain unbroken, at {local_text(now, zone)}",
            },
            "accounts": access.data()["accounts"],
            "access_reviewed_at": access.data()["reviewed_at"],
            "alcoa": [one.data() for one in alcoa.violations()],
            "open_deviations": [row for batch in batches.batches() for row in _open_deviations(batch, end, zone)],
            "open_actions": [row for batch in batches.batches() for row in _open_actions(batch, end, zone)],
        }
    )


def _fold(
    events: Iterable[Event],
    end: Instant,
    accounts: Accounts,
    batches: BatchRegister,
    unread: Unread,
    evaluated: Evaluated,
    alcoa: Alcoa,
) -> None:
    """Take every event up to the end of the period; violations are those of the period."""
    for event in events:
        if event.recorded_at >= end:
            continue
        accounts.apply(event)
        unread.take(event, (batches.apply,))
        evaluated.apply(event)
        if event.recorded_at >= evaluated.start or event.type == "account_created":
            alcoa.apply(event)


def _open_deviations(batch: Batch, end: Instant, zone: ZoneInfo) -> list[dict[str, Any]]:
    return [
        {
            "batch": batch.id,
            "id": one.id,
            "severity": one.severity,
            "description": one.description,
            "due_text": _due(one.due_at, end, zone),
            "is_overdue": one.due_at is not None and one.due_at < end,
        }
        for one in batch.open_deviations
    ]


def _open_actions(batch: Batch, end: Instant, zone: ZoneInfo) -> list[dict[str, Any]]:
    return [
        asdict(action)
        | {"planned_at": iso(action.planned_at), "due_at": iso(action.due_at), "checked_at": None}
        | {"batch": batch.id, "due_text": _due(action.due_at, end, zone), "is_overdue": action.due_at < end}
        for deviation in batch.deviations
        for action in deviation.actions
        if action.checked_at is None
    ]


def _due(at: Instant | None, end: Instant, zone: ZoneInfo) -> str:
    if at is None:
        return "no date"
    return f"{local_text(at, zone)}{', OVERDUE' if at < end else ''}"


def _for_people(report: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return a report with the times of its lists as people read them."""
    lists = {
        name: section
        | {
            "rows": [
                row | {"recorded_at_text": with_offset(parse_iso(row["recorded_at"]), zone)} for row in section["rows"]
            ]
        }
        for name, section in report.items()
        if isinstance(section, dict) and "rows" in section
    }
    return dict(report) | lists


def _site(data_dir: Path) -> Site | None:
    file = data_dir / SITE_FILE
    return read_site(file) if file.is_file() else None


def _simulated(site: Site | None) -> frozenset[str]:
    return frozenset() if site is None else frozenset(device.id for device in site.every_device if device.simulated)


def _contents(report: Path) -> tuple[str, dict[str, Any]]:
    """Return the SHA-256 of a report's JSON form, and what it says; raises ConfigError for any other file."""
    try:
        if report.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{report}: is no evaluation, it is too long; name the JSON that `evaluate` wrote")
        text = report.read_bytes()
        said = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{report}: can't be read: {error}; name the JSON that `evaluate` wrote") from None
    if not isinstance(said, dict) or said.get("title") != TITLE or not isinstance(said.get("period"), dict):
        raise ConfigError(f"{report}: is no evaluation; name the JSON that `evaluate` wrote")
    return hashlib.sha256(text).hexdigest(), said


def sign_evaluation(data_dir: Path, report: Path, conclusion: str, actor: str, secret: Secret) -> None:
    """Record that somebody of quality assurance has signed a report; raises AccessError where they can't."""
    if not conclusion.strip():
        raise ConfigError("--conclusion: say what the evaluation found and what is changed after it")
    sha256, said = _contents(report)
    asyncio.run(_sign(data_dir, sha256, said, conclusion, actor, secret))
    print(f"{report}: signed by {actor}, SHA-256 {sha256}")


async def _sign(
    data_dir: Path, sha256: str, said: Mapping[str, Any], conclusion: str, actor: str, secret: Secret
) -> None:
    clock, person = SystemClock(), Actor(actor, Role.QUALITY_ASSURANCE.value)
    async with ledger_of(data_dir, clock) as ledger:
        desk = await desk_of(data_dir, ledger, clock)
        data = {
            "report_sha256": sha256,
            "from": str(said["period"].get("from")),
            "to": str(said["period"].get("to")),
            "conclusion": conclusion,
        }
        history = ledger.read(STREAM)
        seen = shown(STREAM, history, STEP, details_sha256(data, "", None))
        signatures = await proven(desk, person, secret, "", Meaning.APPROVED, lambda: seen)
        new = NewEvent(SIGNED_EVENT, data, person, Source.HUMAN)
        await ledger.append(STREAM, [signed(new, STREAM, signatures)], len(history))


def standing_of_evaluation(data_dir: Path, report: Path, *, as_json: bool) -> None:
    """Print who has signed a report as it is; raises CultureOpsError where nobody has."""
    sha256, _ = _contents(report)
    rows = asyncio.run(_signers(data_dir, sha256))
    if as_json:
        print_json({"sha256": sha256, "signed": bool(rows), "signatures": rows})
    if not rows:
        raise CultureOpsError(f"{report}: UNSIGNED as it is (SHA-256 {sha256}); `cultureops evaluate sign` signs it")
    if not as_json:
        for row in rows:
            print(f"{row['meaning']} by {row['printed_name']} ({row['username']}, {row['role']}) {row['signed_at']}")


async def _signers(data_dir: Path, sha256: str) -> list[dict[str, Any]]:
    async with ledger_of(data_dir, SystemClock()) as ledger:
        history = ledger.read(STREAM)
        return [
            {name: one.data()[name] for name in ("username", "printed_name", "role", "meaning", "signed_at", "zone")}
            for event in history
            if event.type == SIGNED_EVENT and event.data.get("report_sha256") == sha256
            for one in check_signatures(event, history)
        ]
