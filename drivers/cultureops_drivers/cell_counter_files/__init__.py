"""Cell counters that write their results into a folder."""

from cultureops_drivers.cell_counter_files.driver import create

__all__ = ["create"]
