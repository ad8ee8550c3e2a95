"""The simulated instrument `julabo_magio`: physics in `model`, wire language in `server`."""

from cultureops_simulators.julabo_magio.server import build

__all__ = ["build"]
