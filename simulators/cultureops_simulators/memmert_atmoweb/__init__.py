"""The simulated instrument `memmert_atmoweb`: physics in `model`, wire language in `server`."""

from cultureops_simulators.memmert_atmoweb.server import AtmowebChamber, build

__all__ = ["AtmowebChamber", "build"]
