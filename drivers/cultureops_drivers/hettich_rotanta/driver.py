"""What a Rotanta robotic centrifuge is doing; it never starts, stops or opens it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.reading import Sample
from cultureops.device.transport.base import ByteLink
from cultureops.errors import ConfigError, DriverError
from cultureops_drivers.hettich_rotanta import protocol

__all__ = ["Rotanta", "create"]

_LONGEST_ANSWER: Final = 32


def _state(name: str, *, verified: bool = True) -> Channel:
    return Channel(name, "1", Kind.STATE, decimals=0, verified=verified)


_CHANNELS: Final = (
    _state("standstill", verified=False),
    _state("program"),
    _state("lid"),
    _state("rotor"),
    _state("key_lock"),
    _state("hatch"),
    _state("rotor_position"),
    _state("rotor_positions"),
)


def create(device: str, link: Link, options: Mapping[str, object]) -> Rotanta:
    """Create the driver of one centrifuge.

    Option ``address``, required: its letter, A to Z or ``]``, as set on the centrifuge. Needs a serial:// link that
    says baud rate and parity as the centrifuge is set, or a tcp:// one.
    """
    given = Options(device, options, ("address",))
    expected = "one character, A to Z or ]"
    address = given.get("address", str, "", expected)
    if not re.fullmatch(r"[A-Z\]]", address):
        raise given.error("address", f"must be {expected}, not {address!r}")
    if not isinstance(link, ByteLink):
        raise ConfigError(f"{device}: a Rotanta needs a serial:// or tcp:// link")
    return Rotanta(device, link, address)


class Rotanta(LinkedDriver[ByteLink]):
    """One centrifuge, alone on its line or one of several."""

    check_bits: Final = 8

    def __init__(self, device: str, link: ByteLink, address: str) -> None:
        super().__init__(device, link)
        self._address = address

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Standstill, program, lid, rotor, key, hatch and rotor position; speed has no documented scale."""
        return _CHANNELS

    async def identify(self) -> Identity:
        """Ask for the type; the word's meaning is in the centrifuge's manual, such as C800 for a Rotanta 460."""
        return Identity("Hettich", f"type {await self._ask(protocol.CENTRIFUGE_TYPE):04X}")

    async def read(self) -> Sequence[Sample]:
        """Ask for every state; lid and hatch are 1 unless the centrifuge says that they are shut."""
        first = protocol.state_1(await self._ask(protocol.STATE_1))
        second = protocol.state_2(await self._ask(protocol.STATE_2))
        hatch_is_shut = protocol.hatch_is_shut(await self._ask(protocol.HATCH))
        position, positions = protocol.rotor_position(await self._ask(protocol.ROTOR_POSITION))
        values = (
            first.is_standstill,
            first.program,
            not second.lid_is_shut,
            second.rotor,
            second.key_lock,
            not hatch_is_shut,
            position,
            positions,
        )
        return [Sample(channel.name, float(value)) for channel, value in zip(_CHANNELS, values, strict=True)]

    async def _ask(self, code: str) -> int:
        request = protocol.enquiry(code, self._address)
        answer = await self.link.exchange(request, protocol.END, limit=_LONGEST_ANSWER, trailing=protocol.TRAILING)
        try:
            return protocol.word_of(answer, code, self._address)
        except DriverError as error:
            raise type(error)(f"{self.device} {error}") from None
