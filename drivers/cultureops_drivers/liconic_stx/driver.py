"""Climate and states of a LiCONiC STX; it moves nothing and changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.base import ByteLink
from cultureops.errors import ConfigError, DeviceFault, DriverError
from cultureops_drivers.liconic_stx import protocol

__all__ = ["LiconicStx", "create"]

T = TypeVar("T")

BREAK_S: Final = 0.15
"""How long the line is held in break before a dialogue; the controller wants more than 0.1 s."""
PAUSE_S: Final = 0.1
"""How long the controller is left alone after that."""

_HIGHEST_KNOWN: Final = 0x7FFF


@dataclass(frozen=True, slots=True)
class _Loop:
    """Where a control loop keeps its two values; ``verified`` is False where a public client says it never tried."""

    actual: int
    setpoint: int
    unit: str
    per_unit: int
    verified: bool


_LOOPS: Final = {
    "temperature": _Loop(982, 890, "Cel", 10, True),
    "humidity": _Loop(983, 893, "%", 10, True),
    "co2": _Loop(984, 894, "%", 100, False),
}
_GAS_PORTS: Final = {"gas_1": (985, 895), "gas_2": (986, 896)}
_GASES: Final = ("none", "o2", "n2")
_RELAYS: Final = {
    "ready": (1915, True),
    "error": (1814, True),
    "transfer_station": (1813, False),
    "shovel": (1812, False),
}
_ERROR_MEMORY: Final = 200
_READY_RELAY: Final = 1915


def create(device: str, link: Link, options: Mapping[str, object]) -> LiconicStx:
    """Create the driver of one STX; needs a serial:// or tcp:// link.

    Options: ``fitted``, the control loops it has, such as ``"temperature+humidity+co2"`` (the default); ``gas_1`` and
    ``gas_2``, what flows through these ports: ``none`` (the default), ``o2`` or ``n2``.
    """
    given = Options(device, options, ("fitted", *_GAS_PORTS))
    expected = "some of " + ", ".join(_LOOPS) + ", joined by '+'"
    fitted = given.get("fitted", str, "+".join(_LOOPS), expected).split("+")
    if not set(fitted) <= set(_LOOPS) or len(set(fitted)) != len(fitted):
        raise given.error("fitted", f"must be {expected}, not {'+'.join(fitted)!r}")
    loops = {name: _LOOPS[name] for name in fitted}
    for port, (actual, setpoint) in _GAS_PORTS.items():
        gas = given.get(port, str, "none", "none, o2 or n2")
        if gas not in _GASES:
            raise given.error(port, f"must be none, o2 or n2, not {gas!r}")
        if gas in loops:
            raise given.error(port, f"can't be {gas}: the other port is already")
        if gas != "none":
            loops[gas] = _Loop(actual, setpoint, "%", 100, False)
    if not isinstance(link, ByteLink):
        raise ConfigError(f"{device}: a LiCONiC STX needs a serial:// or tcp:// link")
    return LiconicStx(device, link, loops)


class LiconicStx(LinkedDriver[ByteLink]):
    """One automated incubator on its serial port.

    The controller answers only within a dialogue. It is opened by the first question and after every failure, and
    closed by ``disconnect`` if all went well until then.
    """

    check_bits: Final = 0

    def __init__(self, device: str, link: ByteLink, loops: Mapping[str, _Loop]) -> None:
        super().__init__(device, link)
        self._loops = dict(loops)
        self._in_dialogue = False

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Each control loop that is fitted with its setpoint, states, and the error memory."""
        loops = [
            channel
            for name, loop in self._loops.items()
            for channel in (
                Channel(name, loop.unit, decimals=len(str(loop.per_unit)) - 1, verified=loop.verified),
                Channel(
                    f"{name}_setpoint",
                    loop.unit,
                    Kind.SETPOINT,
                    decimals=len(str(loop.per_unit)) - 1,
                    verified=loop.verified,
                ),
            )
        ]
        relays = [Channel(name, "1", Kind.STATE, decimals=0, verified=known) for name, (_, known) in _RELAYS.items()]
        return (*loops, *relays, Channel("error_code", "1", Kind.STATE, decimals=0))

    async def disconnect(self) -> None:
        """Leave the dialogue if one is open and sound, and close the link; never raises."""
        was_in_dialogue, self._in_dialogue, self._connected = self._in_dialogue, False, False
        try:
            if was_in_dialogue:
                with contextlib.suppress(DriverError):
                    await self._link.exchange(protocol.LEAVE, protocol.END, limit=64)
        finally:
            await super().disconnect()

    async def identify(self) -> Identity:
        """Ask whether it is ready: no public command says which STX it is."""
        await self._ask(protocol.read_relay(_READY_RELAY), protocol.relay_of)
        return Identity("LiCONiC", "STX")

    async def read(self) -> Sequence[Sample]:
        """Ask for every value, one command each; what the STX refuses gives DEVICE_FAULT."""
        samples: list[Sample] = []
        for name, loop in self._loops.items():
            samples.append(await self._read_value(name, loop.actual, loop.per_unit))
            samples.append(await self._read_value(f"{name}_setpoint", loop.setpoint, loop.per_unit))
        for name, (relay, _) in _RELAYS.items():
            samples.append(await self._read(name, protocol.read_relay(relay), protocol.relay_of))
        samples.append(await self._read("error_code", protocol.read_memory(_ERROR_MEMORY), protocol.word_of))
        return samples

    async def _read_value(self, name: str, memory: int, per_unit: int) -> Sample:
        sample = await self._read(name, protocol.read_memory(memory), protocol.word_of)
        if sample.value is None:
            return sample
        if sample.value > _HIGHEST_KNOWN:  # whether the highest bit is a sign is not public
            return Sample(name, None, Reason.OUT_OF_RANGE)
        return Sample(name, sample.value / per_unit)

    async def _read(self, name: str, request: bytes, parse: Callable[[bytes, bytes], float]) -> Sample:
        try:
            return Sample(name, float(await self._ask(request, parse)))
        except DeviceFault:
            return Sample(name, None, Reason.DEVICE_FAULT)

    async def _ask(self, request: bytes, parse: Callable[[bytes, bytes], T]) -> T:
        link = self.link
        if not self._in_dialogue:
            await self._begin()
        self._in_dialogue = False  # until the answer has come and was understood
        answer = await link.exchange(request, protocol.END, limit=64)
        try:
            value = parse(answer, request)
        except DriverError as error:
            self._in_dialogue = isinstance(error, DeviceFault)
            raise type(error)(f"{self.device}: {error}") from None
        self._in_dialogue = True
        return value

    async def _begin(self) -> None:
        await self._link.send_break(BREAK_S)
        await asyncio.sleep(PAUSE_S)
        answer = await self._link.exchange(protocol.BEGIN, protocol.END, limit=64)
        try:
            protocol.check_begun(answer)
        except DriverError as error:
            raise type(error)(f"{self.device}: {error}") from None
