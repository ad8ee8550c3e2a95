"""American Magnetics (AMI) 185 and 186 nitrogen level instruments, read only."""

from typing import Final

from cultureops.device.transport.serial import SerialSettings
from cultureops_drivers.ami_185.driver import Ami185, create

__all__ = ["SCAN_SETTINGS", "Ami185", "create"]

SCAN_SETTINGS: Final = tuple(SerialSettings(baudrate=baudrate) for baudrate in (9600, 4800, 2400, 1200, 600, 300))
