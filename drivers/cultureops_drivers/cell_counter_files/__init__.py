"""Files of cell counters: from the folder that a counter exports to, or wherever they lie."""

from cultureops_drivers.cell_counter_files.driver import create
from cultureops_drivers.cell_counter_files.reader import read_counts

__all__ = ["create", "read_counts"]
