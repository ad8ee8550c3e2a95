"""The times of a trace's rows, read one by one and placed in a zone at the end."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from cultureops.clock import DAY_MS, SECOND_MS, Instant
from cultureops.errors import Unreadable
from cultureops.logger_file.stamp import DateOrder, looks_like_time, placed, read_stamp

__all__ = ["RowTimes"]

_EPOCH: Final = datetime(1970, 1, 1)


class RowTimes:
    """The times of the rows of ``file``: ISO 8601 fast, other forms by their date order.

    Times without offset are of ``zone``, else UTC. ``order`` is asked once, when a date could be read several ways.
    """

    def __init__(self, file: str, zone: ZoneInfo | None, order: Callable[[], DateOrder]) -> None:
        self._file, self._zone, self._ask_order = file, zone, order
        self._order: DateOrder | None = None
        self._instants = array("q")
        self._local: list[datetime] = []
        self._rows: list[tuple[int, str]] = []
        self._is_aware: bool | None = None

    def take(self, line: int, text: str) -> bool:
        """Take a row's time; return whether it is one.

        Raises Unreadable for a time with an offset after those without, or the other way round.
        """
        stamp = self._stamp(line, text)
        if stamp is None:
            return False
        is_aware = stamp.tzinfo is not None
        if self._is_aware is None:
            self._is_aware = is_aware
        elif self._is_aware is not is_aware:
            raise Unreadable(f"{self._file}:{line}: some times state a UTC offset and some do not")
        if self._zone is not None and not is_aware:
            self._local.append(stamp)
            self._rows.append((line, text))
        else:
            self._instants.append(_instant(stamp))
        return True

    def instants(self) -> NDArray[np.int64]:
        """Return all times taken [ms UTC], in file order; raise ConfigError for one that the zone can't place."""
        if self._zone is not None and self._local:
            found = placed(self._local, self._rows, self._file, self._zone)
            return np.fromiter(found, np.int64, len(self._local))
        return np.array(self._instants, np.int64)

    def _stamp(self, line: int, text: str) -> datetime | None:
        if text[4:5] == "-":
            try:
                return datetime.fromisoformat(text)
            except ValueError:
                pass
        if not looks_like_time(text):
            return None
        if self._order is None:
            self._order = self._ask_order()
        try:
            return read_stamp(line, text, self._file, self._order)
        except Unreadable:
            return None


def _instant(stamp: datetime) -> Instant:
    offset = stamp.utcoffset()
    naive = stamp.replace(tzinfo=None) if offset is not None else stamp
    since = naive - _EPOCH if offset is None else naive - _EPOCH - offset
    return since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1000
