"""LiCONiC STX automated incubators over RS-232, read only."""

from typing import Final

from cultureops.device.transport.serial import SerialSettings
from cultureops_drivers.liconic_stx.driver import LiconicStx, create

__all__ = ["SCAN_SETTINGS", "LiconicStx", "create"]

SCAN_SETTINGS: Final = (SerialSettings(baudrate=9600, parity="E", rtscts=True),)
