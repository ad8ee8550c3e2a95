"""What the titles of a logger's columns say: which is the time, which a temperature, and in which unit. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cultureops.errors import ConfigError

__all__ = ["TemperatureUnit", "Titles", "find_titles", "time_places", "unit_of"]

TemperatureUnit: TypeAlias = Literal["C", "F", "K"]

_UNITS: Final[dict[str, TemperatureUnit]] = {
    "°c": "C", "ºc": "C", "℃": "C", "c": "C", "degc": "C", "deg c": "C", "celsius": "C", "cel": "C", "grad c": "C",
    "°f": "F", "ºf": "F", "℉": "F", "f": "F", "degf": "F", "deg f": "F", "fahrenheit": "F",
    "k": "K", "kelvin": "K",
}  # fmt: skip
_STAMPS: Final = frozenset({
    "timestamp", "time stamp", "datetime", "date/time", "date time", "date-time", "date & time", "date and time",
    "local time", "recorded at", "logged at", "created_at", "measurement time", "reading time", "time & date",
    "datum/zeit", "datum/uhrzeit", "datum uhrzeit", "datum zeit", "zeitstempel", "messzeit", "zeitpunkt", "horodatage",
})  # fmt: skip
_DATES: Final = frozenset({"date", "datum", "day", "fecha"})
_TIMES: Final = frozenset({"time", "zeit", "uhrzeit", "heure", "hora", "utc"})
_TEMPERATURE: Final = re.compile(r"temp|t\b|celsius|fahrenheit|probe|sonde")
_PLAIN: Final = frozenset({"value", "reading", "wert", "messwert", "measurement"})
_OTHER: Final = re.compile(r"dew|taupunkt|set ?point|sollwert|alarm|limit|thresh|\bmin|\bmax|\bmkt|humid|feuchte|press")
"""Words of columns that are in degrees and are not what was measured, or not in degrees at all."""
_BRACKETED: Final = re.compile(r"(?P<name>.*?)\s*[(\[{](?P<unit>[^)\]}]*)[)\]}]\s*")
_SLASHED: Final = re.compile(r"(?P<name>[^/]*\w)\s*/\s*(?P<unit>[^/\s]{1,8})")
_TRAILING: Final = re.compile(
    r"(?P<name>.*?)[\s_.,:-]*(?P<unit>[°º]\s?[a-z]|℃|℉|(?<![a-z])(?:deg\s?)?[cfk]|celsius|fahrenheit|kelvin)"
)


@dataclass(frozen=True, slots=True)
class Titles:
    """Places of the columns in a row; ``time_places`` are joined by a space, ``unit`` is None where none is stated."""

    time_places: tuple[int, ...]
    value_place: int
    value_title: str
    unit: TemperatureUnit | None
    is_utc: bool


def find_titles(cells: Sequence[str], column: str | None) -> Titles | None:
    """Return where time and temperature stand, or None when these cells are not the head of a table with both.

    ``column`` is the title that the user gave. Raises ConfigError where a head is found and leaves a choice, or states
    a unit that is no temperature's.
    """
    times = time_places(cells)
    if not times:
        return None
    place = _value_place(cells, times, column)
    if place is None:
        return None
    name, unit_text = _split(cells[place])
    unit = unit_of(unit_text) if unit_text else None
    if unit_text and unit is None:
        raise ConfigError(f"column {cells[place].strip()!r} is in {unit_text!r}; expected °C, °F or K")
    is_utc = any(re.search(r"\b(utc|gmt)\b", cells[at], re.IGNORECASE) for at in times)
    return Titles(times, place, cells[place].strip(), unit or unit_of(name), is_utc)


def unit_of(text: str) -> TemperatureUnit | None:
    """Return the temperature unit that a text names, or None."""
    return _UNITS.get(" ".join(text.lower().replace("° ", "°").split()))


def time_places(cells: Sequence[str]) -> tuple[int, ...]:
    """Return where the time stands, a date and its time of day in two places; empty where no title says so."""
    names = [_split(cell)[0] for cell in cells]
    stamps = [at for at, name in enumerate(names) if name in _STAMPS]
    if stamps:
        return (stamps[0],)
    dates = [at for at, name in enumerate(names) if name in _DATES]
    times = [at for at, name in enumerate(names) if name in _TIMES]
    return (*dates[:1], *times[:1])


def _value_place(cells: Sequence[str], times: tuple[int, ...], column: str | None) -> int | None:
    others = [at for at in range(len(cells)) if at not in times]
    if column is not None:
        found = [at for at in others if cells[at].strip().casefold() == column.strip().casefold()]
        if len(found) != 1:
            titles = ", ".join(repr(cells[at].strip()) for at in others if cells[at].strip())
            said = "stands there twice" if found else "is not there"
            raise ConfigError(f"column {column!r} {said}; there are {titles}")
        return found[0]
    split = {at: _split(cells[at]) for at in others}
    measured = [at for at, (name, _) in split.items() if not _OTHER.search(name)]
    by_unit = [at for at in measured if unit_of(split[at][1]) or unit_of(split[at][0])]
    by_name = [at for at in measured if _TEMPERATURE.match(split[at][0]) and at not in by_unit]
    plain = [at for at in measured if split[at][0] in _PLAIN]
    for candidates in (by_unit, by_name, plain):
        if len(candidates) > 1:
            titles = ", ".join(repr(cells[at].strip()) for at in candidates)
            raise ConfigError(f"there are several columns with a temperature, {titles}; say which with --column")
        if candidates:
            return candidates[0]
    return None


def _split(title: str) -> tuple[str, str]:
    """Return a title's name and unit, both in small letters; the unit is empty where none is told apart."""
    text = " ".join(title.lower().split())
    if text in _STAMPS:
        return text, ""
    for pattern in (_BRACKETED, _SLASHED):
        found = pattern.fullmatch(text)
        if found is not None:
            return found["name"].strip(" _:"), found["unit"].strip()
    found = _TRAILING.fullmatch(text)
    # "Temp C" has a unit; "Probe C" is the third probe.
    if found is not None and found["name"] and (len(found["unit"]) > 1 or found["name"].startswith("temp")):
        return found["name"].strip(" _:"), found["unit"].strip()
    return text.strip(" _:"), ""
