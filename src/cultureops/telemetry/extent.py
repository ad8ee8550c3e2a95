"""How far sealing has come, so that nobody takes a reading twice or not at all. Pure.

Every reading up to frame ``floor`` is sealed, and so is every one of the hours before ``before_hour`` up to frame
``seq``. A pass under way has done the same up to ``pass_seq`` and ``pass_before_hour`` for channels up to
``pass_channel``. ``passes`` have ended.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np

from cultureops.clock import HOUR_MS
from cultureops.telemetry.frame import Columns

__all__ = ["Extent"]


@dataclass(frozen=True, slots=True)
class Extent:
    """What is sealed; frames are counted from 1, hours from 1970."""

    floor: int = 0
    seq: int = 0
    before_hour: int = 0
    pass_seq: int = 0
    pass_before_hour: int = 0
    pass_channel: int = 0
    passes: int = 0

    def covers(self, columns: Columns) -> np.ndarray:
        """Say which of these readings are sealed."""
        hour = columns.points.source_ms // HOUR_MS
        return np.asarray(
            (columns.frame <= self.floor)
            | ((columns.frame <= self.seq) & (hour < self.before_hour))
            | (
                (columns.frame <= self.pass_seq)
                & (hour < self.pass_before_hour)
                & (columns.channel <= self.pass_channel)
            )
        )

    @property
    def has_pass(self) -> bool:
        """Whether a pass was begun and not ended."""
        return self.pass_seq > 0

    def at_least(self, before_hour: int) -> int:
        """Return the hour up to which a pass must seal so as not to take back what is sealed."""
        return max(before_hour, self.before_hour) if self.floor < self.seq else before_hour

    def begin(self, seq: int, before_hour: int) -> Extent:
        """Begin a pass over the frames up to ``seq``; hours once sealed stay so."""
        return replace(self, pass_seq=seq, pass_before_hour=self.at_least(before_hour), pass_channel=0)

    def done(self, channel: int) -> Extent:
        """Go on to the channels above this one."""
        return replace(self, pass_channel=channel)

    def end(self, floor: int) -> Extent:
        """End the pass; ``floor`` is the last frame before the first that holds a reading not sealed."""
        return Extent(floor, self.pass_seq, self.pass_before_hour, passes=self.passes + 1)

    def row(self) -> tuple[int, ...]:
        """Return the numbers in the order of the fields."""
        return astuple(self)
