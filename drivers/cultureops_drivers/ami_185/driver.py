"""Level and limits of an AMI 185 or 186; it never changes anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.base import ByteLink
from cultureops.errors import ConfigError, DeviceFault, DriverError, ProtocolError
from cultureops_drivers.ami_185 import protocol

__all__ = ["Ami185", "create"]

_MM_PER_UNIT: Final = {"cm": 10.0, "in": 25.4}
_LONGEST_ANSWER: Final = 64
_LIMITS: Final = (
    ("level_high_limit", protocol.HIGH),
    ("level_low_limit", protocol.LOW),
    ("fill_stop_level", protocol.BAND_TOP),
    ("fill_start_level", protocol.BAND_BOTTOM),
)


def create(device: str, link: Link, options: Mapping[str, object]) -> Ami185:
    """Create the driver of one instrument.

    Option ``unit``: ``%`` of the sensor's length (where not given), ``cm`` or ``in``, as its interface is set; lengths
    are shown in mm. Needs a serial:// or tcp:// link.
    """
    given = Options(device, options, ("unit",))
    expected = f"one of {', '.join(protocol.UNITS.values())}"
    unit = given.get("unit", str, "%", expected)
    if unit not in protocol.UNITS.values():
        raise given.error("unit", f"must be {expected}, not {unit!r}")
    if not isinstance(link, ByteLink):
        raise ConfigError(f"{device}: an AMI 185 or 186 needs a serial:// or tcp:// link")
    return Ami185(device, link, unit)


class Ami185(LinkedDriver[ByteLink]):
    """One level instrument on its own line."""

    check_bits: Final = 0

    def __init__(self, device: str, link: ByteLink, unit: str) -> None:
        super().__init__(device, link)
        self._unit = unit
        self._scale = _MM_PER_UNIT.get(unit, 1.0)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The level, and the limits that are set on the instrument."""
        unit = "mm" if self._unit in _MM_PER_UNIT else "%"
        valid = None if unit == "mm" else (0.0, 100.0)
        limits = [Channel(name, unit, Kind.SETPOINT, decimals=1) for name, _ in _LIMITS]
        return (Channel("level", unit, valid_range=valid, decimals=1), *limits)

    async def identify(self) -> Identity:
        """Ask for the unit, whichever it is; the instrument has no other way to show who it is."""
        await self._told_unit()
        return Identity("American Magnetics", "185/186")

    async def read(self) -> Sequence[Sample]:
        """Ask for unit, level and limits; raises ProtocolError while the unit is another one than the site says.

        What the instrument answers with a number below 0 has no value, DEVICE_FAULT.
        """
        await self._check_unit()
        rows = (("level", protocol.LEVEL), *_LIMITS)
        return [await self._level(name, word) for name, word in rows]

    async def _told_unit(self) -> str:
        answer = await self._ask(protocol.UNIT)
        try:
            return protocol.unit_of(answer)
        except DriverError as error:
            raise self._named(error) from None

    async def _check_unit(self) -> None:
        unit = await self._told_unit()
        if unit != self._unit:
            raise ProtocolError(
                f"{self.device} {protocol.UNIT}: the instrument tells {unit}, the site file {self._unit};"
                f" correct option 'unit' or the instrument's interface"
            )

    async def _level(self, name: str, word: str) -> Sample:
        answer = await self._ask(word)
        try:
            return Sample(name, protocol.level_of(answer, word) * self._scale)
        except DeviceFault:
            return Sample(name, None, Reason.DEVICE_FAULT)
        except DriverError as error:
            raise self._named(error) from None

    async def _ask(self, word: str) -> bytes:
        return await self.link.exchange(protocol.query(word), protocol.END, limit=_LONGEST_ANSWER)

    def _named(self, error: DriverError) -> DriverError:
        return type(error)(f"{self.device} {error}")
