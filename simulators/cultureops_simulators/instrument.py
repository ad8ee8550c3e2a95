"""What every simulated instrument offers: physics that is stepped, and a wire language without any I/O."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from cultureops_simulators.chamber import Chamber
from cultureops_simulators.culture import Suspension
from cultureops_simulators.faults import Panel
from cultureops_simulators.tank import Tank

__all__ = [
    "Atmosphere",
    "CountsCells",
    "Dialect",
    "HoldsCultures",
    "HoldsNitrogen",
    "Options",
    "Simulator",
    "SimulatorError",
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
class HoldsCultures(Protocol):
    """A simulator with a chamber that vessels can stand in."""

    @property
    def chamber(self) -> Chamber:
        """The chamber."""
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


class Simulator(Protocol):
    """A simulated instrument."""

    @property
    def name(self) -> str:
        """The instrument's name in the fleet."""
        ...

    @property
    def wires(self) -> frozenset[str]:
        """The kinds of wire it can be reached by: ``tcp``, ``pty``, both, or none."""
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
