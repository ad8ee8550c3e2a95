"""The plate handler of a Cytomat: what stands where, and movements that take their time.

A movement is a list of strokes; each has a duration, shows a target and an action in the action register while it
lasts, and changes the world at its end. The durations are this project's own. Action and target codes: PyLabRobot
(storage/cytomat/constants.py) and open-cytomat (status.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

__all__ = ["Action", "Fault", "Handler", "Refused", "Target"]


class Target(IntEnum):
    """Where the handler is headed."""

    INIT = 1
    WAIT = 2
    STACKER = 3
    STATION = 4


class Action(IntEnum):
    """What it does there."""

    HEIGHT_BELOW = 0x01
    HEIGHT_ABOVE = 0x03
    ROTATE = 0x05
    EXTEND = 0x07
    RETRACT = 0x0A
    CLOSE_GATE = 0x0C
    OPEN_GATE = 0x0E
    CHECK_SHOVEL = 0x14
    CHECK_STATION = 0x15
    TO_BARCODE_READER = 0x16
    READ_BARCODE = 0x18
    TURN_CAROUSEL = 0x19


class Refused(Exception):
    """A command that cannot be carried out now; ``code`` is that of the ``er`` answer."""

    def __init__(self, code: int) -> None:
        super().__init__(f"er {code:02X}")
        self.code = code


class Fault(Exception):
    """A movement that failed under way; ``code`` goes to the error register."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error register {code:02X}")
        self.code = code


BUSY, BAD_PARAMETERS, UNKNOWN_SLOT = 0x01, 0x04, 0x05
WRONG_POSITION, SHOVEL_NOT_EXTENDED = 0x11, 0x12
HANDLER_OCCUPIED, HANDLER_EMPTY = 0x21, 0x22
STATION_EMPTY, STATION_OCCUPIED = 0x31, 0x32
GATE_NOT_OPEN = 0x42
SHAKER_NOT_ACTIVE = 0x61
PLATE_NOT_LOADED, PLATE_NOT_UNLOADED = 0x02, 0x03
INITIALISED_AT_OPEN_DOOR = 0x09

_SECONDS: Final = {
    Action.HEIGHT_BELOW: 2.0,
    Action.HEIGHT_ABOVE: 1.0,
    Action.ROTATE: 3.0,
    Action.EXTEND: 1.5,
    Action.RETRACT: 1.5,
    Action.CLOSE_GATE: 2.0,
    Action.OPEN_GATE: 2.0,
    Action.CHECK_SHOVEL: 0.2,
    Action.CHECK_STATION: 0.2,
    Action.TO_BARCODE_READER: 2.0,
    Action.READ_BARCODE: 0.5,
    Action.TURN_CAROUSEL: 4.0,
}


@dataclass(frozen=True, slots=True)
class Stroke:
    """One part of a movement."""

    target: Target
    action: Action
    effect: Callable[[], None] | None = None


