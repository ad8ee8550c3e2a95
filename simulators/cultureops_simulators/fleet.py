"""A fleet: the instruments of one configuration on their wires."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cultureops_simulators.arguments import Arguments
from cultureops_simulators.broker import BrokerWire
from cultureops_simulators.catalog import find_build
from cultureops_simulators.faults import WIRE_FAULTS, Disturbance
from cultureops_simulators.instrument import HoldsCultures, Publishes, Simulator, SimulatorError
from cultureops_simulators.lab import Lab, child_rng
from cultureops_simulators.labtime import DEFAULT_START, parse_start
from cultureops_simulators.wire import PtyWire, TcpWire, Wire

__all__ = ["DeviceConfig", "Fleet", "FleetConfig", "parse_fleet", "parse_host_port"]

MOST_DELAY_S: Final = 600.0
_MOST_SEED: Final = 2**63 - 1
_FALSE_VALUES: Final = ("stuck", "drift", "force")
_MOST_VALUE: Final = 1e9
_CONDITIONS: Final = ("co2_supply", "ln2_supply", "mains")


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """One instrument: ``wire`` is ("tcp" or "mqtt", "host:port"), ("pty", link path or None), or None."""

    name: str
    kind: str
    wire: tuple[str, str | None] | None
    options: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class FleetConfig:
    """What a fleet file says."""

    seed: int
    start: str
    control_host: str
    control_port: int
    devices: tuple[DeviceConfig, ...]


def parse_host_port(where: str, text: object) -> tuple[str, int]:
    """Parse ``host:port`` (IPv4 address or localhost, port 0..65535, 0 = any free one); raises SimulatorError."""
    host, colon, port = str(text).rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise SimulatorError(f"{where}: expected HOST:PORT such as 127.0.0.1:0, got {text!r}")
    try:
        return str(ipaddress.IPv4Address("127.0.0.1" if host == "localhost" else host)), int(port)
    except ValueError:
        raise SimulatorError(f"{where}: {host!r} is no IPv4 address") from None


def parse_fleet(fields: object) -> FleetConfig:
    """Check a fleet file's content; raises SimulatorError, one line, naming the device and the field."""
    top = Arguments("fleet", fields)
    top.only("seed", "start", "control", "devices")
    control = Arguments("fleet control", top.fields.get("control", {"host": "127.0.0.1", "port": 0}))
    control.only("host", "port")
    host, port = parse_host_port(control.where, f"{control.text('host')}:{control.whole('port', 0, 65_535)}")
    start = top.fields.get("start", DEFAULT_START)
    parse_start(start)
    rows = top.fields.get("devices")
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
        raise SimulatorError("fleet: devices must be a list with at least one device")
    devices = tuple(_device(row, number) for number, row in enumerate(rows, start=1))
    names = [device.name for device in devices]
    for name in names:
        if names.count(name) > 1:
            raise SimulatorError(f"fleet: two devices are named {name!r}")
    return FleetConfig(top.whole("seed", 0, _MOST_SEED, default=0), str(start), host, port, devices)


def _device(row: object, number: int) -> DeviceConfig:
    fields = Arguments(f"device {number}", row)
    fields.only("name", "kind", "wire", "options")
    name, kind = fields.text("name"), fields.text("kind")
    options = Arguments(f"{name}: options", fields.fields.get("options") or {}).fields
    wire = fields.fields.get("wire")
    if wire is None:
        return DeviceConfig(name, kind, None, options)
    if not isinstance(wire, Mapping) or len(wire) != 1 or not set(wire) <= {"tcp", "pty", "mqtt"}:
        expected = '{"tcp": "HOST:PORT"}, {"pty": PATH or null} or {"mqtt": "HOST:PORT"}'
        raise SimulatorError(f"{name}: wire must be {expected}, got {wire!r}")
    ((form, value),) = wire.items()
    if form in ("tcp", "mqtt"):
        parse_host_port(f"{name}: wire {form}", value)
    elif value is not None and (not isinstance(value, str) or not value):
        raise SimulatorError(f"{name}: wire pty must be the path of a link to make, or null, got {value!r}")
    return DeviceConfig(name, kind, (form, value), options)


