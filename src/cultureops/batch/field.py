"""The kinds of field that commands and events of batches are made of, with those of all records."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cultureops.field import Details, Name, Text, Time

__all__ = [
    "BATCH_ID",
    "BatchId",
    "Cells",
    "Celsius",
    "Density",
    "Details",
    "Flag",
    "Hours",
    "Kilograms",
    "Millilitres",
    "Minutes",
    "Name",
    "Part",
    "PatientToken",
    "Percent",
    "SampleName",
    "Scans",
    "Sha256",
    "Text",
    "Time",
    "Whole",
]

BATCH_ID: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}"
_PATIENT_TOKEN: Final = re.compile(r"(?=.*[0-9])(?!.*[A-Z]{5})[A-Z0-9][A-Z0-9-]{3,19}")
"""Short, with a digit, and without a run of letters that is long enough for most names."""
_MAX_CELLS: Final = 10**13


def _no_negative_zero(number: float) -> float:
    if number == 0 and math.copysign(1.0, number) < 0:
        raise ValueError("a negative zero is no measurement")
    return number


def _patient_token(text: str) -> str:
    if not _PATIENT_TOKEN.fullmatch(text):
        raise ValueError(
            "expected a token such as COI-7F3K2, never a name: 4 to 20 capitals, digits and dashes, with a digit and "
            "at most 4 letters in a row"
        )
    return text


def _number(minimum: float, maximum: float) -> Any:
    return Field(strict=True, allow_inf_nan=False, ge=minimum, le=maximum)


def _above_zero(maximum: float) -> Any:
    return Field(strict=True, allow_inf_nan=False, gt=0, le=maximum)


def _text(pattern: str, longest: int) -> Any:
    return Field(strict=True, min_length=1, max_length=longest, pattern=f"^(?:{pattern})$")


_Number: TypeAlias = Annotated[float, AfterValidator(_no_negative_zero)]
Percent: TypeAlias = Annotated[_Number, _number(0, 100)]
Celsius: TypeAlias = Annotated[float, _number(-273.15, 200)]
Millilitres: TypeAlias = Annotated[float, _above_zero(100_000)]
Minutes: TypeAlias = Annotated[_Number, _number(0, 100_000)]
Hours: TypeAlias = Annotated[_Number, _number(0, 100_000)]
Kilograms: TypeAlias = Annotated[float, _above_zero(400)]
Density: TypeAlias = Annotated[_Number, _number(0, 10_000)]
"""10^6 cells per mL."""
Cells: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=_MAX_CELLS)]
Whole: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
SampleName: TypeAlias = Annotated[str, _text(r"[A-Za-z0-9][A-Za-z0-9_.-]*", 80)]
Sha256: TypeAlias = Annotated[str, _text(r"[0-9a-f]{64}", 64)]
BatchId: TypeAlias = Annotated[str, _text(BATCH_ID, 40)]
PatientToken: TypeAlias = Annotated[str, Field(strict=True), AfterValidator(_patient_token)]
Scans: TypeAlias = tuple[Name, Name]
"""What two independent scans of labels read, as they read it."""


class Part(BaseModel):
    """A group of fields: unknown fields, NaN and values out of range are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
