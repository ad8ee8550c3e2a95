"""The simulated instrument `eurotherm_3216`: a chamber of `climate`, wire language in `server`."""

from cultureops_simulators.eurotherm_3216.server import build

__all__ = ["build"]
