"""Incucyte live-cell imagers, from their metric text exports."""

from cultureops_drivers.incucyte.driver import create

__all__ = ["create"]
