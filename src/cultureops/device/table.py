"""Data files that a driver ships or its user writes: TOML tables that know their lines, so that errors name them."""

from cultureops.config import Table
from cultureops.config import load as load_table

__all__ = ["Table", "load_table"]
