"""Temperature, CO2 and gas guards of a Heracell, its error list and its log; it never writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, TypeVar

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.base import ByteLink
from cultureops.errors import ConfigError, DeviceFault, DriverError, ProtocolError
from cultureops_drivers.thermo_heracell import protocol
from cultureops_drivers.thermo_heracell.log import LAST, LogPage, LogRecord, records_of

__all__ = ["Heracell", "create"]

T = TypeVar("T")

_LOOP_CHANNELS: Final = (
    Channel("temperature", "Cel", verified=False),
    Channel("temperature_setpoint", "Cel", Kind.SETPOINT, verified=False),
    Channel("co2", "%", verified=False),
    Channel("co2_setpoint", "%", Kind.SETPOINT, verified=False),
)
_LOOPS: Final = (
    (protocol.TEMPERATURE, "temperature", "temperature_setpoint"),
    (protocol.CO2, "co2", "co2_setpoint"),
)
_GUARDS: Final = {"co2": protocol.CO2_GUARD, "o2": protocol.O2_GUARD}
_FITTED: Final = {"none": (), "co2": ("co2",), "o2": ("o2",), "co2+o2": ("co2", "o2")}
_MOST_LOG_RECORDS: Final = 65_536


def create(device: str, link: Link, options: Mapping[str, object]) -> Heracell:
    """Create the driver of one incubator; needs a serial:// or tcp:// link.

    Options: ``gas_guard``, which gas guards are fitted (``none``, ``co2``, ``o2``, ``co2+o2``); ``check``, the check
    sum: ``xor``, or ``crc8`` for a VIOS CR that understands nothing else.
    """
    given = Options(device, options, ("gas_guard", "check"))
    if not isinstance(link, ByteLink):
        raise ConfigError(f"{device}: a Heracell needs a serial:// or tcp:// link")
    guards = _FITTED[_one_of(given, "gas_guard", tuple(_FITTED))]
    check_sum = protocol.CHECK_SUMS[_one_of(given, "check", tuple(protocol.CHECK_SUMS))]
    return Heracell(device, link, guards, check_sum)


def _one_of(given: Options, name: str, values: tuple[str, ...]) -> str:
    expected = "one of " + ", ".join(values)
    value = given.get(name, str, values[0], expected)
    if value not in values:
        raise given.error(name, f"must be {expected}, not {value!r}")
    return value


class Heracell(LinkedDriver[ByteLink]):
    """One incubator on its RS-232 port."""

    check_bits: Final = 8

    def __init__(
        self,
        device: str,
        link: ByteLink,
        gas_guards: Sequence[str] = (),
        check_sum: protocol.CheckSum = protocol.ones_complement_xor,
    ) -> None:
        super().__init__(device, link)
        self._guards = tuple(gas_guards)
        self._check_sum = check_sum

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Temperature, CO2 and their setpoints, unverified, and four states for each gas guard that is fitted."""
        states = (_state_name(gas, bit) for gas in self._guards for bit in protocol.GasGuardBit)
        return (*_LOOP_CHANNELS, *(Channel(name, "1", Kind.STATE, decimals=0) for name in states))

    async def identify(self) -> Identity:
        """Ask for the version of the main board (address 0001); the exact model can't be asked for."""
        version = await self._ask(protocol.VERSION)
        return Identity("Thermo Scientific", "Heracell (RS-232)", firmware=version.strip())

    async def read(self) -> Sequence[Sample]:
        """Ask both control loops and the gas guards; what this incubator does not have gives DEVICE_FAULT."""
        samples: list[Sample] = []
        for address, actual_name, setpoint_name in _LOOPS:
            samples += await self._read_loop(address, actual_name, setpoint_name)
        for gas in self._guards:
            samples += await self._read_guard(gas)
        return samples

    async def errors(self) -> tuple[str, ...]:
        """Ask for the error list, recent first: at most 22 texts of 21 characters, as the incubator has them."""
        recent, older = [
            self._decoded(address, protocol.error_list, await self._ask(address))
            for address in (protocol.RECENT_ERRORS, protocol.OLDER_ERRORS)
        ]
        return recent + older

    async def log_page(self, page: LogPage) -> tuple[LogRecord, ...]:
        """Ask for one page of the log, at most seven records; AGAIN repeats a page whose answer was damaged."""
        return self._decoded(page.value, records_of, await self._ask(page.value))

    async def log(self) -> AsyncIterator[LogRecord]:
        """Page through the whole log, in the incubator's order, up to and without the record that ends it.

        An error ends the walk; another one begins at the first page again.
        """
        page, count = LogPage.FIRST, 0
        while records := await self.log_page(page):
            for record in records:
                if record.event == LAST:
                    return
                yield record
            page, count = LogPage.NEXT, count + len(records)
            if count > _MOST_LOG_RECORDS:
                raise ProtocolError(f"{self.device}: the log did not end after {count} records")

    async def _read_loop(self, address: str, actual_name: str, setpoint_name: str) -> list[Sample]:
        try:
            payload = await self._ask(address)
        except DeviceFault:
            return [Sample(name, None, Reason.DEVICE_FAULT) for name in (actual_name, setpoint_name)]
        setpoint, actual = self._decoded(address, protocol.control_loop, payload)
        return [_sample(actual_name, actual), _sample(setpoint_name, setpoint)]

    async def _read_guard(self, gas: str) -> list[Sample]:
        address = _GUARDS[gas]
        try:
            payload = await self._ask(address)
        except DeviceFault:
            return [Sample(_state_name(gas, bit), None, Reason.DEVICE_FAULT) for bit in protocol.GasGuardBit]
        bits = self._decoded(address, protocol.gas_guard, payload)
        return [Sample(_state_name(gas, bit), float(is_set)) for bit, is_set in bits.items()]

    async def _ask(self, address: str) -> str:
        answer = await self.link.exchange(protocol.query(address, self._check_sum), protocol.END)
        try:
            return protocol.payload_of(answer, address, self._check_sum)
        except DriverError as error:
            raise type(error)(f"{self.device} {error}") from None

    def _decoded(self, address: str, decode: Callable[[str], T], payload: str) -> T:
        try:
            return decode(payload)
        except DriverError as error:
            raise type(error)(f"{self.device} address {address}: {error}") from None


def _state_name(gas: str, bit: protocol.GasGuardBit) -> str:
    return f"{gas}_supply_{bit}"


def _sample(name: str, value: float | None) -> Sample:
    return Sample(name, value, Reason.SENTINEL if value is None else Reason.NONE)
