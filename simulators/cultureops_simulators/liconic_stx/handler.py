"""The plate handler of an STX: cassettes with levels, a shovel, a gate and a transfer station.

The durations are this project's own. Error numbers (DM200): 12 and 13 mean nearly the same to PyLabRobot and
open-liconic-stx; 10 is the latter's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Handler"]

WRONG_CASSETTE, WRONG_LEVEL, PLATE_TRACE = 10, 12, 13

INITIALISING_S: Final = 10.0
TRANSFER_S: Final = 12.0
PICK_S: Final = 6.0
GATE_S: Final = 3.0

Place = tuple[int, int]


@dataclass(slots=True)
class Handler:
    """Plates stand at (cassette, level), both from 1; one movement at a time, its effect at its end."""

    n_cassettes: int
    n_levels: int
    plates: set[Place]
    is_active: bool = False
    station_occupied: bool = False
    shovel_occupied: bool = False
    plate_ready: bool = False
    gate_open: bool = False
    is_swapped: bool = False
    is_shaking: bool = False
    error: int = 0
    _left_s: float = 0.0
    _effect: Callable[[], None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a movement is under way."""
        return self._effect is not None

    @property
    def is_ready(self) -> bool:
        """Whether it was activated, is idle and has no error."""
        return self.is_active and not self.is_busy and not self.error

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self._left_s -= dt_s
        if self._effect is not None and self._left_s <= 0.0:
            effect, self._effect = self._effect, None
            effect()

    def _start(self, duration_s: float, effect: Callable[[], None]) -> None:
        """Begin a movement; a relay that is set while one is under way, or in an error, moves nothing."""
        if not self.is_busy and not self.error:
            self._left_s, self._effect = duration_s, effect

    def initialise(self) -> None:
        """Relay 1900: forget errors and find all end positions."""
        self._effect, self.error, self.is_active = None, 0, False
        self._start(INITIALISING_S, lambda: None)

    def activate(self) -> None:
        """Relay 1801: make the handler take orders, once it is initialised."""
        self.is_active = True

    def move_gate(self, is_to_open: bool) -> None:
        """Relays 1901 and 1902."""

        def done() -> None:
            self.gate_open = is_to_open

        self._start(GATE_S, done)

    def end_access(self) -> None:
        """Relay 1903: nobody waits for the plate any longer."""
        self.plate_ready = False

    def import_plate(self, place: Place, n_levels: int) -> None:
        """Relay 1904: transfer station to storage."""

        def done() -> None:
            if not self.station_occupied or place in self.plates:
                self.error = PLATE_TRACE
                return
            self.station_occupied = False
            self.plates.add(place)

        self._go(TRANSFER_S, place, n_levels, done)

    def export_plate(self, place: Place, n_levels: int) -> None:
        """Relay 1905: storage to transfer station."""

        def done() -> None:
            if self.station_occupied or place not in self.plates:
                self.error = PLATE_TRACE
                return
            self.plates.discard(place)
            self.station_occupied = self.plate_ready = True

        self._go(TRANSFER_S, place, n_levels, done)

    def shovel_to_station(self) -> None:
        """Relay 1906."""

        def done() -> None:
            if self.station_occupied or not self.shovel_occupied:
                self.error = PLATE_TRACE
                return
            self.shovel_occupied, self.station_occupied = False, True

        self._start(TRANSFER_S, done)

    def station_to_shovel(self) -> None:
        """Relay 1907."""

        def done() -> None:
            if self.shovel_occupied or not self.station_occupied:
                self.error = PLATE_TRACE
                return
            self.shovel_occupied, self.station_occupied = True, False

        self._start(TRANSFER_S, done)

    def pick(self, place: Place, n_levels: int) -> None:
        """Relay 1908: storage to shovel."""

        def done() -> None:
            if self.shovel_occupied or place not in self.plates:
                self.error = PLATE_TRACE
                return
            self.plates.discard(place)
            self.shovel_occupied = True

        self._go(PICK_S, place, n_levels, done)

    def put(self, place: Place, n_levels: int) -> None:
        """Relay 1909: shovel to storage."""

        def done() -> None:
            if not self.shovel_occupied or place in self.plates:
                self.error = PLATE_TRACE
                return
            self.plates.add(place)
            self.shovel_occupied = False

        self._go(PICK_S, place, n_levels, done)

    def _go(self, duration_s: float, place: Place, n_levels: int, effect: Callable[[], None]) -> None:
        cassette, level = place
        if not 1 <= cassette <= self.n_cassettes:
            self.error = self.error or WRONG_CASSETTE
        elif not 1 <= level <= n_levels:
            self.error = self.error or WRONG_LEVEL
        else:
            self._start(duration_s, effect)
