"""What every simulated device has in common: a name, physics that is stepped, and a panel."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import SimulatorError

__all__ = ["Device", "Model"]


class Model(Protocol):
    """The physics behind a device."""

    @property
    def panel(self) -> Panel:
        """What it shows."""
        ...

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        ...


M = TypeVar("M", bound=Model)


class Device(Generic[M]):
    """A simulator but for its wire language (``dialect``); over TCP or a terminal, and with nothing that could fail."""

    wires: frozenset[str] = frozenset({"tcp", "pty"})

    def __init__(self, name: str, model: M) -> None:
        self.name = name
        self._model = model

    @property
    def panel(self) -> Panel:
        """What it shows."""
        return self._model.panel

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self._model.step(dt_s)

    def upset(self, condition: str, present: bool) -> None:
        """Refuse: no supply stands behind it."""
        raise SimulatorError(f"{self.name}: this instrument has no supply that could fail, got {condition!r}")

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only; here what is shown of it."""
        return {"shown": dict(self.panel.values)}
