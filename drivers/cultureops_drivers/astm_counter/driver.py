"""Counts of an analyser that calls its host and sends ASTM messages; nothing is ever asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from cultureops.device.driver import Link, Result
from cultureops.device.folder import Folder, FolderSource
from cultureops.device.option import Options
from cultureops.device.transport.base import Peer, PeerLink
from cultureops.errors import ConfigError, DriverError, NotConnected
from cultureops_drivers.astm_counter.conversation import Conversation
from cultureops_drivers.astm_counter.mapping import find_mapping, load_mapping
from cultureops_drivers.astm_counter.spool import Spool

__all__ = ["AstmCounter", "create"]


def create(device: str, link: Link, options: Mapping[str, object]) -> AstmCounter:
    """Create the receiver of one analyser's messages.

    Options: ``mapping`` (name of a shipped mapping or path of a ``.toml`` file) and ``folder`` (absolute path where
    messages are kept). Needs a ``listen+tcp://``, ``dial+tcp://`` or ``listen+serial://`` link.
    """
    given = Options(device, options, ("mapping", "folder"))
    name = given.get("mapping", str, "", "the name or the path of a mapping")
    if not name:
        raise given.error("mapping", "is missing; name the mapping of your analyser's fields")
    folder = given.get("folder", str, "", "an absolute path")
    if not Path(folder).is_absolute():
        raise given.error("folder", f"must be an absolute path where messages are kept, not {folder!r}")
    if not isinstance(link, PeerLink):
        raise ConfigError(f"{device}: an ASTM analyser needs a listen+tcp://, dial+tcp:// or listen+serial:// link")
    try:
        mapping = load_mapping(find_mapping(name))
    except ConfigError as error:
        raise given.error("mapping", f"can't be used: {error}") from None
    return AstmCounter(device, link, Spool(Path(folder), mapping))


class AstmCounter:
    """One analyser's receiver."""

    check_bits: Final = 8

    def __init__(self, device: str, link: PeerLink, spool: Spool) -> None:
        self.device = device
        self._link = link
        self._spool = spool
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{device}-astm")
        self._files = FolderSource(device, Folder(spool.folder, spool.parse, atomic=True))
        self._is_recovered = False
        self._failure: BaseException | None = None

    async def collect(self) -> Sequence[Result]:
        """Return the counts and rejections of what has come in, by arrival; the first call begins to listen.

        Raises NotConnected when the line can't be listened to or the folder can't be written, once what came before
        is handed over.
        """
        trouble: DriverError | None = None
        try:
            await self._listen()
        except DriverError as error:
            trouble = error
        results = () if not self._is_recovered else await self._files.collect()
        if trouble is not None and not results:
            raise trouble
        return results

    async def contents(self, result: Result) -> bytes | None:
        """Return the message that a result came from, as it was kept."""
        return await self._files.contents(result)

    def release(self, result: Result) -> None:
        """Let go of the message that a recorded result came from."""
        self._files.release(result)

    async def close(self) -> None:
        """Stop listening; never raises. What was under way is given up, and the instrument will send it again."""
        await self._link.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, _nothing)

    async def _listen(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise NotConnected(
                f"{self.device}: {self._spool.folder} can't be written: {failure}; nothing is acknowledged until it can"
            )
        if not self._is_recovered:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._spool.recover)
            except OSError as error:
                raise NotConnected(f"{self.device}: {self._spool.folder} can't be used: {error}") from None
            self._is_recovered = True
        await self._link.listen(self._on_peer)

    def _on_peer(self, peer: Peer) -> Conversation:
        return Conversation(peer, self._spool, self._thread, self._on_failure)

    def _on_failure(self, error: BaseException) -> None:
        self._failure = error


def _nothing() -> None:
    """End of the queue."""
