"""The weight on a balance and whether it is at rest; it never tares or zeroes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.reading import Sample
from cultureops.device.transport.base import ByteLink
from cultureops.errors import ConfigError, DriverError
from cultureops_drivers.mettler_sics import protocol

__all__ = ["SicsBalance", "create"]

_LONGEST_ANSWER: Final = 256


def create(device: str, link: Link, options: Mapping[str, object]) -> SicsBalance:
    """Create the driver of one balance.

    Option ``wait_for_stable``: ask for a weight at rest (``S``), for which the balance may take its time, instead of
    the weight of this moment (``SI``). Needs a serial:// or tcp:// link.
    """
    given = Options(device, options, ("wait_for_stable",))
    waits = given.get("wait_for_stable", bool, False, "true or false")
    if not isinstance(link, ByteLink):
        raise ConfigError(f"{device}: a balance needs a serial:// or tcp:// link")
    return SicsBalance(device, link, protocol.STABLE if waits else protocol.NOW)


class SicsBalance(LinkedDriver[ByteLink]):
    """One balance on its own line."""

    check_bits: Final = 0

    def __init__(self, device: str, link: ByteLink, word: str) -> None:
        super().__init__(device, link)
        self._word = word

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Net weight, and 1 while it is at rest."""
        return Channel("weight", "g", decimals=4), Channel("stable", "1", Kind.STATE, decimals=0)

    async def identify(self) -> Identity:
        """Ask for the balance's data, software and serial number."""
        model = await self._text(protocol.DATA)
        firmware = await self._text(protocol.SOFTWARE)
        return Identity("Mettler Toledo", model, await self._text(protocol.SERIAL_NUMBER), firmware)

    async def read(self) -> Sequence[Sample]:
        """Ask for the weight once; overload, underload and a busy balance give no value and their reason."""
        answer = await self._ask(self._word)
        try:
            weighing = protocol.weighing_of(answer, self._word)
        except DriverError as error:
            raise type(error)(f"{self.device} {error}") from None
        stable = None if weighing.is_stable is None else float(weighing.is_stable)
        return Sample("weight", weighing.weight_g, weighing.reason), Sample("stable", stable, weighing.reason)

    async def _text(self, word: str) -> str:
        answer = await self._ask(word)
        try:
            return protocol.text_of(answer, word)
        except DriverError as error:
            raise type(error)(f"{self.device} {error}") from None

    async def _ask(self, word: str) -> bytes:
        return await self.link.exchange(protocol.query(word), protocol.END, limit=_LONGEST_ANSWER)
