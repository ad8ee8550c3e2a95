"""Handing lines to a server that may refuse some: those are found by halving, the others arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from cultureops.telemetry.influx import Refused, Unavailable

__all__ = ["Outcome", "Writer", "hand_over"]

MOST_BLIND_REFUSALS: Final = 32
"""More than it takes to halve 5,000 lines down to one, and its neighbours."""


class Writer(Protocol):
    """The server, as far as the mirror sees it; see InfluxWriter."""

    @property
    def breaks(self) -> int:
        """How often the connection was broken and made again."""
        ...

    async def write(self, body: bytes) -> None:
        """Hand lines over; raises Refused or Unavailable."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


@dataclass(slots=True)
class Outcome:
    """The lines that the server won't take, with its answers, and how many are older than it keeps points."""

    refused: list[tuple[bytes, str]] = field(default_factory=list)
    outlived: int = 0


async def hand_over(writer: Writer, body: bytes) -> Outcome:
    """Return once each line was confirmed or refused for itself; raises Unavailable.

    A server that refuses whatever it is sent, without words about points, is taken for one that is set up wrongly.
    """
    outcome, waiting = Outcome(), [body]
    judges_points, refusals = False, 0
    while waiting:
        lines = waiting.pop()
        try:
            await writer.write(lines)
            judges_points = True
        except Refused as error:
            judges_points |= error.names_points
            refusals += 1
            count = lines.count(b"\n") + 1
            if error.outlived:
                outcome.outlived += error.dropped or count
            elif count == 1 or error.dropped == count:
                outcome.refused += [(line, str(error)) for line in lines.split(b"\n")]
            else:
                waiting += _halves(lines)
            if not judges_points and (refusals > MOST_BLIND_REFUSALS or not waiting):
                raise Unavailable(f"the server refuses every line: {error}; check bucket and organisation") from None
    return outcome


def _halves(lines: bytes) -> tuple[bytes, bytes]:
    """Return two or more lines as two parts, the later one first."""
    cut = lines.find(b"\n", len(lines) // 2)
    if cut < 0:
        cut = lines.rfind(b"\n")
    return lines[cut + 1 :], lines[:cut]
