"""What the demo prints when the batch is closed: one JSON object."""

from __future__ import annotations

__all__ = ["summarise"]
