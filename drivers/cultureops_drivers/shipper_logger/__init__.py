"""Files of temperature loggers that travel with a shipper, read by a mapping of their columns."""

from cultureops_drivers.shipper_logger.reader import read_trace

__all__ = ["read_trace"]
