"""Units of measure as UCUM codes, and how a person reads them.

Source: The Unified Code for Units of Measure, https://ucum.org; only the codes cultureops uses.
"""

from __future__ import annotations

__all__ = ["UCUM", "label"]

UCUM: dict[str, str] = {
    "1": "",
    "%": "%",
    "Cel": "°C",
    "[ppm]": "ppm",
    "K": "K",
    "mm": "mm",
    "mL": "mL",
    "L": "L",
    "mg": "mg",
    "g": "g",
    "kg": "kg",
    "s": "s",
    "min": "min",
    "h": "h",
    "d": "d",
    "GBy": "GB",
    "V": "V",
    "hPa": "hPa",
    "{rev}/min": "rpm",
    "[pH]": "pH",
    "mL/min": "mL/min",
    "/h": "/h",
    "10*6": "×10⁶",
    "10*6/mL": "×10⁶/mL",
    "{particles}": "particles",
    "{cells}": "cells",
    "{cells}/mL": "cells/mL",
    "{cells}/cm2": "cells/cm²",
}


def label(code: str) -> str:
    """Return what a person reads for a UCUM code; an unknown code is shown as it is."""
    return UCUM.get(code, code)
