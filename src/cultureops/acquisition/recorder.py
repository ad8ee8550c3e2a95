"""Where every reading goes, in this order: alarms, store, watchers.

Alarms evaluate first and are never dropped. The store returns a future that is done when the readings are durable; a
store that fails never stops the alarms. Watchers come last and may miss some.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from cultureops.alarms.engine import Engine, Transition
from cultureops.clock import Instant
from cultureops.device.reading import Reading
from cultureops.telemetry.store import TelemetryStore

__all__ = ["Recorder"]


class Recorder:
    """Accepts readings and moves time on for the alarms."""

    def __init__(
        self,
        engine: Engine,
        store: TelemetryStore,
        on_transitions: Callable[[Sequence[Transition]], None],
        on_readings: Callable[[Sequence[Reading]], None],
    ) -> None:
        self._engine = engine
        self._store = store
        self._on_transitions = on_transitions
        self._on_readings = on_readings
        self.accepted = 0
        """Readings handed to the store since the start."""

    def accept(self, readings: Sequence[Reading]) -> asyncio.Future[int]:
        """Evaluate alarms, hand the readings to the store and show them; the future is done when they are durable.

        Never blocks. The future fails with StorageError when the store could not keep the readings.
        """
        if transitions := self._engine.evaluate(readings):
            self._on_transitions(transitions)
        return self.keep(readings)

    def keep(self, readings: Sequence[Reading]) -> asyncio.Future[int]:
        """Do the same with readings that another node's alarms have evaluated already."""
        durable = self._store.append(readings)
        self.accepted += len(readings)
        self._on_readings(readings)
        return durable

    def tick(self, now: Instant) -> None:
        """Let alarm delays run out where no reading came."""
        if transitions := self._engine.tick(now):
            self._on_transitions(transitions)
