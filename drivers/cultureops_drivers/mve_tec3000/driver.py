"""Temperature and filling of an MVE cryostore; it never changes anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.reading import Sample
from cultureops.device.transport.base import ByteLink
from cultureops.errors import ConfigError, DriverError
from cultureops_drivers.mve_tec3000 import protocol

__all__ = ["MveTec3000", "create"]

T = TypeVar("T")

_NITROGEN_FREEZES_CEL: Final = -210.0  # what is colder is in another unit, such as -238 degF for -150 degC, or false
_BOILING_WATER_CEL: Final = 100.0

_ROWS: Final[tuple[tuple[Channel, str, Callable[[bytes, str], float]], ...]] = (
    (
        Channel("temp_a", "Cel", valid_range=(_NITROGEN_FREEZES_CEL, _BOILING_WATER_CEL)),
        protocol.TEMPERATURE_A,
        protocol.temperature_of,
    ),
    (Channel("fill", "1", Kind.STATE, decimals=0), protocol.FILL, protocol.state_of),
    (Channel("fill_time", "s", decimals=0), protocol.FILL_TIME, protocol.whole_of),
    (Channel("fill_alarm", "1", Kind.STATE, decimals=0), protocol.FILL_ALARM, protocol.state_of),
    (Channel("bypass", "1", Kind.STATE, decimals=0), protocol.BYPASS, protocol.state_of),
)


def create(device: str, link: Link, options: Mapping[str, object]) -> MveTec3000:
    """Create the driver of one controller.

    Option ``controller``: its three-digit number in quotes, e.g. ``"001"``, where several share a line. Needs a
    ``tcp://`` link (a terminal server) or a ``serial://`` one.
    """
    given = Options(device, options, ("controller",))
    expected = 'three digits in quotes such as "001"'
    controller = given.get("controller", str, "", expected)
    if controller and not re.fullmatch(r"[0-9]{3}", controller):
        raise given.error("controller", f"must be {expected}, not {controller!r}")
    if not isinstance(link, ByteLink):
        raise ConfigError(f"{device}: an MVE TEC 3000 needs a tcp:// or serial:// link")
    return MveTec3000(device, link, controller)


class MveTec3000(LinkedDriver[ByteLink]):
    """One controller, alone on its line or one of several."""

    check_bits: Final = 0

    def __init__(self, device: str, link: ByteLink, controller: str = "") -> None:
        super().__init__(device, link)
        self._controller = controller

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What has a public query; level and lid have none."""
        return tuple(channel for channel, _, _ in _ROWS)

    async def identify(self) -> Identity:
        """Ask for the software version."""
        firmware = await self._ask(protocol.IDENTITY, lambda answer, _: protocol.firmware_of(answer))
        return Identity("Chart", "MVE TEC 3000", firmware=firmware)

    async def read(self) -> Sequence[Sample]:
        """Ask for every channel, one query each."""
        return [Sample(channel.name, await self._ask(word, parse)) for channel, word, parse in _ROWS]

    async def _ask(self, word: str, parse: Callable[[bytes, str], T]) -> T:
        answer = await self.link.exchange(protocol.query(word, self._controller), protocol.END, limit=256)
        try:
            return parse(answer, word)
        except DriverError as error:
            raise type(error)(f"{self.device}: {error}") from None
