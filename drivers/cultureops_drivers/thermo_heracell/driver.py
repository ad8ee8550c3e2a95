"""Temperature and CO2 of a Heracell, with their setpoints; it never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.option import Options
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.base import ByteLink
from cultureops.errors import ConfigError, DeviceFault, DriverError, NotConnected
from cultureops_drivers.thermo_heracell import protocol

__all__ = ["Heracell", "create"]

_CHANNELS: Final = (
    Channel("temperature", "Cel", verified=False),
    Channel("temperature_setpoint", "Cel", Kind.SETPOINT, verified=False),
    Channel("co2", "%", verified=False),
    Channel("co2_setpoint", "%", Kind.SETPOINT, verified=False),
)
_LOOPS: Final = (
    (protocol.TEMPERATURE, "temperature", "temperature_setpoint"),
    (protocol.CO2, "co2", "co2_setpoint"),
)


def create(device: str, link: Link, options: Mapping[str, object]) -> Heracell:
    """Create the driver of one incubator; it has no options and needs a serial:// or tcp:// link."""
    Options(device, options, ())
    if not isinstance(link, ByteLink):
        raise ConfigError(f"{device}: a Heracell needs a serial:// or tcp:// link")
    return Heracell(device, link)


class Heracell:
    """One incubator on its RS-232 port."""

    check_bits: Final = 8

    def __init__(self, device: str, link: ByteLink) -> None:
        self.device = device
        self._link = link
        self._connected = False

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Temperature, CO2 and their setpoints, all unverified."""
        return _CHANNELS

    async def connect(self) -> None:
        """Open the link; a second call on an open link does nothing."""
        await self._link.open()
        self._connected = True

    async def disconnect(self) -> None:
        """Close the link; never raises."""
        self._connected = False
        await self._link.close()

    async def identify(self) -> Identity:
        """Ask for the version of the main board (address 0001); the exact model can't be asked for."""
        version = await self._ask(protocol.VERSION)
        return Identity("Thermo Scientific", "Heracell (RS-232)", firmware=version.strip())

    async def read(self) -> Sequence[Sample]:
        """Ask both control loops; a loop this incubator does not have gives no value, DEVICE_FAULT."""
        samples: list[Sample] = []
        for address, actual_name, setpoint_name in _LOOPS:
            try:
                payload = await self._ask(address)
            except DeviceFault:
                samples += [Sample(name, None, Reason.DEVICE_FAULT) for name in (actual_name, setpoint_name)]
                continue
            try:
                setpoint, actual = protocol.control_loop(payload)
            except DriverError as error:
                raise type(error)(f"{self.device} address {address}: {error}") from None
            samples += [_sample(actual_name, actual), _sample(setpoint_name, setpoint)]
        return samples

    async def _ask(self, address: str) -> str:
        if not self._connected:
            raise NotConnected(f"{self.device}: not connected; connect first")
        answer = await self._link.exchange(protocol.query(address), protocol.END)
        try:
            return protocol.payload_of(answer, address)
        except DriverError as error:
            raise type(error)(f"{self.device} {error}") from None


def _sample(name: str, value: float | None) -> Sample:
    return Sample(name, value, Reason.SENTINEL if value is None else Reason.NONE)
