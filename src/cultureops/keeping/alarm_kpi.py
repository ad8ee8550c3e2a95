"""What the command `alarms kpi` does: the alarm KPIs of a ledger, printed, as JSON or as a PDF."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.alarms.kpi import MIN_RECORD_DAYS, AlarmKpi, alarm_kpi
from cultureops.alarms.kpi_rows import Judgement, kpi_rows, worst_actors
from cultureops.clock import DAY_MS, Clock, Instant, SystemClock, iso, local_text
from cultureops.errors import ConfigError, CultureOpsError
from cultureops.keeping.entry import instant, print_grid, print_json
from cultureops.ledger.chain import Tail
from cultureops.ledger.event import Event
from cultureops.ledger.head import Head
from cultureops.ledger.verify import follow
from cultureops.ledger.whereabouts import Whereabouts, open_reader, storage_at
from cultureops.recording import SITE_FILE, existing_ledger_in
from cultureops.report.alarm_kpi import TEMPLATE, TITLE, alarm_kpi_report
from cultureops.report.document import Imprint, render
from cultureops.site import read_site
from cultureops.telemetry.whole_file import whole_file

__all__ = ["AlarmRecord", "read_alarm_record", "report_alarm_kpi"]

_STREAMS: Final = "alarm:"
_MAX_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class AlarmRecord:
    """The alarm events of a ledger, when its first and last event of any kind were recorded [ms UTC], and its head."""

    events: tuple[Event, ...]
    since: Instant
    last: Instant
    head: Head


def read_alarm_record(ledger: Whereabouts) -> AlarmRecord:
    """Read the alarms of a ledger beside whoever writes it, hashing every event on the way.

    Raises CultureOpsError for a ledger without events, ChainBroken or Unreadable for one that is not as it was written.
    """
    events: list[Event] = []
    since: Instant | None = None
    last, tail, connection = 0, Tail(), open_reader(ledger)
    try:
        for event in follow(connection, ledger, tail):
            since, last = event.recorded_at if since is None else since, event.recorded_at
            if event.stream.startswith(_STREAMS):
                events.append(event)
    finally:
        connection.close()
    if since is None:
        raise CultureOpsError(f"{storage_at(ledger).name}: nothing is on record yet; ask again when the lab has run")
    return AlarmRecord(tuple(events), since, last, tail.head)


def report_alarm_kpi(
    data_dir: Path,
    since: str | None,
    until: str | None,
    operators: int,
    actor: str | None,
    pdf: Path | None,
    *,
    as_json: bool,
    clock: Clock | None = None,
) -> None:
    """Print the alarm KPIs of a period and write them as a PDF where one is named.

    The period ends now and began 30 days before its end where it is not given. Raises ConfigError for a period without
    a record or one that is not over, or a file that is there already.
    """
    now = (clock or SystemClock()).now()
    printed_by = getpass.getuser() if actor is None else actor
    if not printed_by.strip() or len(printed_by) > _MAX_NAME:
        raise ConfigError(f"--actor: {printed_by[:40]!r} is no account name; use 1 to {_MAX_NAME} characters")
    if pdf is not None and not pdf.name:
        raise ConfigError(f"--pdf: {pdf} is a folder; name a file in it")
    end = now if until is None else instant(until, "--to")
    start = end - MIN_RECORD_DAYS * DAY_MS if since is None else instant(since, "--from")
    record = read_alarm_record(existing_ledger_in(data_dir))
    if end > max(now, record.last):
        raise ConfigError(f"--to: {iso(end)} is yet to come; name a time up to now")
    file = data_dir / SITE_FILE
    site = read_site(file) if file.is_file() else None
    name, zone = ("not named", ZoneInfo("UTC")) if site is None else (site.name, site.zone)
    kpi = alarm_kpi(record.events, start, end, record.since, operators=operators, zone=zone)
    report = alarm_kpi_report(kpi, Imprint(TITLE, name, printed_by, now, zone, record.head))
    if pdf is not None:
        document = render(TEMPLATE, report)
        with whole_file(pdf) as target:
            target.write(document)
    if as_json:
        print_json(report)
    else:
        _print(kpi, zone)
        if pdf is not None:
            print(f"{pdf}: written")


def _print(kpi: AlarmKpi, zone: ZoneInfo) -> None:
    days = (kpi.end - kpi.start) / DAY_MS
    period = f"{local_text(kpi.start, zone)} to {local_text(kpi.end, zone)} ({days:.4g} days)"
    print(f"{period}: {kpi.activations} alarms, {kpi.realarms} re-alarms")
    if not kpi.is_sufficient:
        print(f"rates are judged over {MIN_RECORD_DAYS} days or more: {Judgement.INSUFFICIENT}")
    rows = [(row.name, row.shown, row.target, row.judgement, "; ".join(row.details)) for row in kpi_rows(kpi)]
    print_grid(("figure", "value", "target", "judgement", "alarms"), rows, "")
    print()
    actors = [
        (actor.rule_id, str(actor.activations), ", ".join(actor.faults), actor.advice) for actor in worst_actors(kpi)
    ]
    print_grid(("alarm to work on", "times", "what is wrong", "what to do"), actors, "no alarm to work on")