class Fleet:
    """A lab whose instruments can be reached; needs a running event loop."""

    def __init__(self, config: FleetConfig) -> None:
        self.lab = Lab(config.seed, _build_all(config))
        self.wires: dict[str, Wire] = {}
        self._names = tuple(device.name for device in config.devices)
        self._conditions: dict[str, set[str]] = {}
        try:
            for device in config.devices:
                if wire := self._lay(config, device):
                    self.wires[device.name] = wire
        except BaseException:
            self.close()
            raise

    def _lay(self, config: FleetConfig, device: DeviceConfig) -> Wire | None:
        simulator = self.lab.device(device.name)
        form = device.wire[0] if device.wire else None
        if form not in (simulator.wires or {None}):
            expected = " or ".join(sorted(simulator.wires)) or "none"
            raise SimulatorError(f"{device.name}: a {device.kind} takes wire {expected}, got {form or 'none'}")
        if device.wire is None:
            return None
        disturbance = Disturbance(child_rng(config.seed, "wire", device.name))
        if form == "tcp":
            host, port = parse_host_port(device.name, device.wire[1])
            return TcpWire(host, port, simulator.dialect, disturbance)
        if isinstance(simulator, Publishes):
            host, port = parse_host_port(device.name, device.wire[1])
            return BrokerWire(host, port, simulator.jobs, simulator.listen, disturbance)
        return PtyWire(
            Path(device.wire[1]) if device.wire[1] else None,
            simulator.dialect,
            disturbance,
        )

    @property
    def addresses(self) -> dict[str, dict[str, str]]:
        """Where every instrument can be reached; empty for one without a wire."""
        return {name: self.wires[name].address if name in self.wires else {} for name in self.lab.devices}

    def set_fault(self, name: str, fault: str, arguments: Arguments) -> None:
        """Switch a fault of an instrument on; raises SimulatorError."""
        device = self.lab.device(name)
        if fault in _FALSE_VALUES:
            self._falsify(device, fault, arguments)
        elif fault in WIRE_FAULTS or fault == "cut":
            wire = self.wires.get(name)
            if wire is None:
                raise SimulatorError(f"{name}: fault {fault} needs a wire, and this instrument has none")
            if fault == "cut":
                wire.cut()
            else:
                delay_s = arguments.number("delay_s", most=MOST_DELAY_S, default=1.0)
                wire.disturbance.set(WIRE_FAULTS[fault], delay_s)
        elif fault in _CONDITIONS:
            device.upset(fault, True)
            self._conditions.setdefault(name, set()).add(fault)
        else:
            known = ", ".join((*WIRE_FAULTS, *_FALSE_VALUES, "cut", *_CONDITIONS))
            raise SimulatorError(f"{name}: fault {fault!r} is unknown; expected one of {known}")

    def _falsify(self, device: Simulator, fault: str, arguments: Arguments) -> None:
        channel = arguments.text("channel")
        if channel not in device.panel.values:
            known = ", ".join(device.panel.values) or "none"
            raise SimulatorError(f"{device.name}: channel {channel!r} is not shown ({known})")
        if fault == "stuck":
            device.panel.stick(channel)
        elif fault == "drift":
            device.panel.drift(channel, arguments.number("per_hour", above=-_MOST_VALUE, most=_MOST_VALUE))
        else:
            device.panel.force(channel, arguments.number("value", above=-_MOST_VALUE, most=_MOST_VALUE))

    def clear(self, name: str) -> None:
        """Switch all faults of an instrument off; raises SimulatorError."""
        device = self.lab.device(name)
        device.panel.clear()
        for condition in self._conditions.pop(name, ()):
            device.upset(condition, False)
        if wire := self.wires.get(name):
            wire.disturbance.clear()
            wire.mend()

    def close(self) -> None:
        """Hang up all wires."""
        while self.wires:
            self.wires.popitem()[1].close()


def _build_all(config: FleetConfig) -> dict[str, Simulator]:
    """Build the instruments, those inside another one after it, which is also the order of stepping."""
    built: dict[str, Simulator] = {}
    for device in sorted(config.devices, key=lambda device: "inside" in device.options):
        options = {"start": config.start, **device.options}
        if "inside" in options:
            host = built.get(str(options["inside"]))
            if not isinstance(host, HoldsCultures):
                raise SimulatorError(
                    f"{device.name}: option inside: {options['inside']!r} is no incubator of this fleet"
                )
            options["inside"] = host.chamber
        rng = child_rng(config.seed, "device", device.name)
        built[device.name] = find_build(device.kind)(device.name, options, rng)
    return built
