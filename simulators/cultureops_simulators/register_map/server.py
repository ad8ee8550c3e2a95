"""A device that shows whatever it is told to, through the registers its profile names; RTU, ASCII or TCP.

It shares its map with the driver, so it can't find an error in the map: it is for what lies behind the driver, such as
a challenge of alarms. Where a simulator was written from the maker's page, take that one. Registers without a point
read 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.register_map.points import MapPoint, RegisterMap, read_map
from cultureops_simulators.registers import RegisterDevice, Wiring

__all__ = ["MapModel", "build"]


class MapModel:
    """A panel with every point of a map, and nothing behind it."""

    def __init__(self, points: tuple[MapPoint, ...]) -> None:
        self.panel = Panel()
        self._rest = {point.name: point.rest for point in points}
        self.step(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.panel.show(dict(self._rest), dt_s)

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only: there is none but what is shown."""
        return {}


class _Registers(dict[int, int]):
    """Words by address; where no point is, a gap reads 0."""

    def get(self, address: int, default: int | None = 0) -> int | None:  # type: ignore[override]
        return super().get(address, default)


def _show(points: tuple[MapPoint, ...], shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
    words: dict[int, dict[int, int]] = defaultdict(_Registers)
    for point in sorted(
        points, key=lambda point: point.bitmask != 0
    ):  # what is in a register lies over the whole of it
        table = words[point.function]
        for index, word in enumerate(point.words(shown[point.name])):
            at = point.address + index
            table[at] = table.get(at, 0) & ~point.bitmask | word if point.bitmask else word
    return dict(words)


def build(name: str, options: Options, rng: np.random.Generator) -> RegisterDevice:
    """Build it; option ``profile``: path of its map.

    Further options: ``unit_id``, ``framing`` (tcp, rtu, ascii) and what the profile leaves to the owner. Raises
    SimulatorError.
    """
    registers: RegisterMap = read_map(name, options)
    text = str(options.get("unit_id", registers.unit_id))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 247:
        raise SimulatorError(f"{name}: option unit_id must be a whole number 1..247, got {text!r}")
    wiring = Wiring(int(text), ("tcp", "rtu", "ascii"))
    points = registers.points
    return RegisterDevice(name, MapModel(points), lambda shown: _show(points, shown), wiring, options)
