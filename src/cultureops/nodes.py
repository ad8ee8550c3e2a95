"""What a lab's pages hear of other nodes: of its gateways where it is a hub, of its hub where it is a gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from cultureops.acquisition.remote import RemoteLink
from cultureops.gateway import Gateway
from cultureops.hub import Hub
from cultureops.web.gateways import GatewayView, HubView

__all__ = ["Across", "across_of"]


@dataclass(frozen=True, slots=True)
class Across:
    """Nothing at all for a lab by itself; ``links`` are those to devices that gateways ask."""

    gateways: Callable[[], Sequence[GatewayView]] | None = None
    hub: Callable[[], HubView] | None = None
    links: Mapping[str, RemoteLink] = field(default_factory=dict)

    def health(self) -> dict[str, object]:
        """Say how the others stand, ready for JSON."""
        said: dict[str, object] = {}
        if self.gateways is not None:
            said["gateways"] = [view.data() for view in self.gateways()]
        if self.hub is not None:
            said["hub"] = asdict(self.hub())
        return said


def across_of(node: Gateway | Hub) -> Across:
    """Return what the pages of a gateway or of a hub hear of the others."""
    if isinstance(node, Gateway):
        return Across(hub=node.hub)
    return Across(gateways=node.gateways, links=node.links.by_device)
