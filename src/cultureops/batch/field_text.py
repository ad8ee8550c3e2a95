"""Fields as people read them: a name without its unit, the unit, and the value; on paper, on forms and in lists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.clock import local_text, parse_iso
from cultureops.errors import ConfigError
from cultureops.ledger.event import JsonValue

__all__ = ["field_name", "field_text", "field_unit", "named"]

_UNITS: Final[Mapping[str, str]] = {
    "1e6_per_ml": "10⁶/mL",
    "eu_per_ml": "EU/mL",
    "ug_per_ml": "µg/mL",
    "mg_per_ml": "mg/mL",
    "pg_per_cell": "pg/cell",
    "per_cm2": "cells/cm²",
    "ml_per_vial": "mL/vial",
    "ml_per_h": "mL/h",
    "c_per_min": "°C/min",
    "cm2": "cm²",
    "pct": "%",
    "ml": "mL",
    "um": "µm",
    "kg": "kg",
    "min": "min",
    "h": "h",
    "c": "°C",
    "g": "g",
}
"""How field names end that carry a unit; longer ones first."""
_SPOKEN: Final[Mapping[str, str]] = {
    "enzyme_pct": "enzyme concentration",
    "mnc_count": "mononuclear cells",
    "marrow_ml": "marrow volume",
    "vol_before_ml": "volume before",
    "vol_added_ml": "volume added",
    "vol_left_ml": "volume left",
    "iron_pg_per_cell": "iron per cell",
    "interval_h": "since the last change",
    "spin_min": "spinning time",
    "cells_per_vial": "cells per vial",
    "density_per_cm2": "seeding density",
}
_ENDINGS: Final = re.compile(rf"_({'|'.join(_UNITS)})$")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_MOST_DIGITS: Final = 10
"""What somebody has typed is no longer and stands as it was typed; what was worked out is rounded."""


def field_unit(name: str) -> str:
    """Return the unit that a field's name carries, empty where it carries none."""
    if name.startswith(("cells_", "n_")) or name.endswith("_cells"):
        return "cells" if "cells" in name else ""
    return _UNITS[found[1]] if (found := _ENDINGS.search(name)) else ""


def field_name(name: str) -> str:
    """Return a field's name as people read it, without its unit."""
    if name in _SPOKEN:
        return _SPOKEN[name]
    words = _ENDINGS.sub("", name)
    if words.startswith("n_"):
        words = f"number_of_{words[2:]}"
    return words.replace("_", " ").replace("sha256", "SHA-256").replace("dmso", "DMSO")


def field_text(value: JsonValue, zone: ZoneInfo) -> str:
    """Return a value in words: times in the site's zone, whole numbers in groups, lists and tables on one line."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}".replace(",", " ")
        case float():
            return shortest if len(shortest := f"{value:.10g}") <= _MOST_DIGITS else f"{value:.6g}"
        case str():
            return _words(value, zone)
        case {"store": str(store), "rack": str(rack), "box": str(box), "position": str(position)}:
            return f"{store} / {rack} / {box} / {position}"
        case Mapping():
            return ", ".join(f"{_key(key, item)} {field_text(item, zone)}" for key, item in value.items()) or "none"
        case Sequence():
            return "; ".join(field_text(item, zone) for item in value) or "none"


def _key(key: str, item: JsonValue) -> str:
    """What facts stand under is the name of a thing; what a value stands under is a word."""
    return f"{key}:" if isinstance(item, Mapping) and key != "place" else key.replace("_", " ")


def _words(text: str, zone: ZoneInfo) -> str:
    if _TIME.fullmatch(text):
        try:
            return local_text(parse_iso(text), zone)
        except ConfigError:
            return text
    return text


def named(name: str, value: JsonValue, zone: ZoneInfo) -> str:
    """Return a field with name, value and unit, e.g. ``volume 12.5 mL``."""
    unit = field_unit(name)
    return f"{field_name(name)} {field_text(value, zone)}" + (f" {unit}" if unit else "")
