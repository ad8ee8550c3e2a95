"""Chart MVE cryostores with a TEC 3000 controller, read only."""

from cultureops_drivers.mve_tec3000.driver import MveTec3000, create
from cultureops_drivers.mve_tec3000.event_log import load_mapping, read_event_log, read_log

__all__ = ["MveTec3000", "create", "load_mapping", "read_event_log", "read_log"]
