"""A logger's file, read by a mapping: contents in, trace out, no I/O but for the mapping."""

from __future__ import annotations

import hashlib
from zoneinfo import ZoneInfo

from cultureops.device.trace import Trace
from cultureops_drivers.shipper_logger.mapping import find_mapping, load_mapping
from cultureops_drivers.shipper_logger.rows import trace_of
from cultureops_drivers.shipper_logger.sheet import read_sheet

__all__ = ["read_trace"]


def read_trace(contents: bytes, file: str, mapping: str, zone: ZoneInfo | None) -> Trace:
    """Read one logger file (see TraceReader); ``mapping`` is a shipped one's name or a .toml file's path."""
    described = load_mapping(find_mapping(mapping))
    sheet = read_sheet(contents, file, described)
    return trace_of(sheet, file, hashlib.sha256(contents).hexdigest(), described, zone)
