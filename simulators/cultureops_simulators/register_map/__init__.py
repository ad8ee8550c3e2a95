"""A Modbus device of any make, as its profile describes it: for a map that no simulator was written for."""

from cultureops_simulators.register_map.server import build

__all__ = ["build"]
