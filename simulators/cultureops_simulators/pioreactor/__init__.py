"""The simulated instrument `pioreactor`: physics in `model`, topics and payloads in `server`."""

from cultureops_simulators.pioreactor.server import Pioreactor, build

__all__ = ["Pioreactor", "build"]
