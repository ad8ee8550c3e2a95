"""Cell counters that send their results as ASTM E1381 / E1394 messages."""

from cultureops_drivers.astm_counter.driver import AstmCounter, create

__all__ = ["AstmCounter", "create"]
