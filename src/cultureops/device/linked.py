"""The part of a driver that is the same whatever the device says."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from cultureops.errors import NotConnected

__all__ = ["LinkedDriver"]


class _Link(Protocol):
    async def open(self) -> None: ...

    async def close(self) -> None: ...


L = TypeVar("L", bound=_Link)


class LinkedDriver(Generic[L]):
    """A driver with one link, opened by ``connect`` and closed by ``disconnect``; it asks through ``link``.

    What is left to the author: ``channels``, ``check_bits``, ``identify`` and ``read``.
    """

    def __init__(self, device: str, link: L) -> None:
        self.device = device
        self._link = link
        self._connected = False

    @property
    def link(self) -> L:
        """The link, to ask the device by; raises NotConnected before ``connect`` and after ``disconnect``."""
        if not self._connected:
            raise NotConnected(f"{self.device}: not connected; connect first")
        return self._link

    async def connect(self) -> None:
        """Open the link; a second call on an open link does nothing."""
        await self._link.open()
        self._connected = True

    async def disconnect(self) -> None:
        """Close the link; never raises."""
        self._connected = False
        await self._link.close()
