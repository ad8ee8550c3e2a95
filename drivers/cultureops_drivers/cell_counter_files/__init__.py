"""Cell counters that write their results into a folder."""

from cultureops_drivers.cell_counter_files.driver import CountFiles, create

__all__ = ["CountFiles", "create"]
