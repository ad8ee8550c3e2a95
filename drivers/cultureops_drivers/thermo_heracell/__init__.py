"""Thermo Scientific Heracell and Steri-Cycle CO2 incubators over RS-232, read only."""

from typing import Final

from cultureops.device.transport.serial import SerialSettings
from cultureops_drivers.thermo_heracell.driver import Heracell, create

__all__ = ["SCAN_SETTINGS", "Heracell", "create"]

SCAN_SETTINGS: Final = tuple(SerialSettings(baudrate=rate) for rate in (9600, 19200, 38400, 57600))
