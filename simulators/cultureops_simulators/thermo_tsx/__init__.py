"""The simulated instrument `thermo_tsx`: physics in `model`, wire language in `server`."""

from cultureops_simulators.thermo_tsx.server import Tsx, build

__all__ = ["Tsx", "build"]
