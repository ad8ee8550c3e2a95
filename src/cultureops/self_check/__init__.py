"""Cultureops watches itself: whether what it took is kept, and whether its machine's disk and clock are fit."""

from cultureops.self_check.check import SelfCheck, Surroundings
from cultureops.self_check.settings import self_check_from
from cultureops.self_check.vitals import Vitals

__all__ = ["SelfCheck", "Surroundings", "Vitals", "self_check_from"]
