"""The simulated instrument `ami_185`: physics in `model`, wire language in `server`."""

from cultureops_simulators.ami_185.server import Ami185, build

__all__ = ["Ami185", "build"]
