"""The kinds of field that all records are made of: closed, strict, finite, in range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

from cultureops.clock import Instant, iso, parse_iso
from cultureops.errors import BatchError, ConfigError
from cultureops.units import UCUM

__all__ = [
    "INSTANT",
    "Details",
    "Name",
    "Quantity",
    "Text",
    "Time",
    "Unfit",
    "UnitCode",
    "check_reason",
    "data_of",
    "printable",
]

_LONGEST_TEXT: Final = 2_000
_LINES: Final = "\n\t"
"""What a text of several lines may hold besides printable characters."""
_LAST_INSTANT: Final = 253_402_300_799_999
_UNSPOKEN: Final = frozenset({"patient_token"})
"""Fields whose wrong contents are not repeated: they might be a name."""


def _instant(value: object) -> Instant:
    """Take an instant [ms] from code, or ISO 8601 text from a stored event."""
    if isinstance(value, str):
        try:
            value = parse_iso(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LAST_INSTANT:
        raise ValueError("expected a time from 1970 to 9999, in ms UTC or as ISO 8601 text")
    return value


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("expected printable characters that are not all blank")
    return text


def _text(text: str) -> str:
    found = next((char for char in text if not char.isprintable() and char not in _LINES), None)
    if found is not None:
        is_none = "is half a character" if "\ud800" <= found <= "\udfff" else "is none"
        raise ValueError(f"expected printable characters, line breaks and tabs only; U+{ord(found):04X} {is_none}")
    return text


def check_reason(reason: str) -> None:
    """Refuse a command's reason that is too long or holds what can't be printed; raises BatchError in one line."""
    if len(reason) > _LONGEST_TEXT:
        raise BatchError(f"reason: expected at most {_LONGEST_TEXT} characters, not {len(reason)}")
    try:
        _text(reason)
    except ValueError as error:
        raise BatchError(f"reason: {error}") from None


def printable(text: str, keep: str = "") -> str:
    """Return a text with every character escaped that can't be printed as it is, but for those to ``keep``.

    Terminals obey control characters and bidi marks: a record must not redraw the screen that shows it.
    """
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape", "backslashreplace").decode()
        for char in text
    )


def _unit(code: str) -> str:
    if code not in UCUM:
        raise ValueError(f"expected a UCUM code known here: {', '.join(UCUM)}")
    return code


Name: TypeAlias = Annotated[str, Field(strict=True, min_length=1, max_length=200), AfterValidator(_name)]
Text: TypeAlias = Annotated[str, Field(strict=True, max_length=_LONGEST_TEXT), AfterValidator(_text)]
Quantity: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1e9)]
UnitCode: TypeAlias = Annotated[str, Field(strict=True, max_length=40), AfterValidator(_unit)]
INSTANT: Final = "instant"
"""The format by which a schema tells a time from any other whole number."""
_SAID: Final = "ms since 1970 in UTC, or ISO 8601 text with an offset"
_IN_SCHEMA: Final = {"type": "integer", "format": INSTANT, "minimum": 0, "maximum": _LAST_INSTANT, "description": _SAID}
Time: TypeAlias = Annotated[
    Instant, BeforeValidator(_instant), PlainSerializer(iso), WithJsonSchema(_IN_SCHEMA, mode="validation")
]


class Unfit(BatchError):
    """Fields that don't hold what they should; ``problems`` says of each, by its dotted name, what was expected."""

    def __init__(self, message: str, problems: Mapping[str, str]) -> None:
        super().__init__(message)
        self.problems = problems


class Details(BaseModel):
    """The fields of one command or event; unknown fields are refused; raises Unfit that names the field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise Unfit(_one_line(type(self).__name__, error), _by_field(error)) from None


def data_of(details: Details) -> Mapping[str, Any]:
    """Return the fields as JSON values; times become ISO 8601 text, what is empty is left out."""
    return details.model_dump(mode="json", exclude_defaults=True)


def _by_field(error: ValidationError) -> dict[str, str]:
    """Return what is wrong with each field, by its dotted name; what was given is not repeated."""
    problems: dict[str, str] = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        said = "fill this in" if one["type"] == "missing" else one["msg"].removeprefix("Value error, ")
        for subject in ("Input ", "String ", "Value "):
            said = said.replace(subject, "this ") if said.startswith(subject) else said
        problems.setdefault(".".join(str(part) for part in one["loc"]), said)
    return problems


def _one_line(what: str, error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False)
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"]).encode("unicode_escape").decode() or "fields"
    secret = first["type"] in ("missing", "extra_forbidden") or where in _UNSPOKEN
    given = "" if secret else f", not {str(first['input'])[:60]!r}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{what}: {where}: {first['msg'].removeprefix('Value error, ')}{given}{more}"
