"""The simulated instrument `thermo_cytomat`: plates in `handler`, physics in `model`, wire language in `server`."""

from cultureops_simulators.thermo_cytomat.server import Cytomat, build

__all__ = ["Cytomat", "build"]
