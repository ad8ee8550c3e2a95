"""What a driver is.

A driver speaks to one device. It never polls, retries, stamps, logs outages or stores: the poller does, once, for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from cultureops.device.channel import Channel
from cultureops.device.reading import Sample
from cultureops.device.transport.base import ByteLink, HttpLink, PeerLink, RegisterLink, TopicLink

__all__ = [
    "Confluence",
    "ConfluenceResult",
    "CountResult",
    "Driver",
    "DriverFactory",
    "HoldingSource",
    "Identity",
    "ImageResult",
    "Link",
    "RawSource",
    "RejectedFile",
    "Result",
    "ResultSource",
]

Link: TypeAlias = ByteLink | RegisterLink | HttpLink | TopicLink | PeerLink | Path


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answered: what the device says of itself, or what its profile says where it can't be asked."""

    vendor: str
    model: str
    serial_number: str = ""
    firmware: str = ""


class Driver(Protocol):
    """A device that is asked for its values.

    Every method may raise NotConnected, DriverTimeout, ProtocolError or DeviceFault.
    """

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The rows this device can deliver; a quantity that nobody can read is absent."""
        ...

    @property
    def check_bits(self) -> int:
        """How many check bits guard each answer: 0, 8, 16 or 32; with 8 or fewer a leap is read again (Poller)."""
        ...

    async def connect(self) -> None:
        """Open the link; a second call on an open link does nothing."""
        ...

    async def disconnect(self) -> None:
        """Close the link; never raises."""
        ...

    async def identify(self) -> Identity:
        """Ask the device who it is."""
        ...

    async def read(self) -> Sequence[Sample]:
        """Ask for every channel once; a channel the device can't give has no value and a reason."""
        ...


@dataclass(frozen=True, slots=True)
class CountResult:
    """One measurement of a cell counter, as the instrument wrote it.

    Densities in 10^6 cells/mL, viability in percent, diameter in micrometres; ``counted_at_local`` is the
    instrument's own local time (ISO 8601 without offset, since such files carry none). ``flags`` name what is
    implausible; a flagged result is held for a person. A number that is missing or not finite is None and flagged.
    """

    sample_id: str
    counted_at_local: str
    viability_pct: float | None
    viable_density_1e6_per_ml: float | None
    total_density_1e6_per_ml: float | None
    viable_cells: int | None
    total_cells: int | None
    average_diameter_um: float | None
    source_file: str
    source_sha256: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Confluence:
    """How much of one well was covered with cells at one time, as the imager computed it.

    ``observed_at_local`` is the instrument's own local time (ISO 8601 without offset), ``elapsed_h`` its hours since
    the first scan; ``confluence_pct`` is a finite number as written, or None where the cell holds none. ``flags`` name
    what is implausible.
    """

    well: str
    observed_at_local: str
    elapsed_h: float
    confluence_pct: float | None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfluenceResult:
    """One export of a live-cell imager: the confluence of some wells over some time, by time and then well."""

    label: str
    metric: str
    cell_type: str
    passage: str
    observations: tuple[Confluence, ...]
    source_file: str
    source_sha256: str


@dataclass(frozen=True, slots=True)
class ImageResult:
    """One image file that is whole.

    ``well`` and ``field`` are what its name says, empty and None where it says nothing; so are ``taken_at_local``
    (ISO 8601 without offset) and ``elapsed_h``, of which a name carries one at most. ``flags`` name what is missing.
    """

    well: str
    field: int | None
    taken_at_local: str
    elapsed_h: float | None
    source_file: str
    source_sha256: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A result file that could not be read: moved aside, never lost, never guessed."""

    source_file: str
    source_sha256: str
    moved_to: str
    error: str


Result: TypeAlias = CountResult | ConfluenceResult | ImageResult | RejectedFile
"""What an instrument hands over."""


@runtime_checkable
class ResultSource(Protocol):
    """An instrument that hands over results when it has them, such as a cell counter's export folder."""

    async def collect(self) -> Sequence[Result]:
        """Return what is new since the last call, in a stable order; the first call begins to listen where needed."""
        ...

    async def close(self) -> None:
        """Stop listening; never raises."""
        ...


@runtime_checkable
class HoldingSource(Protocol):
    """A ResultSource that keeps what a result came from at hand until the result is on record.

    What was never released is handed over again after a restart, so a result may come twice, and none is lost.
    """

    def release(self, result: Result) -> None:
        """Let go of what a recorded result came from; returns at once and never raises."""
        ...


@runtime_checkable
class RawSource(Protocol):
    """A ResultSource that can give the very bytes a result was read from, until the result is released."""

    async def contents(self, result: Result) -> bytes | None:
        """Return the bytes whose SHA-256 the result names; None where they are not at hand."""
        ...


DriverFactory: TypeAlias = Callable[[str, Link, Mapping[str, object]], "Driver | ResultSource"]
"""``create(device_name, link, options)``; raises ConfigError for a wrong link or option."""
