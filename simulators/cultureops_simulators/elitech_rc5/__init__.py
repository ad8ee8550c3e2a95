"""The simulated instrument `elitech_rc5`: a shipper in `model`, its report in `server` and `workbook`."""

from cultureops_simulators.elitech_rc5.server import ElitechRc5, build

__all__ = ["ElitechRc5", "build"]
