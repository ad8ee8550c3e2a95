"""The simulated instrument `watlow_f4t`: a chamber of `climate`, wire language in `server`."""

from cultureops_simulators.watlow_f4t.server import build

__all__ = ["build"]
