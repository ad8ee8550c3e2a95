"""Any Modbus device that a profile describes."""

from cultureops_drivers.modbus.driver import ModbusDevice, create, shipped_profiles

__all__ = ["ModbusDevice", "create", "shipped_profiles"]
