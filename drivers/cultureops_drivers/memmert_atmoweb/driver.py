"""Temperature, gases, humidity, fan and door of a Memmert chamber; it never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.base import HttpLink
from cultureops.errors import ConfigError, DriverError, ProtocolError
from cultureops_drivers.memmert_atmoweb import protocol

__all__ = ["Atmoweb", "create"]

_PERCENT: Final = (0.0, 100.0)

_ALWAYS: Final = (
    (Channel("temperature", "Cel"), "Temp1Read"),
    (Channel("temperature_setpoint", "Cel", Kind.SETPOINT), "TempSet"),
)
_FITTED: Final[dict[str, tuple[tuple[Channel, str], ...]]] = {
    "co2": (
        (Channel("co2", "%", valid_range=_PERCENT), "CO2Read"),
        (Channel("co2_setpoint", "%", Kind.SETPOINT, _PERCENT), "CO2Set"),
    ),
    "humidity": (
        (Channel("humidity", "%", valid_range=_PERCENT), "HumRead"),
        (Channel("humidity_setpoint", "%", Kind.SETPOINT, _PERCENT), "HumSet"),
    ),
    "o2": (
        (Channel("o2", "%", valid_range=_PERCENT), "O2Read"),
        (Channel("o2_setpoint", "%", Kind.SETPOINT, _PERCENT), "O2Set"),
    ),
    "fan": ((Channel("fan", "%", valid_range=_PERCENT), "FanRead"),),
    "door": ((Channel("door", "1", Kind.STATE, (0.0, 1.0), decimals=0), "DoorOpen"),),
}


def create(device: str, link: Link, options: Mapping[str, object]) -> Atmoweb:
    """Create the driver of one chamber.

    Option ``fitted``: a list of what the chamber has beside its temperature, out of ``co2``, ``humidity``, ``o2``,
    ``fan`` and ``door``; ``["co2", "door"]`` where not given, ``[]`` for an oven. Needs an ``http://`` link.
    """
    given = Options(device, options, ("fitted",))
    fitted = options.get("fitted", ["co2", "door"])
    known = tuple(_FITTED)
    if not isinstance(fitted, Sequence) or isinstance(fitted, str) or not all(name in known for name in fitted):
        raise given.error("fitted", f"must be a list out of {', '.join(_FITTED)}, not {fitted!r}")
    if not isinstance(link, HttpLink):
        raise ConfigError(f"{device}: a Memmert chamber needs an http://host:port link; AtmoWEB is on port 80")
    rows = (*_ALWAYS, *(row for name, rows in _FITTED.items() if name in fitted for row in rows))
    return Atmoweb(device, link, rows)


class Atmoweb(LinkedDriver[HttpLink]):
    """One chamber, asked for all its channels at once."""

    check_bits: Final = 16

    def __init__(self, device: str, link: HttpLink, rows: Sequence[tuple[Channel, str]]) -> None:
        super().__init__(device, link)
        self._rows = tuple(rows)
        self._query = protocol.query([key for _, key in self._rows])

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Temperature with its setpoint, and what is fitted."""
        return tuple(channel for channel, _ in self._rows)

    async def identify(self) -> Identity:
        """Ask for serial number, type and software; raises ProtocolError where no type comes."""
        said = await self._ask(protocol.query(protocol.IDENTITY_KEYS))
        serial_number, model, firmware = (said.get(key) for key in protocol.IDENTITY_KEYS)
        if not isinstance(model, str) or not model:
            raise ProtocolError(f"{self.device}: expected a device type (DevType), got {model!r}; is it a Memmert?")
        return Identity("Memmert", model, _text(serial_number), _text(firmware))

    async def read(self) -> Sequence[Sample]:
        """Ask for every channel in one question; what the chamber does not have has no value, SENTINEL."""
        said = await self._ask(self._query)
        return [_sample(channel.name, key, said) for channel, key in self._rows]

    async def _ask(self, query: str) -> dict[str, protocol.Value]:
        answer = await self.link.get(protocol.PATH, query, limit=8192)
        try:
            return protocol.parse(answer)
        except DriverError as error:
            raise type(error)(f"{self.device}: {error}") from None


def _sample(name: str, key: str, said: Mapping[str, protocol.Value]) -> Sample:
    value = said.get(key)
    if key not in said:
        return Sample(name, None, Reason.NOT_DELIVERED)
    if value is None:
        return Sample(name, None, Reason.SENTINEL)
    if not isinstance(value, float):
        return Sample(name, None, Reason.PROTOCOL_ERROR)
    return Sample(name, value)


def _text(value: protocol.Value) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else ""
