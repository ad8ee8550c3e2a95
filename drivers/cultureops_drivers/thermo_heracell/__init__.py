"""Thermo Scientific Heracell and Steri-Cycle CO2 incubators over RS-232, read only."""

from cultureops_drivers.thermo_heracell.driver import Heracell, create

__all__ = ["Heracell", "create"]
