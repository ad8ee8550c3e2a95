"""The simulated instrument `vicell_blu`: physics in `model`, wire language in `server`."""

from cultureops_simulators.vicell_blu.server import ViCellBlu, build

__all__ = ["ViCellBlu", "build"]
