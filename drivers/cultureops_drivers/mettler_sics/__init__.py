"""Balances that speak the Mettler Toledo Standard Interface Command Set (MT-SICS), read only."""

from typing import Final

from cultureops.device.transport.serial import SerialSettings
from cultureops_drivers.mettler_sics.driver import SicsBalance, create

__all__ = ["SCAN_SETTINGS", "SicsBalance", "create"]

SCAN_SETTINGS: Final = (SerialSettings(baudrate=9600),)
