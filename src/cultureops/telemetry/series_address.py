"""Where on a server a channel's points lie: what the mirror writes before the fields, read both ways. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.device.channel import ChannelId

__all__ = ["Address", "address_of", "carried", "channel_at"]

_BATCH: Final = "batch:"
_OF_BATCH: Final = "batch_"
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\\]|%(?=[0-9A-Fa-f]{2})|^#")
_WRITTEN: Final = re.compile(r"%([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class Address:
    """The measurement, and the tag (``device`` or ``batch``) that names whose it is; both as the server has them."""

    measurement: str
    key: str
    owner: str


def carried(text: str) -> str:
    """Write what line protocol can't carry with ``%HH``."""
    return _UNFIT.sub(lambda found: f"%{ord(found[0]):02X}", text)


def address_of(channel: ChannelId) -> Address:
    """Return where a channel's points lie; a batch's own facts are ``batch_<name>``."""
    owner, _, name = channel.rpartition("/")
    if owner.startswith(_BATCH):
        return Address(carried(f"{_OF_BATCH}{name}"), "batch", carried(owner.removeprefix(_BATCH)))
    return Address(carried(name or "unnamed"), "device", carried(owner))


def channel_at(measurement: str, tags: Mapping[str, str]) -> ChannelId | None:
    """Return the channel of a series; None for one that the mirror does not write."""
    name, device, batch = _plain(measurement), tags.get("device", ""), tags.get("batch", "")
    if batch and not device:
        return f"{_BATCH}{_plain(batch)}/{name.removeprefix(_OF_BATCH)}" if name.startswith(_OF_BATCH) else None
    return f"{_plain(device)}/{name}" if device and not batch else None


def _plain(text: str) -> str:
    return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), text)
