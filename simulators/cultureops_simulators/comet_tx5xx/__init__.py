"""The simulated instrument `comet_tx5xx`: physics in `model`, wire language in `server`."""

from cultureops_simulators.comet_tx5xx.server import build

__all__ = ["build"]
