"""Reading what came in as JSON: one-line errors that name the field."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cultureops_simulators.instrument import SimulatorError

__all__ = ["Arguments"]


class Arguments:
    """The fields of one JSON object; every reader raises SimulatorError naming ``where`` and the field."""

    def __init__(self, where: str, fields: object) -> None:
        if not isinstance(fields, Mapping):
            raise SimulatorError(f"{where}: expected a JSON object, got {_short(fields)}")
        self.where = where
        self.fields: Mapping[str, object] = fields

    def text(self, key: str) -> str:
        """Return a text that is not empty."""
        value = self.fields.get(key)
        if not isinstance(value, str) or not value:
            raise SimulatorError(f"{self.where}: {key} must be a text, got {_short(value)}")
        return value

    def number(
        self,
        key: str,
        above: float = 0.0,
        most: float = math.inf,
        default: float | None = None,
    ) -> float:
        """Return a finite number greater than ``above``."""
        value = self.fields.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise SimulatorError(f"{self.where}: {key} must be a number, got {_short(value)}")
        if not above < value <= most:
            limit = f"above {above:g}" + ("" if most == math.inf else f" and at most {most:g}")
            raise SimulatorError(f"{self.where}: {key} must be {limit}, got {value:g}")
        return float(value)

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """Return a whole number from ``least`` to ``most``."""
        value = self.fields.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise SimulatorError(f"{self.where}: {key} must be a whole number {least}..{most}, got {_short(value)}")
        return value

    def only(self, *keys: str) -> None:
        """Refuse fields of any other name."""
        unknown = sorted(set(self.fields) - set(keys))
        if unknown:
            raise SimulatorError(f"{self.where}: unknown field {unknown[0]!r}; expected {', '.join(keys)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
