"""Simulated laboratory instruments: physics, cell biology and real wires, independent of cultureops and its drivers."""

from cultureops_simulators.catalog import find_build, known_kinds
from cultureops_simulators.instrument import Dialect, Simulator, SimulatorError

__all__ = ["Dialect", "Simulator", "SimulatorError", "find_build", "known_kinds"]
