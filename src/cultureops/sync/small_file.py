"""A few values that outlive a power cut, in a JSON file that is replaced whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from cultureops.durable_file import replace_file

__all__ = ["load", "save"]

log = structlog.get_logger(__name__)


def load(path: Path) -> Mapping[str, Any]:
    """Return the stored values; none where there is no file, or none that can be read, which is logged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("a file can't be read; it is begun anew", file=str(path), error=str(error))
        return {}
    return found


def save(path: Path, values: Mapping[str, str | int | None]) -> None:
    """Replace the stored values, whole and durable; raises OSError."""
    replace_file(path, json.dumps(values) + "\n")
