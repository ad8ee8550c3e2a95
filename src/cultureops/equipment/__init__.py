"""What stands in the lab, whether it may be used, and until when its calibration holds."""

from cultureops.equipment.chamber import CHAMBER_CLASSES, Chamber, chambers_from
from cultureops.equipment.register import CalibrationDue, EquipmentRegister
from cultureops.equipment.state import Declared, EquipmentState, Service

__all__ = [
    "CHAMBER_CLASSES",
    "CalibrationDue",
    "Chamber",
    "Declared",
    "EquipmentRegister",
    "EquipmentState",
    "Service",
    "chambers_from",
]
