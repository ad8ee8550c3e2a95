"""Thermo Scientific Cytomat automated incubators over RS-232, read only."""

from typing import Final

from cultureops.device.transport.serial import SerialSettings
from cultureops_drivers.thermo_cytomat.driver import Cytomat, create

__all__ = ["SCAN_SETTINGS", "Cytomat", "create"]

SCAN_SETTINGS: Final = (SerialSettings(baudrate=9600),)
