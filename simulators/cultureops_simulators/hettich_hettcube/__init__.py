"""The simulated instrument `hettich_hettcube`: a chamber of `climate`, wire language in `server`."""

from cultureops_simulators.hettich_hettcube.server import build

__all__ = ["build"]
