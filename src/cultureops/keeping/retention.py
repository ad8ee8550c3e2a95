"""What the command `retention` shows: what has been kept for longer than the site has to. It deletes nothing.

There is no command that does: what goes beyond retention is for people to decide, with the whole data folder and its
backups in their hands.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import text

from cultureops.backup.settings import RetentionSettings
from cultureops.clock import Clock, Instant, SystemClock, iso
from cultureops.keeping.entry import print_json
from cultureops.ledger.event import decode
from cultureops.ledger.whereabouts import open_reader
from cultureops.recording import TELEMETRY_FOLDER, existing_ledger_in
from cultureops.site import read_site
from cultureops.telemetry.month import month_files

__all__ = ["Beyond", "beyond_retention", "report_retention"]

_BATCH: Final = "batch:"
_LAST_OF_STREAMS: Final = text("""SELECT stream, canonical, hash FROM events WHERE position IN
    (SELECT max(position) FROM events WHERE stream >= :first AND stream < :end GROUP BY stream)
    ORDER BY stream""")


@dataclass(frozen=True, slots=True)
class Beyond:
    """What is beyond retention: batches without an event since ``records_before``, months that ended by the other."""

    records_before: Instant
    telemetry_before: Instant
    batches: tuple[str, ...]
    months: tuple[str, ...]


def beyond_retention(data_dir: Path, settings: RetentionSettings, now: Instant) -> Beyond:
    """Return what of a data folder has been kept for longer than it has to; raises ConfigError or Unreadable."""
    ledger = existing_ledger_in(data_dir)
    records_before = _years_before(now, settings.records_years)
    telemetry_before = _years_before(now, settings.telemetry_years)
    with closing(open_reader(ledger)) as connection:
        rows = connection.execute(_LAST_OF_STREAMS, {"first": _BATCH, "end": f"{_BATCH}\U0010ffff"}).all()
    batches = [
        stream.removeprefix(_BATCH)
        for stream, canonical, chain_hash in rows
        if decode(canonical, chain_hash).recorded_at < records_before
    ]
    folder, last_kept = data_dir / TELEMETRY_FOLDER, iso(telemetry_before)[:7]
    months = [file.stem for file in month_files(folder)] if folder.is_dir() else []
    return Beyond(
        records_before, telemetry_before, tuple(batches), tuple(month for month in months if month < last_kept)
    )  # fmt: skip


def report_retention(site_file: Path, data_dir: Path, *, as_json: bool, clock: Clock | None = None) -> None:
    """Print what is beyond the site's retention time."""
    settings, now = read_site(site_file).retention, (clock or SystemClock()).now()
    found = beyond_retention(data_dir, settings, now)
    if as_json:
        print_json(
            {
                "records_years": settings.records_years,
                "telemetry_years": settings.telemetry_years,
                "records_before": iso(found.records_before),
                "telemetry_before": iso(found.telemetry_before),
                "batches": list(found.batches),
                "months": list(found.months),
            }
        )
        return
    print(f"records are kept for {settings.records_years:g} years, readings for {settings.telemetry_years:g}")
    print(f"batches without an event since {iso(found.records_before)}: {', '.join(found.batches) or 'none'}")
    print(f"months of readings before {iso(found.telemetry_before)[:7]}: {', '.join(found.months) or 'none'}")
    print("nothing is deleted: cultureops has no command that deletes records or readings")


def _years_before(now: Instant, years: float) -> Instant:
    """Return the same day so many years ago, and for parts of a year so many days; never before 1970."""
    whole = int(years)
    stamp = datetime.fromtimestamp(now // 1000, UTC)
    if stamp.year - whole <= 1970:
        return 0
    day = 28 if (stamp.month, stamp.day) == (2, 29) else stamp.day
    earlier = stamp.replace(year=stamp.year - whole, day=day).timestamp() - (years - whole) * 365.25 * 86_400
    return max(0, round(earlier * 1000))
