"""One module per contestant: how it is started, fed and asked. Each is driven by a worker process of its own."""

from importlib import import_module
from typing import Any, Final

__all__ = ["CLASSES", "contestant"]

CLASSES: Final = {
    "cultureops": ("embedded", "Embedded"),
    "cultureops-reader": ("embedded", "EmbeddedReader"),
    "duckdb": ("duck", "Duck"),
    "flat": ("flat_log", "FlatLog"),
    "influxdb": ("influx", "Influx"),
    "victoriametrics": ("victoria", "Victoria"),
}
"""Module and class by the name that the worker program takes."""


def contestant(name: str, at: str) -> Any:
    """Open a contestant at a path or port; what the others need is not imported."""
    module, title = CLASSES[name]
    return getattr(import_module(f"benchmarks.contestants.{module}"), title)(at)
