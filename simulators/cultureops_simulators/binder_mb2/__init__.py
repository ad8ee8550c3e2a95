"""The simulated instrument `binder_mb2`: a chamber of `climate`, wire language in `server`."""

from cultureops_simulators.binder_mb2.server import build

__all__ = ["build"]
