"""How the lab stands, as metrics: looked up at the moment of sending.

A reading that is BAD is null, and says so by its quality too. ``Quality`` is what Sparkplug 3.0.0 allows (section
6.4.9: 0 BAD, 192 GOOD, 500 STALE), so an UNCERTAIN value is told as BAD with its value; ``OpcQuality`` tells which.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from cultureops.alarms.alarms import Alarms
from cultureops.alarms.engine import AlarmView
from cultureops.alarms.rule import Exposure
from cultureops.alarms.state import State
from cultureops.batch.batch import batch_of
from cultureops.clock import Clock, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import COMMUNICATION_REASONS, Quality, Reading
from cultureops.errors import ConfigError
from cultureops.mqtt.sparkplug.names import check_name
from cultureops.mqtt.sparkplug.wire import DataType, Metric
from cultureops.telemetry.store import TelemetryStore

__all__ = ["LabMetrics"]

_SPARKPLUG_QUALITY: Final = {Quality.GOOD: 192, Quality.UNCERTAIN: 0, Quality.BAD: 0}


class LabMetrics:
    """The metrics of a lab's devices, of its batches (devices too), and of its alarms (the node's own).

    ``site_channels`` are the channels that the site has now. What the store kept from before this start is not told for
    a device: nobody knows whether it is still there.
    """

    def __init__(
        self,
        clock: Clock,
        store: TelemetryStore,
        engine: Alarms,
        exposed: Exposure,
        site_channels: Collection[ChannelId],
    ) -> None:
        self._clock = clock
        self._store = store
        self._engine = engine
        self._exposed = exposed
        self._site_channels = site_channels
        self._aliases: dict[tuple[str, str], int] = {}
        self._heard: set[ChannelId] = set()
        self._owners: dict[str, tuple[ChannelId, ...]] = {}
        self._indexed = 0

    def hear(self, readings: Sequence[Reading]) -> None:
        """Take note of which channels were read since this start."""
        self._heard.update(reading.channel for reading in readings)

    def owners(self) -> dict[str, tuple[ChannelId, ...]]:
        """Return the channels of each device and batch that can be one in Sparkplug."""
        infos = self._store.channels()
        if len(infos) != self._indexed:
            owners: dict[str, list[ChannelId]] = {}
            for channel in infos:
                owner = channel.rpartition("/")[0]
                if channel in self._site_channels or batch_of(owner) is not None:
                    owners.setdefault(owner, []).append(channel)
            self._owners = {owner: tuple(channels) for owner, channels in owners.items() if _is_name(owner)}
            self._indexed = len(infos)
        return self._owners

    def is_there(self, owner: str) -> bool:
        """Whether a device answers, or a batch has a fact."""
        readings = (self._reading(channel) for channel in self.owners().get(owner, ()))
        return any(
            reading is not None and (reading.quality is not Quality.BAD or reading.reason not in COMMUNICATION_REASONS)
            for reading in readings
        )

    def of_channels(self, channels: Iterable[ChannelId], now: Instant) -> list[Metric]:
        """Return the last reading of each channel; ``now`` is the time of those that were never read."""
        infos = self._store.channels()
        metrics = []
        for channel in channels:
            owner, _, name = channel.rpartition("/")
            reading, info = self._reading(channel), infos[channel]
            quality = Quality.BAD if reading is None else reading.quality
            reason = "nothing read yet" if reading is None else reading.reason.text
            metrics.append(
                Metric(
                    name,
                    self._alias(owner, name),
                    now if reading is None else reading.source_time,
                    DataType.DOUBLE,
                    None if reading is None else reading.value,
                    (("Quality", _SPARKPLUG_QUALITY[quality]), ("OpcQuality", int(quality)), ("Reason", reason)),
                    (("engUnit", info.unit), ("Simulated", info.simulated)),
                )
            )
        return metrics

    def rules(self) -> list[str]:
        """Return every rule there is."""
        return [rule.id for rule in self._engine.rules]

    def known(self, rule_ids: Iterable[str]) -> list[str]:
        """Return those of the rules that still are."""
        return [rule_id for rule_id in rule_ids if self._engine.view(rule_id) is not None]

    def of_rules(self, rule_ids: Iterable[str], now: Instant) -> Iterator[Metric]:
        """Return state and condition of each alarm, as metrics of the node: they outlive their device."""
        for rule_id in rule_ids:
            if (view := self._engine.view(rule_id)) is not None:
                folder = f"Alarms/{rule_id}"
                yield Metric(
                    f"{folder}/Active", self._alias("", f"{folder}/Active"), now, DataType.BOOLEAN,
                    view.state is not State.NORMAL and view.is_active,
                )  # fmt: skip
                yield Metric(
                    f"{folder}/State", self._alias("", f"{folder}/State"), now, DataType.STRING, view.state.value,
                    (("Batches", self._batches(view)),),
                    (("Priority", view.rule.priority.value), ("GmpCritical", view.rule.gmp_critical)),
                )  # fmt: skip

    def _batches(self, view: AlarmView) -> str:
        if view.state is State.NORMAL:
            return ""
        end = self._clock.now() if view.returned_at is None else view.returned_at
        return ", ".join(view.rule.reached(self._exposed, view.since, end))

    def _reading(self, channel: ChannelId) -> Reading | None:
        is_known = channel in self._heard or batch_of(channel.rpartition("/")[0]) is not None
        return self._store.latest().get(channel) if is_known else None

    def _alias(self, owner: str, name: str) -> int:
        """Return a metric's number, one for the whole node, which it keeps while the program runs."""
        return self._aliases.setdefault((owner, name), len(self._aliases) + 1)


def _is_name(owner: str) -> bool:
    """Whether a device can bear this name: the site file has no other, old files may."""
    try:
        check_name(owner)
    except ConfigError:
        return False
    return True
