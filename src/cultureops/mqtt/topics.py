"""Which topic speaks of what."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from cultureops.batch.batch import batch_of
from cultureops.device.channel import ChannelId
from cultureops.errors import ConfigError

__all__ = ["Topics", "check_topic", "slug"]

LONGEST_BYTES: Final = 1024
MOST_LEVELS: Final = 32


def check_topic(topic: str) -> str:
    """Return a topic that can be published to; raise ConfigError for any other.

    At most 1024 bytes of UTF-8 in at most 32 levels, none of them empty; no wildcard, no control character, no ``$``
    in front. Source: MQTT 3.1.1, sections 1.5.3 and 4.7.
    """
    if not topic.isprintable():
        raise ConfigError(f"{topic!r} can't be a topic: it holds a control character; use letters, digits and -")
    if "+" in topic or "#" in topic:
        raise ConfigError(f"{topic!r} can't be a topic: + and # are wildcards; use letters, digits and -")
    levels = topic.split("/")
    if topic.startswith("$") or not all(levels):
        raise ConfigError(f"{topic!r} can't be a topic: a level is empty or it begins with $; write e.g. plant/lab-1")
    if len(levels) > MOST_LEVELS or len(topic.encode()) > LONGEST_BYTES:
        most = f"at most {MOST_LEVELS} levels and {LONGEST_BYTES} bytes"
        raise ConfigError(f"{topic[:40]!r}... can't be a topic: expected {most}; shorten it")
    return topic


def slug(name: str) -> str:
    """Write a name in small letters, digits and hyphens, e.g. ``lab-2nd-floor``; empty where there is none of them."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic of one site; ``prefix`` stands before all of them."""

    prefix: str

    @property
    def status(self) -> str:
        """Whether the rest is kept up to date."""
        return f"{self.prefix}/status"

    def channel(self, channel: ChannelId) -> str:
        """Return the topic of a device's channel or a batch's fact; raises ConfigError for what can't be one."""
        owner, _, name = channel.rpartition("/")
        batch_id = batch_of(owner)
        where = f"channel/{owner}" if batch_id is None else f"batch/{batch_id}"
        return check_topic(f"{self.prefix}/{where}/{name}")

    def alarm(self, rule_id: str) -> str:
        """Return the topic of an alarm rule; raises ConfigError for what can't be one."""
        return check_topic(f"{self.prefix}/alarm/{rule_id}")
