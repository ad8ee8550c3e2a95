"""Climate and plate handler of a Cytomat; it moves nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.base import ByteLink
from cultureops.errors import ConfigError, DeviceFault, DriverError
from cultureops_drivers.thermo_cytomat import protocol

__all__ = ["Cytomat", "create"]

T = TypeVar("T")

_CLIMATE: Final = {
    "temperature": (protocol.TEMPERATURE, "Cel"),
    "co2": (protocol.CO2, "%"),
    "humidity": (protocol.HUMIDITY, "%"),
    "o2": (protocol.O2, "%"),
}
_OVERVIEW: Final = {
    "transfer_station": "transfer_station_occupied",
    "door": "door_open",
    "gate": "gate_open",
    "shovel": "shovel_occupied",
    "error": "error",
    "warning": "warning",
    "ready": "ready",
    "busy": "busy",
}
_CODES: Final = {"error_code": protocol.ERROR, "warning_code": protocol.WARNING}
_ACTION: Final = ("action_target", "action")
_STATES: Final = (*_OVERVIEW, *_CODES, *_ACTION)


def create(device: str, link: Link, options: Mapping[str, object]) -> Cytomat:
    """Create the driver of one Cytomat; needs a serial:// or tcp:// link.

    Options: ``fitted``, the control loops it has, such as ``"temperature+co2"`` (the default; also humidity and o2);
    ``line_end``, what ends a query: ``cr`` (the default) or ``crlf``.
    """
    given = Options(device, options, ("fitted", "line_end"))
    expected = "some of " + ", ".join(_CLIMATE) + ", joined by '+'"
    fitted = given.get("fitted", str, "temperature+co2", expected).split("+")
    if not set(fitted) <= set(_CLIMATE) or len(set(fitted)) != len(fitted):
        raise given.error("fitted", f"must be {expected}, not {'+'.join(fitted)!r}")
    line_end = given.get("line_end", str, "cr", "cr or crlf")
    if line_end not in protocol.LINE_ENDS:
        raise given.error("line_end", f"must be cr or crlf, not {line_end!r}")
    if not isinstance(link, ByteLink):
        raise ConfigError(f"{device}: a Cytomat needs a serial:// or tcp:// link")
    return Cytomat(device, link, fitted, protocol.LINE_ENDS[line_end])


class Cytomat(LinkedDriver[ByteLink]):
    """One automated incubator on its serial port."""

    check_bits: Final = 0

    def __init__(self, device: str, link: ByteLink, fitted: Sequence[str], line_end: bytes = protocol.END) -> None:
        super().__init__(device, link)
        self._fitted = tuple(fitted)
        self._line_end = line_end

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Each control loop that is fitted with its setpoint, the states of the handler, and the registers."""
        loops = tuple(
            channel
            for name in self._fitted
            for unit in (_CLIMATE[name][1],)
            for channel in (
                Channel(name, unit, decimals=1),
                Channel(f"{name}_setpoint", unit, Kind.SETPOINT, decimals=1),
            )
        )
        return loops + tuple(Channel(name, "1", Kind.STATE, decimals=0) for name in _STATES)

    async def identify(self) -> Identity:
        """Ask for the overview byte: no public query says which Cytomat it is."""
        await self._ask(protocol.OVERVIEW, protocol.overview_of)
        return Identity("Thermo Scientific", "Cytomat")

    async def read(self) -> Sequence[Sample]:
        """Ask for every loop and register, one query each; what the Cytomat refuses gives DEVICE_FAULT."""
        samples: list[Sample] = []
        for name in self._fitted:
            samples += await self._read(_CLIMATE[name][0], (f"{name}_setpoint", name), protocol.loop_of)
        samples += await self._read(protocol.OVERVIEW, tuple(_OVERVIEW), _overview)
        for name, register in _CODES.items():
            samples += await self._read(register, (name,), _code)
        samples += await self._read(protocol.ACTION, _ACTION, _action)
        return samples

    async def _read(
        self, register: str, names: tuple[str, ...], parse: Callable[[bytes, str], Sequence[float]]
    ) -> list[Sample]:
        try:
            values = await self._ask(register, lambda answer: parse(answer, register))
        except DeviceFault:
            return [Sample(name, None, Reason.DEVICE_FAULT) for name in names]
        return [Sample(name, float(value)) for name, value in zip(names, values, strict=True)]

    async def _ask(self, register: str, parse: Callable[[bytes], T]) -> T:
        answer = await self.link.exchange(protocol.query(register, self._line_end), protocol.END, limit=256)
        try:
            return parse(answer)
        except DriverError as error:
            raise type(error)(f"{self.device}: {error}") from None


def _overview(answer: bytes, _register: str) -> Sequence[float]:
    overview = protocol.overview_of(answer)
    return [getattr(overview, bit) for bit in _OVERVIEW.values()]


def _code(answer: bytes, register: str) -> Sequence[float]:
    return (protocol.code_of(answer, register),)


def _action(answer: bytes, _register: str) -> Sequence[float]:
    return protocol.action_of(answer)
