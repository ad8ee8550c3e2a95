"""The simulated instrument `incucyte`: growth in `model`, its export in `server`."""

from cultureops_simulators.incucyte.server import Incucyte, build

__all__ = ["Incucyte", "build"]
