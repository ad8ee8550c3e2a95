"""Which chambers there are, what measures in them and how well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.alarm_life.physics import Cold, Cryostore, Incubator, Model

from cultureops.alarms import ChamberInfo
from cultureops.device.channel import Channel, channel_id
from cultureops.device.channel import Kind as ChannelKind
from cultureops_simulators.sensor import Sensor

__all__ = ["PERIOD_S", "Place", "Signal", "chamber_infos", "model_of", "site"]

PERIOD_S: Final = 60
_EXACT: Final = Sensor(sigma=0.0, correlation_s=1.0, decimals=1)


@dataclass(frozen=True)
class Signal:
    """One channel of one device: which true quantity it shows, how, and how far it may wander within tolerance."""

    device: str
    channel: Channel
    quantity: int
    sensor: Sensor = _EXACT
    wander: float = 0.0
    lag_s: float = 0.0

    @property
    def id(self) -> str:
        """The channel's identity."""
        return channel_id(self.device, self.channel.name)


@dataclass(frozen=True)
class Place:
    """A chamber with its signals; ``sister`` is a second device that measures there too."""

    id: str
    class_: str
    signals: tuple[Signal, ...]
    sister: str | None = field(default=None)

    @property
    def device(self) -> str:
        """The device that the chamber belongs to."""
        return self.signals[0].device


def _measured(name: str, unit: str, range_: tuple[float, float], decimals: int = 2) -> Channel:
    return Channel(name, unit, valid_range=range_, decimals=decimals)


_DOOR: Final = Channel("door", "1", ChannelKind.STATE, (0.0, 1.0), decimals=0)
_TEMPERATURE: Final = _measured("temperature", "Cel", (-20.0, 100.0))


def _incubator(number: int, *, has_sister: bool) -> Place:
    device = f"incubator_{number:02d}"
    signals = [
        Signal(device, _TEMPERATURE, 0, Sensor(0.04, 600.0, 2), 0.15),
        Signal(device, _measured("co2", "%", (0.0, 30.0)), 1, Sensor(0.04, 400.0, 2, low=0.0, high=20.0), 0.12),
        Signal(device, _measured("humidity", "%", (0.0, 100.0), 1), 2, Sensor(0.4, 900.0, 1, low=0.0, high=100.0), 1.5),
        Signal(device, Channel("temperature_setpoint", "Cel", ChannelKind.SETPOINT, decimals=1), 3),
        Signal(device, Channel("co2_setpoint", "%", ChannelKind.SETPOINT, decimals=1), 4),
        Signal(device, _DOOR, 5),
    ]
    sister = f"probe_{number:02d}" if has_sister else None
    if sister is not None:
        signals.append(Signal(sister, _TEMPERATURE, 0, Sensor(0.03, 300.0, 2), 0.15, lag_s=240.0))
    return Place(f"inc_{number:02d}", "incubator", tuple(signals), sister)


def _cryostore(number: int) -> Place:
    device = f"cryostore_{number}"
    return Place(
        f"ln2_{number}",
        "cryostore",
        (
            Signal(device, _measured("temp_a", "Cel", (-210.0, 100.0), 1), 0, Sensor(0.15, 1200.0, 1), 0.4),
            Signal(device, _measured("temp_b", "Cel", (-210.0, 100.0), 1), 1, Sensor(0.25, 1200.0, 1), 0.4),
            Signal(device, _measured("level", "%", (0.0, 100.0), 1), 2, Sensor(0.15, 1800.0, 1, low=0.0, high=100.0)),
            Signal(device, Channel("fill", "1", ChannelKind.STATE, (0.0, 1.0), decimals=0), 3),
            Signal(device, Channel("lid", "1", ChannelKind.STATE, (0.0, 1.0), decimals=0), 4),
        ),
    )


def _refrigerator(number: int) -> Place:
    device = f"refrigerator_{number}"
    temperature = Signal(device, _TEMPERATURE, 0, Sensor(0.05, 300.0, 2), 0.2)
    return Place(f"fridge_{number}", "refrigerator", (temperature, Signal(device, _DOOR, 1)))


def _freezer(number: int) -> Place:
    device = f"freezer_{number}"
    door = Channel("door_1", "1", ChannelKind.STATE, (0.0, 1.0), decimals=0)
    probes = tuple(
        Signal(device, _measured(name, "Cel", (-120.0, 60.0), 1), 0, Sensor(0.15, 600.0, 1, offset), 0.3)
        for name, offset in (("tc1", 0.0), ("tc2", 0.4))
    )
    return Place(f"freezer_{number}", "freezer", (*probes, Signal(device, door, 1)))


def site(incubators: int = 30, cryostores: int = 6, refrigerators: int = 2, freezers: int = 2) -> tuple[Place, ...]:
    """Return the chambers; every third incubator has a sister probe."""
    return (
        *(_incubator(n, has_sister=n % 3 == 1) for n in range(1, incubators + 1)),
        *(_cryostore(n) for n in range(1, cryostores + 1)),
        *(_refrigerator(n) for n in range(1, refrigerators + 1)),
        *(_freezer(n) for n in range(1, freezers + 1)),
    )


def chamber_infos(places: Sequence[Place]) -> dict[str, ChamberInfo]:
    """Return what rules need to know."""
    infos = {}
    for place in places:
        devices: dict[str, dict[str, Channel]] = {}
        for signal in place.signals:
            devices.setdefault(signal.device, {})[signal.channel.name] = signal.channel
        infos[place.id] = ChamberInfo(place.id, place.class_, devices, dict.fromkeys(devices, float(PERIOD_S)))
    return infos


def model_of(place: Place, start: float) -> Model:
    """Return a settled chamber; ``start`` (0 to 1) says where in its cycle it is."""
    match place.class_:
        case "incubator":
            return Incubator()
        case "cryostore":
            return Cryostore(level_pct=64.0 + 14.0 * start)
        case "refrigerator":
            return Cold(5.5, 3.5, 0.25, 0.08, insulation_tau_s=8 * 3600.0)
        case _:
            return Cold(-78.0, -82.0, 0.5, 0.2, insulation_tau_s=20 * 3600.0, open_tau_s=3000.0)
