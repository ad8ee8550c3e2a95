"""What an edge node and its devices are called, and their topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cultureops.errors import ConfigError
from cultureops.mqtt.topics import check_topic

__all__ = ["NAMESPACE", "EdgeNames", "check_name"]

NAMESPACE: Final = "spBv1.0"


def check_name(name: str) -> str:
    """Return what a group, an edge node or a device can be called; raise ConfigError for anything else.

    No ``/``, ``+`` or ``#``. Source: Sparkplug 3.0.0, section 4.1 (tck-id-topic-structure-namespace-valid-group-id,
    -valid-edge-node-id, -valid-device-id).
    """
    if not name or "/" in name:
        raise ConfigError(f"{name!r} can't be a name in Sparkplug: it is empty or holds a /; use letters, digits and -")
    return check_topic(name)


@dataclass(frozen=True, slots=True)
class EdgeNames:
    """One edge node of a group."""

    group: str
    edge_node: str

    def node(self, kind: str) -> str:
        """Return the topic of the node's own messages: NBIRTH, NDATA, NDEATH or NCMD."""
        return f"{NAMESPACE}/{self.group}/{kind}/{self.edge_node}"

    def device(self, kind: str, device: str) -> str:
        """Return the topic of a device's messages: DBIRTH, DDATA or DDEATH; raises ConfigError."""
        return check_topic(f"{self.node(kind)}/{check_name(device)}")
