"""The simulated instrument `liconic_stx`: plates in `handler`, physics in `model`, wire language in `server`."""

from cultureops_simulators.liconic_stx.server import LiconicStx, build

__all__ = ["LiconicStx", "build"]
