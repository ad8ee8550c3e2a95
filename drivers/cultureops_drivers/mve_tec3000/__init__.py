"""Chart MVE cryostores with a TEC 3000 controller, read only."""

from cultureops_drivers.mve_tec3000.driver import MveTec3000, create

__all__ = ["MveTec3000", "create"]
