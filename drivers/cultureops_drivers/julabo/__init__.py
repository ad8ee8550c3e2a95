"""JULABO baths and circulators over RS-232 or RS-485, read only."""

from typing import Final

from cultureops.device.transport.serial import SerialSettings
from cultureops_drivers.julabo.driver import Julabo, create

__all__ = ["SCAN_SETTINGS", "Julabo", "create"]

SCAN_SETTINGS: Final = (
    SerialSettings(baudrate=4800, bytesize=7, parity="E", rtscts=True),
    SerialSettings(baudrate=9600, bytesize=8, parity="N"),
)
