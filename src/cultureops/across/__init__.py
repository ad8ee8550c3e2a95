"""Alarms across gateways and their hub: each has one owner, who judges it; everybody else follows, and asks."""

from cultureops.across.following import Following
from cultureops.across.outpost import Outpost

__all__ = ["Following", "Outpost"]
