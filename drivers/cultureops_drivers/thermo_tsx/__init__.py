"""Thermo Scientific TSX and TDE ultra-low freezers over their Modbus ASCII line, read only."""

from typing import Final

from cultureops.device.transport.serial import SerialSettings
from cultureops_drivers.thermo_tsx.driver import ThermoTsx, create

__all__ = ["SCAN_SETTINGS", "ThermoTsx", "create"]

SCAN_SETTINGS: Final = tuple(
    SerialSettings(baudrate=baudrate, bytesize=7, parity="E") for baudrate in (9600, 19200, 38400, 57600, 4800, 2400)
)
