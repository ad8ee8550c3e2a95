"""Times of a logger's rows: read together, since only the whole file tells day from month; never guessed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from cultureops.clock import Instant
from cultureops.errors import ConfigError, Unreadable

__all__ = ["DateOrder", "date_order", "looks_like_time", "placed", "read_stamp", "read_times"]

DateOrder: TypeAlias = Literal["dmy", "mdy", "ymd"]
Row: TypeAlias = tuple[int, str]
"""Line number and text."""

_EPOCH: Final = datetime(1970, 1, 1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_CLOCK: Final = (
    r"(?:[T ,]+(?P<hour>\d{1,2})[:.](?P<minute>\d\d)(?:[:.](?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?)?\s*(?P<offset>Z|UTC|[+-]\d\d:?\d\d)?"
)
_NUMERIC: Final = re.compile(
    rf"(?P<a>\d{{1,4}})(?P<sep>[./-])(?P<b>\d\d?)(?P=sep)(?P<c>\d{{1,4}}){_CLOCK}", re.I | re.A
)
_NAMED: Final = re.compile(
    rf"(?:(?P<day>\d\d?)[ .-]+(?P<month>[a-z]{{3,9}})|(?P<month_1>[a-z]{{3,9}})\.? (?P<day_1>\d\d?))"
    rf"[ .,-]+(?P<year>\d{{4}}){_CLOCK}",
    re.I | re.A,
)
_SECONDS: Final = re.compile(r"\d{10}(?:\.\d{1,9})?|\d{13}", re.A)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def looks_like_time(text: str) -> bool:
    """Say whether a text has the shape of a date with a time, or of seconds since 1970."""
    return any(form.fullmatch(text.strip()) for form in (_NUMERIC, _NAMED, _SECONDS))


def read_times(
    rows: Sequence[Row], file: str, zone: ZoneInfo | None, order: DateOrder
) -> tuple[tuple[Instant, ...], bool]:
    """Return the times [ms, ascending] and whether they are UTC; where they are not, they count from 1970 local time.

    ``rows`` ascend. Raises Unreadable naming the line of a text that is no time or does not ascend, ConfigError where
    another ``zone`` is needed.
    """
    stamps = [read_stamp(line, text, file, order) for line, text in rows]
    aware = [stamp.tzinfo is not None for stamp in stamps]
    if any(aware) != all(aware):
        line = rows[aware.index(not aware[0])][0]
        raise Unreadable(f"{file}:{line}: some times state a UTC offset and some do not")
    if aware[0]:
        instants = tuple((stamp.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // _MILLISECOND for stamp in stamps)
    elif zone is not None:
        instants = tuple(placed(stamps, rows, file, zone))
    else:
        instants = tuple((stamp - _EPOCH) // _MILLISECOND for stamp in stamps)
    for at in range(1, len(instants)):
        if instants[at] <= instants[at - 1]:
            what = "comes twice" if instants[at] == instants[at - 1] else f"comes after {rows[at - 1][1]!r}"
            raise Unreadable(
                f"{file}:{rows[at][0]}: {rows[at][1]!r} {what}; expected ascending times "
                "(where the clocks were put back, give the logger's --zone)"
            )
    return instants, aware[0] or zone is not None


def date_order(rows: Sequence[Row], file: str) -> DateOrder:
    """Tell day from month by a number above 12; raise ConfigError where the file does not show it."""
    seen = dict[DateOrder, int]()
    for line, text in rows:
        found = _NUMERIC.fullmatch(text.strip())
        if found is None:
            continue
        if len(found["a"]) == 4:
            return "ymd"
        if len(found["c"]) != 4:
            raise ConfigError(f"{file}:{line}: {text!r} could be read several ways; say --dates dmy, mdy or ymd")
        if found["sep"] == ".":
            return "dmy"
        if int(found["a"]) > 12:
            seen.setdefault("dmy", line)
        elif int(found["b"]) > 12:
            seen.setdefault("mdy", line)
    if len(seen) > 1:
        raise Unreadable(f"{file}:{max(seen.values())}: day and month stand in another order than before")
    if not seen and any(_NUMERIC.fullmatch(text.strip()) for _, text in rows):
        line, text = rows[0]
        raise ConfigError(f"{file}:{line}: day and month of {text!r} could be either; say --dates dmy or --dates mdy")
    return next(iter(seen), "ymd")


def read_stamp(line: int, text: str, file: str, order: DateOrder) -> datetime:
    """Read one time, with an offset where the text states one; raise Unreadable for a text that is none."""
    clean = text.strip()
    try:
        if _SECONDS.fullmatch(clean):
            seconds = float(clean) / (1000 if len(clean) == 13 and "." not in clean else 1)
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        found = _NUMERIC.fullmatch(clean)
        if found is not None:
            year, month, day = _date(found, order)
        else:
            found = _NAMED.fullmatch(clean)
            if found is None:
                raise ValueError
            month = _MONTHS.index((found["month"] or found["month_1"])[:3].lower()) + 1
            year, day = int(found["year"]), int(found["day"] or found["day_1"])
        return _with_clock(found, year, month, day)
    except (ValueError, OverflowError):
        raise Unreadable(f"{file}:{line}: {clean[:40]!r} is no time such as 2026-01-15 09:30:00") from None


def _date(found: re.Match[str], order: DateOrder) -> tuple[int, int, int]:
    parts = dict(zip(order, (found["a"], found["b"], found["c"]), strict=True))
    if len(parts["y"]) not in (2, 4):
        raise ValueError
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
    return year, int(parts["m"]), int(parts["d"])


def _with_clock(found: re.Match[str], year: int, month: int, day: int) -> datetime:
    hour = int(found["hour"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if found["half"][0] in "pP" else 0)
    microsecond = int((found["fraction"] or "0").ljust(6, "0")[:6])
    stamp = datetime(year, month, day, hour, int(found["minute"] or 0), int(found["second"] or 0), microsecond)
    if not found["offset"]:
        return stamp
    offset = found["offset"].upper().replace("UTC", "Z")
    return datetime.fromisoformat(f"{stamp.isoformat()}{offset}")


def placed(stamps: Sequence[datetime], rows: Sequence[Row], file: str, zone: ZoneInfo) -> Iterator[Instant]:
    """Put local times into a zone [ms UTC]; an hour that came twice is settled by the step back in the file.

    Raises ConfigError for an hour that is not settled, or that the zone did not have.
    """
    doubled = list[int]()
    fold = 0
    for at, stamp in enumerate(stamps):
        first, second = (stamp.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        if first.utcoffset() == second.utcoffset():
            yield _instant(first)
            continue
        if not any(_exists(time) for time in (first, second)):
            raise ConfigError(
                f"{file}:{rows[at][0]}: {stamp} did not exist in {zone.key}, whose clocks were put forward; "
                "give the logger's zone"
            )
        if not doubled or stamps[doubled[-1]].date() != stamp.date():
            _check_settled(doubled, fold, rows, file, zone)
            doubled, fold = [], 0
        if at and stamp <= stamps[at - 1]:
            fold = 1
        doubled.append(at)
        yield _instant(second if fold else first)
    _check_settled(doubled, fold, rows, file, zone)


def _check_settled(doubled: Sequence[int], fold: int, rows: Sequence[Row], file: str, zone: ZoneInfo) -> None:
    if doubled and not fold:
        line, text = rows[doubled[0]]
        raise ConfigError(
            f"{file}:{line}: {text!r} came twice in {zone.key}, whose clocks were put back; give a zone without changes"
        )


def _instant(time: datetime) -> Instant:
    return (time.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // _MILLISECOND


def _exists(time: datetime) -> bool:
    return time.astimezone(UTC).astimezone(time.tzinfo).replace(tzinfo=None) == time.replace(tzinfo=None)
