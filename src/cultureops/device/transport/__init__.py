"""Lines to devices. ``open.open_link`` makes one from a URI; the modules beside it each know one kind."""

from cultureops.device.transport.base import ByteLink, RegisterLink

__all__ = ["ByteLink", "RegisterLink"]
