"""The simulated instrument `lighthouse_remote`: physics in `model`, wire language in `server`."""

from cultureops_simulators.lighthouse_remote.server import build

__all__ = ["build"]
