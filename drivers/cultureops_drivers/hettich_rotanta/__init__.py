"""Hettich ROTANTA 460 Robotic and ROTANTA 46 RSC Robotic centrifuges, read only."""

from cultureops_drivers.hettich_rotanta.driver import Rotanta, create

__all__ = ["Rotanta", "create"]
