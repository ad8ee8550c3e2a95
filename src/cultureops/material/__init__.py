"""Lots of material: what came in, whether it may be used, and whom it touched."""

from cultureops.material.lot import LotState, Status
from cultureops.material.register import LotRegister
from cultureops.material.use import LotUse, lots_named, uses_of

__all__ = ["LotRegister", "LotState", "LotUse", "Status", "lots_named", "uses_of"]
