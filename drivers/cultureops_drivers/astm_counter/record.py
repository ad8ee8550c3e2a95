"""Records of ASTM E1394 (CLSI LIS02-A2): lines that end with CR, whose delimiters the header names. Pure.

Source: ASTM E1394 as implemented by senaite.astm b701c18; a header reads ``H|\\^&|||...``, ``L|1|N`` ends a message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cultureops.errors import ProtocolError

__all__ = ["Address", "Delimiters", "Message", "Record", "parse_address", "parse_messages"]

_ADDRESS: Final = re.compile(r"([A-Z])\.([1-9][0-9]?)(?:\.([1-9][0-9]?))?")


@dataclass(frozen=True, slots=True)
class Delimiters:
    """What divides fields, repeats and components, and what starts an escape."""

    field: str
    repeat: str
    component: str
    escape: str


@dataclass(frozen=True, slots=True)
class Address:
    """A place in a record: ``R.4`` is field 4 of a result, ``R.3.4`` its third field's fourth component.

    Fields count from 1, the record's letter being field 1.
    """

    record: str
    field: int
    component: int | None


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its letter and its fields as they stand, escapes and all."""

    fields: tuple[str, ...]
    delimiters: Delimiters

    @property
    def type(self) -> str:
        """The letter: H, P, O, R, C, Q, M, S or L."""
        return self.fields[0]

    def text(self, address: Address) -> str:
        """Return what stands at an address, "" where the record is shorter; raise ProtocolError for repeats."""
        field = self.fields[address.field - 1] if address.field <= len(self.fields) else ""
        marks = self.delimiters
        if marks.repeat in field:
            raise ProtocolError(f"field {address.field} of record {self.type} is repeated; expected one value")
        if address.component is None:
            return _unescaped(field, marks)
        components = field.split(marks.component)
        return _unescaped(components[address.component - 1], marks) if address.component <= len(components) else ""


@dataclass(frozen=True, slots=True)
class Message:
    """Records from H to L."""

    records: tuple[Record, ...]


def parse_address(text: str) -> Address | None:
    """Read an address such as ``R.4`` or ``R.3.4``; None for what is none."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    return Address(found[1], int(found[2]), int(found[3]) if found[3] else None)


def parse_messages(contents: bytes, encoding: str) -> tuple[Message, ...]:
    """Divide what one session carried into messages; raise ProtocolError for what is none."""
    try:
        text = contents.decode(encoding)
    except UnicodeDecodeError as error:
        raise ProtocolError(f"byte {error.start} is no {encoding}; set option 'encoding'") from None
    messages: list[Message] = []
    open_records: list[Record] = []
    for line in filter(None, (line.strip("\n") for line in text.split("\r"))):
        if not open_records:
            marks = _delimiters(line)
        elif line[0] == "H":
            raise ProtocolError("a header came before the terminator L of the message before")
        is_header = line[0] == "H"
        fields = ("H", line[2:5], *line[6:].split(marks.field)) if is_header else tuple(line.split(marks.field))
        open_records.append(Record(fields, marks))
        if len(open_records[-1].type) != 1 or not open_records[-1].type.isupper():
            raise ProtocolError(f"{line[:20]!r} begins with no record letter")
        if open_records[-1].type == "L":
            messages.append(Message(tuple(open_records)))
            open_records.clear()
    if open_records:
        raise ProtocolError("the message lacks its terminator record L")
    if not messages:
        raise ProtocolError("the session carried no record")
    return tuple(messages)


def _delimiters(header: str) -> Delimiters:
    """Read the delimiters that a header names; raise ProtocolError for a line that is no header."""
    marks = header[1:5]
    if header[0] != "H" or len(set(marks)) != 4 or any(mark.isalnum() or mark.isspace() for mark in marks):
        raise ProtocolError(f"expected a header such as 'H|\\^&', got {header[:20]!r}")
    if len(header) > 5 and header[5] != marks[0]:
        raise ProtocolError(f"the delimiters of the header {header[:20]!r} are not followed by {marks[0]!r}")
    return Delimiters(*marks)


def _unescaped(text: str, marks: Delimiters) -> str:
    """Replace escapes such as ``&F&`` by the delimiters they stand for; raise ProtocolError for others."""
    if marks.escape not in text:
        return text
    known = {"F": marks.field, "R": marks.repeat, "S": marks.component, "E": marks.escape}
    parts = text.split(marks.escape)
    if len(parts) % 2 == 0 or any(part not in known for part in parts[1::2]):
        raise ProtocolError(f"{text[:40]!r} holds an escape that is not one of F, R, S, E")
    return "".join(known[part] if at % 2 else part for at, part in enumerate(parts))
