"""What a Heracell writes down: its log of 16-byte records in pages of seven, and its list of errors.

Layout, event codes and sizes: manualshive 1104823 p170-181, 1104556 p170-171. How many records it keeps, how often it
writes the actual values and what tells an error from none is this project's own, and so are the characters of an
error: only their number, 21, is public. The codes of a gas guard event (70-72) are not told apart there; 70 it is here.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cultureops_simulators.chamber import Chamber

__all__ = ["LAST", "Logbook", "Pages"]

ACTUALS, POWER_RESET, DOOR_OPEN, DOOR_CLOSED, GAS_GUARD, LAST = 0x01, 0x30, 0x31, 0x32, 0x70, 0xFF
NEW_TEMPERATURE_SETPOINT, NEW_CO2_SETPOINT = 0x10, 0x11
TEMPERATURE_ERROR, CO2_ERROR = 0x20, 0x21

KEPT_RECORDS: Final = 1000
RECORDS_PER_PAGE: Final = 7
KEPT_ERRORS: Final = 22
ERRORS_PER_LIST: Final = 11
ACTUALS_EVERY_S: Final = 3600.0
TEMPERATURE_BAND_C: Final = 1.0
CO2_BAND_PCT: Final = 1.0


@dataclass(slots=True)
class Logbook:
    """The records, oldest first, and the errors, newest first."""

    chamber: Chamber
    records: deque[bytes] = field(default_factory=lambda: deque(maxlen=KEPT_RECORDS))
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_ERRORS))
    _seen: dict[str, float] = field(default_factory=dict)
    _since_actuals_s: float = 0.0

    def start(self, now: datetime, shown: dict[str, float]) -> None:
        """Write that power came on."""
        self._seen = self._state(shown)
        self._write(POWER_RESET, now, shown)

    def notice(self, now: datetime, shown: dict[str, float]) -> None:
        """Write what has changed since it was looked at last; before a step too, since a door may close within one."""
        before, after = self._seen, self._state(shown)
        self._seen = after
        for name, value in after.items():
            if value != before[name] and (event := _EVENTS.get((name, value), _EVENTS.get((name, None)))):
                self._write(event, now, shown)
                if event in (TEMPERATURE_ERROR, CO2_ERROR):
                    self.errors.appendleft(f"{now:%d.%m.%y;%H:%M};SIM {event:02x}")

    def step(self, dt_s: float, now: datetime, shown: dict[str, float]) -> None:
        """Write what changed within the last ``dt_s`` seconds, and the actual values once an hour."""
        self.notice(now, shown)
        self._since_actuals_s += dt_s
        if self._since_actuals_s >= ACTUALS_EVERY_S:
            self._since_actuals_s %= ACTUALS_EVERY_S
            self._write(ACTUALS, now, shown)

    def error_list(self, half: int) -> str:
        """Return the newer (0) or the older (1) eleven errors with colons between them."""
        return ":".join(list(self.errors)[half * ERRORS_PER_LIST : (half + 1) * ERRORS_PER_LIST])

    def record(self, event: int, now: datetime, shown: dict[str, float]) -> bytes:
        """Return one record; the humidity, which no sensor measures here, is 0 as in the printed one."""
        tenths = (round(10 * value) for value in (shown["temperature"], shown["co2"], self.chamber.o2_pct, 0.0))
        return struct.pack(
            ">6B5H", event, now.day, now.month, now.year % 100, now.hour, now.minute, 0, *(max(0, t) for t in tenths)
        )

    def _write(self, event: int, now: datetime, shown: dict[str, float]) -> None:
        self.records.append(self.record(event, now, shown))

    def _state(self, shown: dict[str, float]) -> dict[str, float]:
        chamber = self.chamber
        closed = not chamber.door_is_open
        return {
            "door": not closed,
            "supply": chamber.co2_supply_ok,
            "temperature_setpoint": chamber.temperature_setpoint_c,
            "co2_setpoint": chamber.co2_setpoint_pct,
            "temperature_error": closed
            and abs(shown["temperature"] - chamber.temperature_setpoint_c) > TEMPERATURE_BAND_C,
            "co2_error": closed and abs(shown["co2"] - chamber.co2_setpoint_pct) > CO2_BAND_PCT,
        }


_EVENTS: Final[dict[tuple[str, float | None], int]] = {
    ("door", True): DOOR_OPEN,
    ("door", False): DOOR_CLOSED,
    ("supply", None): GAS_GUARD,
    ("temperature_setpoint", None): NEW_TEMPERATURE_SETPOINT,
    ("co2_setpoint", None): NEW_CO2_SETPOINT,
    ("temperature_error", True): TEMPERATURE_ERROR,
    ("co2_error", True): CO2_ERROR,
}


class Pages:
    """Where one connection stands in the log: first, next, the same again; past the end only the last record comes."""

    def __init__(self, logbook: Logbook, last: Callable[[], bytes]) -> None:
        self._logbook, self._last = logbook, last
        self._start = 0

    def first(self) -> str:
        """Return the oldest records."""
        self._start = 0
        return self.again()

    def next(self) -> str:
        """Return the records behind those that were returned last."""
        self._start = min(self._start + RECORDS_PER_PAGE, len(self._logbook.records))
        return self.again()

    def again(self) -> str:
        """Return the records that were returned last."""
        page = list(self._logbook.records)[self._start : self._start + RECORDS_PER_PAGE]
        if len(page) < RECORDS_PER_PAGE:
            page.append(self._last())
        return b"".join(page).hex()
