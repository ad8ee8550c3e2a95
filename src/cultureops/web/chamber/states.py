"""What the numbers of a state channel mean in words, by its standard name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["WANTED_ON", "WORDS"]

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "door": ("door closed", "door open"),
    "lid": ("lid closed", "lid open"),
    "fill": ("not filling", "filling"),
    "fill_alarm": ("no fill alarm", "fill time exceeded"),
    "bypass": ("no bypass", "bypassing"),
    "mains": ("power fail", "mains on"),
    "alarm_bits": ("no instrument alarm", "instrument alarm"),
}
"""What a state channel of a standard name says at 0 and otherwise."""
WANTED_ON: Final = frozenset(["mains"])
"""States that call for attention when they are off, not when they are on."""
