"""What the lines of ``events.jsonl`` look like, as JSON Schema (draft 2020-12), from the vocabularies themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from cultureops.batch.events import EVENTS as OF_BATCHES
from cultureops.equipment.events import EVENTS as OF_EQUIPMENT
from cultureops.equipment.events import PREFIX as EQUIPMENT
from cultureops.material.events import EVENTS as OF_LOTS
from cultureops.material.events import PREFIX as LOTS

__all__ = ["event_schema"]

_HASH: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 200}
_NAMES: Final = {"type": "array", "items": _NAME, "minItems": 1, "uniqueItems": True}
_TIME: Final = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
_ENVELOPE: Final[dict[str, Any]] = {
    "algorithm": {"const": "sha256"},
    "position": {"type": "integer", "minimum": 1, "description": "counts all events of the ledger, without gaps"},
    "stream": _NAME,
    "version": {"type": "integer", "minimum": 1, "description": "counts the stream's events, without gaps"},
    "previous_stream_hash": _HASH | {"description": "chain hash of the stream's event before; SHA-256 of nothing"},
    "event_id": _NAME,
    "type": _NAME,
    "schema_version": {"type": "integer", "minimum": 1},
    "data": {"type": "object"},
    "actor": {
        "type": "object",
        "properties": {"id": _NAME, "role": _NAME},
        "required": ["id", "role"],
        "additionalProperties": False,
    },
    "source": {"enum": ["human", "device", "import", "system"]},
    "occurred_at": _TIME | {"description": "when it happened, UTC"},
    "recorded_at": _TIME | {"description": "when it was recorded, UTC"},
    "reason": {"type": "string"},
    "origin": _NAME | {"description": "the node whose ledger it is"},
    "claims": _NAMES,
    "releases": _NAMES,
}
_OPTIONAL: Final = ("claims", "releases")


@cache
def event_schema() -> dict[str, Any]:
    """Return the schema of one line: the envelope, and by stream and type the data; other types are any object."""
    definitions: dict[str, Any] = {}
    rules = []
    for prefix, kind, model in _vocabularies():
        name = f"{prefix}{kind}"
        found = model.model_json_schema(ref_template=f"#/$defs/{name}/$defs/{{model}}", mode="serialization")
        # Whoever signs an event signs inside it, whatever its type.
        if "properties" in found:
            found["properties"] = {**found["properties"], "signatures": {"type": "array", "items": {"type": "object"}}}
        definitions[name] = found
        matches = {"stream": {"pattern": f"^{prefix}"}, "type": {"const": kind}}
        rules.append(
            {
                "if": {"properties": matches, "required": ["stream", "type"]},
                "then": {"properties": {"data": {"$ref": f"#/$defs/{name}"}}},
            }
        )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One event of a cultureops ledger, in the canonical form of RFC 8785",
        "type": "object",
        "properties": _ENVELOPE,
        "required": [name for name in _ENVELOPE if name not in _OPTIONAL],
        "additionalProperties": False,
        "allOf": rules,
        "$defs": definitions,
    }


def _vocabularies() -> Iterator[tuple[str, str, type[BaseModel]]]:
    vocabularies: tuple[tuple[str, Mapping[str, type[BaseModel]]], ...] = (
        ("batch:", OF_BATCHES),
        (EQUIPMENT, OF_EQUIPMENT),
        (LOTS, OF_LOTS),
    )
    for prefix, events in vocabularies:
        for kind, model in events.items():
            yield prefix, kind, model
