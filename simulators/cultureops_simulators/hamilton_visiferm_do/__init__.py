"""The simulated instrument `hamilton_visiferm_do`: physics in `hamilton_arc`, wire language in `server`."""

from cultureops_simulators.hamilton_visiferm_do.server import build

__all__ = ["build"]
