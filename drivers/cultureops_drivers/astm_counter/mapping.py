"""Which field of a message is which quantity: a mapping file, and the counts it makes of a message.

A mapping is TOML: ``[mapping]`` with ``instrument source encoding`` and optionally ``example = true``; ``[sample_id]``
with ``field``; ``[counted_at]`` with ``field format``; optionally ``[status]`` with ``field final``; and one
``[[quantity]]`` per number with ``name field code_field code unit_field unit factor``. Field semantics differ from
analyser to analyser and come from its host interface specification.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cultureops.device.driver import CountResult
from cultureops.device.plausibility import flagged
from cultureops.device.table import Table, load_table
from cultureops.errors import ConfigError, ProtocolError
from cultureops_drivers.astm_counter.record import Address, Message, Record, parse_address, parse_messages

__all__ = ["QUANTITIES", "AstmMapping", "Quantity", "counts_of", "find_mapping", "load_mapping"]

QUANTITIES: Final = (
    "viability_pct",
    "viable_density_1e6_per_ml",
    "total_density_1e6_per_ml",
    "viable_cells",
    "total_cells",
    "average_diameter_um",
)
_WHOLE: Final = ("viable_cells", "total_cells")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_FOLDER: Final = Path(__file__).parent / "mappings"
_ORDER: Final = "O"
_RESULT: Final = "R"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number: the result whose ``code_field`` reads ``code``, in ``unit`` as written there, times ``factor``."""

    name: str
    field: Address
    code_field: Address
    code: str
    unit_field: Address
    unit: str
    factor: float


@dataclass(frozen=True, slots=True)
class AstmMapping:
    """One analyser's fields; ``status`` tells final results, None where the analyser sends no others."""

    file: str
    instrument: str
    source: str
    encoding: str
    is_example: bool
    sample_id: Address
    counted_at: Address
    time_format: str
    status: tuple[Address, str] | None
    quantities: tuple[Quantity, ...]


def find_mapping(name: str) -> Path:
    """Return the file of a mapping, shipped (by name) or the user's own (by path ending in .toml)."""
    return Path(name) if name.endswith(".toml") else _FOLDER / f"{name}.toml"


def load_mapping(path: Path) -> AstmMapping:
    """Read a mapping; raise ConfigError with file and line for a wrong one."""
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in _FOLDER.glob("*.toml")))
        raise ConfigError(f"{path}: no such mapping; name a file that ends in .toml or one of: {known}")
    top = load_table(path)
    about, sample, counted, status = (
        top.table("mapping"), top.table("sample_id"), top.table("counted_at"), top.optional_table("status"),
    )  # fmt: skip
    mapping = AstmMapping(
        file=path.name,
        instrument=about.text("instrument"),
        source=about.text("source"),
        encoding=about.text("encoding", "ascii"),
        is_example=about.flag("example", False),
        sample_id=_address(sample, "field"),
        counted_at=_address(counted, "field"),
        time_format=counted.text("format"),
        status=None if status is None else (_address(status, "field"), status.text("final")),
        quantities=tuple(_quantity(row) for row in top.tables("quantity")),
    )
    for table in (about, sample, counted, status, top):
        if table is not None:
            table.done()
    names = [quantity.name for quantity in mapping.quantities]
    if len(set(names)) != len(names) or not {"viability_pct", "viable_density_1e6_per_ml"} <= set(names):
        raise top.error("each name once, viability_pct and viable_density_1e6_per_ml among them", "quantity")
    return mapping


def _quantity(row: Table) -> Quantity:
    quantity = Quantity(
        name=row.text("name", choices=QUANTITIES),
        field=_address(row, "field"),
        code_field=_address(row, "code_field"),
        code=row.text("code"),
        unit_field=_address(row, "unit_field"),
        unit=row.text("unit"),
        factor=row.number("factor", 1.0, minimum=1e-12, maximum=1e12),
    )
    row.done()
    return quantity


def _address(table: Table, key: str) -> Address:
    text = table.text(key)
    found = parse_address(text)
    if found is None:
        raise table.error(f"expected a place such as R.4 or R.3.4, not {text!r}", key)
    return found


