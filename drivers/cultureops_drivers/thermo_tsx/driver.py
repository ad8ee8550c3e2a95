"""Thermocouples, setpoints and, where its address was tried, the status of a TSX or TDE freezer; it never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.base import ByteLink
from cultureops.errors import ConfigError, DeviceFault, DriverError
from cultureops_drivers.thermo_tsx import protocol
from cultureops_drivers.thermo_tsx.protocol import Item, Reckoning

__all__ = ["ThermoTsx", "create"]

_EXAMPLE_UNIT: Final = 0x19
_STATUS_PLACES: Final = ("absent", "frame", "table")
_LONGEST_ANSWER: Final = 64

_SETPOINTS: Final = (protocol.SETPOINT, protocol.WARM_ALARM, protocol.COLD_ALARM)
_ABSOLUTE_ZERO_CEL: Final = -273.15
_ANY_COMPRESSOR_CEL: Final = 400.0

# name, bit, value while the bit is set
_SYSTEM_BITS: Final = (("pulled_down", 0, 1.0), ("mains", 1, 0.0), ("service_mode", 3, 1.0), ("shutdown", 4, 1.0))
_ENCLOSURE_BITS: Final = (("door_1", 9, 1.0), ("door_2", 10, 1.0), ("alarm_test", 11, 1.0))


def create(device: str, link: Link, options: Mapping[str, object]) -> ThermoTsx:
    """Create the driver of one freezer.

    Options: ``unit_id`` (0-255, 25 where not given, as in the manual's examples); ``status_address``: ``absent``,
    ``frame`` or ``table``, whichever of the manual's two contradicting addresses was tried on this freezer. Needs a
    serial:// or tcp:// link.
    """
    given = Options(device, options, ("unit_id", "status_address"))
    unit_id = given.get("unit_id", int, _EXAMPLE_UNIT, "a whole number from 0 to 255")
    if not 0 <= unit_id <= 255:
        raise given.error("unit_id", f"must be a whole number from 0 to 255, not {unit_id}")
    place = given.get("status_address", str, "absent", f"one of {', '.join(_STATUS_PLACES)}")
    if place not in _STATUS_PLACES:
        raise given.error("status_address", f"must be one of {', '.join(_STATUS_PLACES)}, not {place!r}")
    if not isinstance(link, ByteLink):
        raise ConfigError(f"{device}: a TSX or TDE needs a serial:// or tcp:// link; its frames are no standard Modbus")
    return ThermoTsx(device, link, unit_id, place)


def _state(name: str) -> Channel:
    return Channel(name, "1", Kind.STATE, decimals=0, verified=False)


class ThermoTsx(LinkedDriver[ByteLink]):
    """One freezer, alone on its line or one of several."""

    check_bits: Final = 8

    def __init__(self, device: str, link: ByteLink, unit_id: int, status_place: str) -> None:
        super().__init__(device, link)
        self._unit_id = unit_id
        self._status = None if status_place == "absent" else protocol.status_items(status_place)
        self._reckoning: Reckoning | None = None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Setpoints, thermocouples and, with a ``status_address``, the status bits, unverified."""
        setpoints = [Channel(item.name, "Cel", Kind.SETPOINT, decimals=1) for item in _SETPOINTS]
        valid = (_ABSOLUTE_ZERO_CEL, _ANY_COMPRESSOR_CEL)
        temperatures = [Channel(item.name, "Cel", valid_range=valid) for item in protocol.THERMOCOUPLES]
        bits = (*_SYSTEM_BITS, *_ENCLOSURE_BITS) if self._status else ()
        return (*setpoints, *temperatures, *(_state(name) for name, _, _ in bits))

    async def disconnect(self) -> None:
        """Close the link; never raises."""
        self._reckoning = None
        await super().disconnect()

    async def identify(self) -> Identity:
        """Ask for product id and control model; the freezer tells no serial number."""
        product = await self._ask(protocol.PRODUCT_ID)
        control = await self._ask(protocol.CONTROL_MODEL)
        return Identity("Thermo Scientific", f"TSX/TDE, product {product:.0f}, control {control:.0f}")

    async def read(self) -> Sequence[Sample]:
        """Ask for every channel; an absent thermocouple is SENTINEL, what the freezer refuses DEVICE_FAULT."""
        samples = [Sample(item.name, await self._ask(item)) for item in _SETPOINTS]
        for item in protocol.THERMOCOUPLES:
            samples.append(await self._temperature(item))
        if self._status:
            system, enclosure = self._status
            samples += await self._bits(system, _SYSTEM_BITS)
            samples += await self._bits(enclosure, _ENCLOSURE_BITS)
        return samples

    async def _temperature(self, item: Item) -> Sample:
        try:
            value = await self._ask(item)
        except DeviceFault:
            return Sample(item.name, None, Reason.DEVICE_FAULT)
        return Sample(item.name, None, Reason.SENTINEL) if value == protocol.ABSENT else Sample(item.name, value)

    async def _bits(self, item: Item, bits: Sequence[tuple[str, int, float]]) -> list[Sample]:
        try:
            word = int(await self._ask(item))
        except DeviceFault:
            return [Sample(name, None, Reason.DEVICE_FAULT) for name, _, _ in bits]
        return [Sample(name, when_set if word >> bit & 1 else 1.0 - when_set) for name, bit, when_set in bits]

    async def _ask(self, item: Item) -> float:
        answer = await self.link.exchange(protocol.query(self._unit_id, item), protocol.END, limit=_LONGEST_ANSWER)
        try:
            data, self._reckoning = protocol.data_of(answer, self._unit_id, item, self._reckoning)
        except DriverError as error:
            raise type(error)(f"{self.device} {error}") from None
        return item.number(data)
