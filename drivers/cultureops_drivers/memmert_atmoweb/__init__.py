"""Memmert chambers with AtmoWEB, read only."""

from cultureops_drivers.memmert_atmoweb.driver import Atmoweb, create

__all__ = ["Atmoweb", "create"]