@dataclass(slots=True)
class Handler:
    """Slots 1..``n_slots`` with the plates in ``plates``, shovel, gate, transfer station, registers."""

    n_slots: int
    plates: set[int]
    station_occupied: bool = False
    shovel_occupied: bool = False
    shovel_extended: bool = False
    gate_open: bool = False
    exposed: bool = False
    initialised: bool = False
    error: int = 0
    warning: int = 0
    action: tuple[Target, Action] = (Target.INIT, Action.RETRACT)
    _strokes: deque[Stroke] = field(default_factory=deque)
    _left_s: float = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a movement is under way."""
        return bool(self._strokes)

    @property
    def is_ready(self) -> bool:
        """Whether it is initialised, idle and without an error."""
        return self.initialised and not self.is_busy and not self.error

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass; a movement ends in the middle of a step if it must."""
        while self._strokes and dt_s >= self._left_s:
            dt_s -= self._left_s
            effect = self._strokes.popleft().effect
            try:
                if effect is not None:
                    effect()
            except Fault as fault:
                self.error = fault.code
                self.shovel_extended = False
                self._strokes.clear()
            self._next()
        self._left_s -= dt_s if self._strokes else 0.0

    def _next(self) -> None:
        if self._strokes:
            stroke = self._strokes[0]
            self.action, self._left_s = (stroke.target, stroke.action), _SECONDS[stroke.action]

    def start(self, strokes: Iterator[Stroke]) -> None:
        """Begin a movement."""
        self._strokes.extend(strokes)
        self._next()

    # Whole movements, by the names of the wire: t transfer station, s storage, w wait position, h exposed position.

    def transfer_to_storage(self, slot: int) -> None:
        """``mv:ts``."""
        self._needs(station=True, shovel=False)
        self.start(self._chain(self._fetch_from_station(), self._put_into(self._slot(slot))))

    def storage_to_transfer(self, slot: int) -> None:
        """``mv:st``."""
        self._needs(station=False, shovel=False)
        self.start(self._chain(self._take_out_of(self._slot(slot)), self._bring_to_station()))

    def storage_to_wait(self, slot: int) -> None:
        """``mv:sw``."""
        self._needs(shovel=False)
        self.start(self._chain(self._take_out_of(self._slot(slot)), self._wait()))

    def wait_to_storage(self, slot: int) -> None:
        """``mv:ws``."""
        self._needs(shovel=True)
        self.start(self._chain(self._put_into(self._slot(slot)), self._wait()))

    def wait_to_transfer(self) -> None:
        """``mv:wt``."""
        self._needs(station=False, shovel=True)
        self.start(self._chain(self._bring_to_station(), self._wait()))

    def transfer_to_wait(self) -> None:
        """``mv:tw``."""
        self._needs(station=True, shovel=False)
        self.start(self._chain(self._fetch_from_station(), self._wait()))

    def wait_to_exposed(self) -> None:
        """``mv:wh``."""
        self._needs(shovel=True)
        self.start(self._expose())

    def exposed_to_wait(self) -> None:
        """``mv:hw``."""
        self._needs(exposed=True)
        self.start(self._chain(self._withdraw(), self._wait()))

    def exposed_to_storage(self, slot: int) -> None:
        """``mv:hs``."""
        self._needs(exposed=True)
        self.start(self._chain(self._withdraw(), self._put_into(self._slot(slot)), self._wait()))

    def storage_to_exposed(self, slot: int) -> None:
        """``mv:sh``."""
        self._needs(shovel=False)
        self.start(self._chain(self._take_out_of(self._slot(slot)), self._expose()))

    def scan(self, first: int, last: int) -> None:
        """``mv:sc``, ``mv:sn``: pass the barcode reader along the slots; what it reads is not public here."""
        first, last = self._slot(first), self._slot(last)
        self._needs(shovel=False)
        if last < first:
            raise Refused(BAD_PARAMETERS)
        reading = (Stroke(Target.STACKER, Action.READ_BARCODE) for _ in range(first, last + 1))
        self.start(self._chain(iter([Stroke(Target.STACKER, Action.TO_BARCODE_READER)]), reading))

    # Single strokes.

    def initialise(self, door_is_open: bool) -> None:
        """``ll:in``: retract, shut the gate, find all end positions; forgets errors, warns of an open door."""
        self._strokes.clear()
        self.initialised, self.error = False, 0
        self.warning = INITIALISED_AT_OPEN_DOOR if door_is_open else 0
        self.start(
            iter(
                [
                    Stroke(Target.INIT, Action.RETRACT, self._retracted),
                    Stroke(Target.INIT, Action.CLOSE_GATE, self._gate_closed),
                    Stroke(Target.INIT, Action.HEIGHT_BELOW),
                    Stroke(Target.INIT, Action.ROTATE),
                    Stroke(Target.INIT, Action.TURN_CAROUSEL, self._found),
                ]
            )
        )

    def gate(self, is_to_open: bool) -> None:
        """``ll:gp``."""
        if not is_to_open and self.exposed:
            raise Refused(WRONG_POSITION)
        stroke = (
            Stroke(Target.STATION, Action.OPEN_GATE, self._gate_opened)
            if is_to_open
            else Stroke(Target.STATION, Action.CLOSE_GATE, self._gate_closed)
        )
        self.start(iter([stroke]))

    def shovel(self, is_to_extend: bool) -> None:
        """``ll:sp``."""
        if is_to_extend and self.action[0] is Target.STATION and not self.gate_open:
            raise Refused(GATE_NOT_OPEN)
        stroke = (
            Stroke(self.action[0], Action.EXTEND, self._extended)
            if is_to_extend
            else Stroke(self.action[0], Action.RETRACT, self._retracted)
        )
        self.start(iter([stroke]))

    def axis(self, action: Action, slot: int) -> None:
        """``ll:h+``, ``ll:h-``, ``ll:dp``, ``ll:xp``: one axis to a slot; slot 0 is the transfer station."""
        self._needs_retracted()
        target = Target.STACKER if slot else Target.STATION
        self._slot(slot or 1)
        self.start(iter([Stroke(target, action)]))

    def wait_position(self) -> None:
        """``ll:wp``."""
        self._needs_retracted()
        self.start(self._wait())

    def _needs(self, station: bool | None = None, shovel: bool | None = None, exposed: bool = False) -> None:
        """Raise Refused unless all is as a movement needs it; None: it does not matter."""
        if exposed is not self.exposed:
            raise Refused(WRONG_POSITION)
        if shovel is not None and shovel is not self.shovel_occupied:
            raise Refused(HANDLER_EMPTY if shovel else HANDLER_OCCUPIED)
        if station is not None and station is not self.station_occupied:
            raise Refused(STATION_EMPTY if station else STATION_OCCUPIED)
        self._needs_retracted(exposed)

    def _needs_retracted(self, exposed: bool = False) -> None:
        if self.shovel_extended and not exposed:
            raise Refused(WRONG_POSITION)

    def _slot(self, slot: int) -> int:
        if not 1 <= slot <= self.n_slots:
            raise Refused(UNKNOWN_SLOT)
        return slot

    @staticmethod
    def _chain(*parts: Iterator[Stroke]) -> Iterator[Stroke]:
        for part in parts:
            yield from part

    def _wait(self) -> Iterator[Stroke]:
        yield Stroke(Target.WAIT, Action.HEIGHT_BELOW)
        yield Stroke(Target.WAIT, Action.ROTATE)

    def _reach(self, target: Target, lift: Action, effect: Callable[[], None]) -> Iterator[Stroke]:
        yield Stroke(target, Action.HEIGHT_BELOW)
        yield Stroke(target, Action.ROTATE)
        yield Stroke(target, Action.EXTEND, self._extended)
        yield Stroke(target, lift, effect)
        yield Stroke(target, Action.RETRACT, self._retracted)
        yield Stroke(target, Action.CHECK_SHOVEL)

    def _take_out_of(self, slot: int) -> Iterator[Stroke]:
        def load() -> None:
            if slot not in self.plates:
                raise Fault(PLATE_NOT_LOADED)
            self.plates.discard(slot)
            self.shovel_occupied = True

        return self._reach(Target.STACKER, Action.HEIGHT_ABOVE, load)

    def _put_into(self, slot: int) -> Iterator[Stroke]:
        def unload() -> None:
            if slot in self.plates:
                raise Fault(PLATE_NOT_UNLOADED)
            self.plates.add(slot)
            self.shovel_occupied = False

        return self._reach(Target.STACKER, Action.HEIGHT_BELOW, unload)

    def _through_gate(self, strokes: Iterator[Stroke]) -> Iterator[Stroke]:
        yield Stroke(Target.STATION, Action.OPEN_GATE, self._gate_opened)
        yield from strokes
        yield Stroke(Target.STATION, Action.CLOSE_GATE, self._gate_closed)

    def _fetch_from_station(self) -> Iterator[Stroke]:
        def load() -> None:
            if not self.station_occupied:
                raise Fault(PLATE_NOT_LOADED)
            self.station_occupied, self.shovel_occupied = False, True

        return self._through_gate(self._reach(Target.STATION, Action.HEIGHT_ABOVE, load))

    def _bring_to_station(self) -> Iterator[Stroke]:
        def unload() -> None:
            if self.station_occupied:
                raise Fault(PLATE_NOT_UNLOADED)
            self.station_occupied, self.shovel_occupied = True, False

        return self._through_gate(self._reach(Target.STATION, Action.HEIGHT_BELOW, unload))

    def _expose(self) -> Iterator[Stroke]:
        yield Stroke(Target.STATION, Action.ROTATE)
        yield Stroke(Target.STATION, Action.OPEN_GATE, self._gate_opened)
        yield Stroke(Target.STATION, Action.EXTEND, self._now_exposed)

    def _withdraw(self) -> Iterator[Stroke]:
        yield Stroke(Target.STATION, Action.RETRACT, self._retracted)
        yield Stroke(Target.STATION, Action.CLOSE_GATE, self._gate_closed)

    def _now_exposed(self) -> None:
        self.exposed = self.shovel_extended = True

    def _extended(self) -> None:
        self.shovel_extended = True

    def _retracted(self) -> None:
        self.shovel_extended = self.exposed = False

    def _gate_opened(self) -> None:
        self.gate_open = True

    def _gate_closed(self) -> None:
        self.gate_open = False

    def _found(self) -> None:
        self.initialised = True
