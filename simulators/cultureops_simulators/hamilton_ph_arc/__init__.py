"""The simulated instrument `hamilton_ph_arc`: physics in `hamilton_arc`, wire language in `server`."""

from cultureops_simulators.hamilton_ph_arc.server import build

__all__ = ["build"]
