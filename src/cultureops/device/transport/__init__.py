"""Lines to devices. ``open.open_link`` makes one from a URI; the modules beside it each know one kind."""

from cultureops.device.transport.base import ByteLink, HttpLink, PeerLink, RegisterLink, TopicLink, TopicMessage

__all__ = ["ByteLink", "HttpLink", "PeerLink", "RegisterLink", "TopicLink", "TopicMessage"]
