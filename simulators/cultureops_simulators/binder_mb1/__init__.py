"""The simulated instrument `binder_mb1`: a chamber of `climate`, wire language in `server`."""

from cultureops_simulators.binder_mb1.server import build

__all__ = ["build"]
