"""Results of a cell counter, from the folder it exports to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from cultureops.device.driver import CountResult, Link, RejectedFile
from cultureops.device.option import Options
from cultureops.errors import ConfigError, DriverTimeout
from cultureops_drivers.cell_counter_files.asm import parse
from cultureops_drivers.cell_counter_files.folder import Folder

__all__ = ["FORMATS", "CountFiles", "create"]

FORMATS: Final = (
    "BECKMAN_VI_CELL_BLU",
    "BECKMAN_VI_CELL_XR",
    "CHEMOMETEC_NC_VIEW",
    "CHEMOMETEC_NUCLEOVIEW",
    "REVVITY_MATRIX",
    "ROCHE_CEDEX_HIRES",
)
"""The cell counters among allotropy's formats, by its names."""

_DEADLINE_S: Final = 120.0


def create(device: str, link: Link, options: Mapping[str, object]) -> CountFiles:
    """Create the source of one counter's results; needs a ``folder:///path`` link.

    Options: ``format`` (one of ``FORMATS``, default BECKMAN_VI_CELL_BLU), ``atomic`` (true where finished files are
    renamed into the folder; otherwise a file is read when two visits saw it unchanged), ``deadline_s`` (for one visit).
    """
    given = Options(device, options, ("format", "atomic", "deadline_s"))
    expected = f"one of {', '.join(FORMATS)}"
    file_format = given.get("format", str, FORMATS[0], expected)
    if file_format not in FORMATS:
        raise given.error("format", f"must be {expected}, not {file_format!r}")
    deadline_s = given.get("deadline_s", float, _DEADLINE_S, "seconds above 0")
    if not 0 < deadline_s < float("inf"):
        raise given.error("deadline_s", f"must be seconds above 0, not {deadline_s:g}")
    if not isinstance(link, Path):
        raise ConfigError(f"{device}: a counter's files need a folder:///path link")
    folder = Folder(
        link, partial(parse, file_format=file_format), atomic=given.get("atomic", bool, False, "true or false")
    )
    return CountFiles(device, folder, deadline_s)


class CountFiles:
    """One counter's export folder, read in a thread of its own: the parser takes seconds to load."""

    def __init__(self, device: str, folder: Folder, deadline_s: float = _DEADLINE_S) -> None:
        self.device = device
        self._folder = folder
        self._deadline_s = deadline_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{device}-files")
        self._visit: asyncio.Future[tuple[CountResult | RejectedFile, ...]] | None = None

    async def close(self) -> None:
        """Do nothing: a folder is not held open."""

    async def collect(self) -> Sequence[CountResult | RejectedFile]:
        """Return the counts and rejections of the files that are new, by file name.

        A visit that outlives the deadline or its caller goes on, and the next call returns what it found. Raises
        DriverTimeout, and NotConnected when the folder can't be read or written.
        """
        if self._visit is None:
            self._visit = asyncio.get_running_loop().run_in_executor(self._thread, self._folder.take)
        visit = self._visit
        try:
            async with asyncio.timeout(self._deadline_s):
                await asyncio.wait([visit])
        except TimeoutError:
            raise DriverTimeout(
                f"{self.device}: {self._folder.path} was not read within {self._deadline_s:g} s; asked again next time"
            ) from None
        self._visit = None
        return visit.result()
