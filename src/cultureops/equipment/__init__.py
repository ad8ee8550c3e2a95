"""What stands in the lab."""

from cultureops.equipment.chamber import CHAMBER_CLASSES, Chamber, chambers_from

__all__ = ["CHAMBER_CLASSES", "Chamber", "chambers_from"]
