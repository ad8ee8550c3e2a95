"""What every simulated instrument offers: physics that is stepped, and a wire language without any I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from cultureops_simulators.culture import Suspension
from cultureops_simulators.faults import Panel
from cultureops_simulators.tank import Tank

__all__ = [
    "Atmosphere",
    "CountsCells",
    "Dialect",
    "EndsConversation",
    "FeelsCells",
    "HoldsCultures",
    "HoldsNitrogen",
    "LogsTrips",
    "Options",
    "Publishes",
    "PublishingJob",
    "Simulator",
    "SimulatorError",
    "SpeaksFirst",
    "SpinsDown",
]

Options = Mapping[str, object]
"""What the fleet file says about one instrument."""


class SimulatorError(Exception):
    """A configuration or a command that cannot be carried out; the message is one line and says what was expected."""


class Dialect(Protocol):
    """One connection's state of an instrument's wire language."""

    def receive(self, data: bytes) -> bytes:
        """Take bytes as they come in, whole frames or not, and return the bytes to send back (may be empty)."""
        ...


@runtime_checkable
class EndsConversation(Protocol):
    """A dialect that hangs up by itself, as HTTP does behind an answer whose length it did not say."""

    @property
    def is_over(self) -> bool:
        """Whether the connection ends as soon as everything is sent."""
        ...


@runtime_checkable
class SpeaksFirst(Protocol):
    """A dialect that speaks unasked, as analysers do that call their host."""

    def on_line(self, say: Callable[[bytes], None]) -> None:
        """Take the way to speak on this connection; once it is lost, what is said goes nowhere."""
        ...


@runtime_checkable
class Atmosphere(Protocol):
    """The true air inside a chamber."""

    @property
    def temperature_c(self) -> float:
        """Air temperature [degC]."""
        ...

    @property
    def co2_pct(self) -> float:
        """CO2 [volume %]."""
        ...


@runtime_checkable
class FeelsCells(Protocol):
    """A chamber that is the liquid itself, which the cells in it change."""

    def hold(self, cells: float) -> None:
        """Take note of how many cells are in it."""
        ...


@runtime_checkable
class HoldsCultures(Protocol):
    """A simulator with a chamber that vessels can stand in, or with a vessel that is one."""

    @property
    def chamber(self) -> Atmosphere:
        """What surrounds the cells."""
        ...


@runtime_checkable
class HoldsNitrogen(Protocol):
    """A simulator with a liquid nitrogen store."""

    @property
    def tank(self) -> Tank:
        """The store."""
        ...


@runtime_checkable
class CountsCells(Protocol):
    """A simulated cell counter."""

    def analyse(self, sample_id: str, suspension: Suspension) -> Path:
        """Count a sample and return the file that holds the result; raises SimulatorError."""
        ...


@runtime_checkable
class LogsTrips(Protocol):
    """A simulated logger that goes with a shipment."""

    def begin(self) -> None:
        """Begin a new trip; what was logged before is gone."""
        ...

    def read_out(self) -> Path:
        """Write what was logged to a file and return it; raises SimulatorError when there is nothing."""
        ...


@runtime_checkable
class SpinsDown(Protocol):
    """A simulated centrifuge."""

    def spin(self) -> None:
        """Start a run; raises SimulatorError when it can't be started."""
        ...


@dataclass(frozen=True, slots=True)
class PublishingJob:
    """One connection of an instrument to its broker; ``lost`` in its state topic is its last will."""

    name: str
    client_id: str
    state_topic: str


@runtime_checkable
class Publishes(Protocol):
    """A simulator that nobody asks: it speaks to a broker."""

    @property
    def jobs(self) -> tuple[PublishingJob, ...]:
        """Its connections."""
        ...

    def listen(self, tell: Callable[[str, str, bytes], None]) -> None:
        """Hand over what is published from now on: job, topic, payload."""
        ...


class Simulator(Protocol):
    """A simulated instrument."""

    @property
    def name(self) -> str:
        """The instrument's name in the fleet."""
        ...

    @property
    def wires(self) -> frozenset[str]:
        """The kinds of wire it can be reached by: ``tcp``, ``pty``, both, ``mqtt`` (a broker), or none."""
        ...

    @property
    def panel(self) -> Panel:
        """The values it shows, where stuck and drifting channels act."""
        ...

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass (> 0); all noise is drawn here."""
        ...

    def dialect(self) -> Dialect:
        """Return the wire language for one new connection."""
        ...

    def upset(self, condition: str, present: bool) -> None:
        """Start or end a trouble of the plant behind it; raises SimulatorError for one it cannot have."""
        ...

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        ...