def counts_of(contents: bytes, file: str, mapping: AstmMapping) -> tuple[CountResult, ...]:
    """Return one count for each order of a session, in its order.

    Raises ProtocolError for what is no message, a result without an order, a unit or time other than the mapping
    says, and an order that gives one quantity twice.
    """
    sha256 = hashlib.sha256(contents).hexdigest()
    counts = tuple(
        _count(group, file, sha256, mapping)
        for message in parse_messages(contents, mapping.encoding)
        for group in _orders(message)
    )
    if not counts:
        raise ProtocolError("holds no order with results")
    return counts


def _orders(message: Message) -> Iterator[Sequence[Record]]:
    """Yield each order that has results with what it stands under: header, patient, order, then its results."""
    header, patient, group = message.records[0], None, list[Record]()
    for record in (*message.records, None):
        if record is None or record.type in "POL":
            if any(row.type == _RESULT for row in group):
                yield tuple(row for row in (header, patient, *group) if row is not None)
            group = []
        if record is None:
            return
        if record.type == "P":
            patient = record
        elif record.type == _ORDER:
            group = [record]
        elif record.type == _RESULT:
            if not group:
                raise ProtocolError("a result came without its order")
            group.append(record)


def _count(group: Sequence[Record], file: str, sha256: str, mapping: AstmMapping) -> CountResult:
    numbers: dict[str, float] = {}
    wrong: list[str] = ["example_mapping"] if mapping.is_example else []
    results = [record for record in group if record.type == _RESULT]
    for quantity in mapping.quantities:
        found = [record for record in results if record.text(quantity.code_field) == quantity.code]
        if len(found) > 1:
            raise ProtocolError(f"result {quantity.code!r} stands {len(found)} times in one order; expected once")
        for record in found:
            value = _number(record, quantity)
            if value is None:
                wrong.append(f"{quantity.name}_not_a_number")
            else:
                numbers[quantity.name] = value
    if mapping.status is not None:
        field, final = mapping.status
        if any(record.text(field) != final for record in results):
            wrong.append("result_not_final")
    viable, total = (_whole(numbers.get(name)) for name in _WHOLE)
    wrong += [f"{name}_not_whole" for name in _WHOLE if name in numbers and _whole(numbers[name]) is None]
    result = CountResult(
        sample_id=_one_text(group, mapping.sample_id).strip(),
        counted_at_local=_time(_one_text(group, mapping.counted_at), mapping.time_format),
        viability_pct=numbers.get("viability_pct"),
        viable_density_1e6_per_ml=numbers.get("viable_density_1e6_per_ml"),
        total_density_1e6_per_ml=numbers.get("total_density_1e6_per_ml"),
        viable_cells=viable,
        total_cells=total,
        average_diameter_um=numbers.get("average_diameter_um"),
        source_file=file,
        source_sha256=sha256,
    )
    return flagged(result, tuple(wrong))


def _one_text(group: Sequence[Record], address: Address) -> str:
    """Return what all records of the address's letter agree on."""
    found = {record.text(address) for record in group if record.type == address.record}
    if len(found) > 1:
        raise ProtocolError(f"field {address.field} of records {address.record} differs within one order")
    return found.pop() if found else ""


def _number(record: Record, quantity: Quantity) -> float | None:
    unit = record.text(quantity.unit_field)
    if unit != quantity.unit:
        raise ProtocolError(f"result {quantity.code!r} is in {unit!r}, the mapping expects {quantity.unit!r}")
    text = record.text(quantity.field).strip()
    if _NUMBER.fullmatch(text) is None:
        return None
    return float(text) * quantity.factor


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and value.is_integer() else None


def _time(text: str, time_format: str) -> str:
    """Return a time as ISO 8601 without offset; what the format would not write itself is refused."""
    try:
        stamp = datetime.strptime(text, time_format)
        if stamp.strftime(time_format) != text:
            raise ValueError
    except ValueError:
        raise ProtocolError(f"{text!r} is no time of the form {time_format}") from None
    return stamp.isoformat(timespec="seconds")
