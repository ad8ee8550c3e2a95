"""Sparkplug B payloads: metrics into bytes, and the one command out of bytes. Pure.

The messages are described here by their field numbers and encoded by Google's protobuf. What we never say (data sets,
templates, metadata) is not described; a reader of ours leaves it aside.

Source: Eclipse Sparkplug Specification 3.0.0, section 6.4 (Google Protocol Buffer schema, data types, quality codes).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from cultureops.clock import Instant

__all__ = ["LONGEST_COMMAND_BYTES", "REBIRTH", "DataType", "Metric", "encoded", "wants_rebirth"]

REBIRTH: Final = "Node Control/Rebirth"
LONGEST_COMMAND_BYTES: Final = 65_536
"""A command for a rebirth takes some 30 bytes; longer ones are not even looked at [OWN]."""


class DataType(IntEnum):
    """The data types that we say (section 6.4.16)."""

    INT32 = 3
    INT64 = 4
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; ``value`` None is null. ``alias`` None is a metric that is always called by its name.

    ``properties`` are told in birth and data alike, ``birth_properties`` in births alone.
    """

    name: str
    alias: int | None
    at: Instant
    type: DataType
    value: float | int | bool | str | None
    properties: tuple[tuple[str, int | str | bool], ...] = ()
    birth_properties: tuple[tuple[str, int | str | bool], ...] = ()


_OPTIONAL: Final = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
_REPEATED: Final = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
_KINDS: Final = {
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
}
_FIELDS: Final[dict[str, tuple[tuple[str, int, str], ...]]] = {
    "PropertyValue": (
        ("type", 1, "uint32"),
        ("is_null", 2, "bool"),
        ("int_value", 3, "uint32"),
        ("long_value", 4, "uint64"),
        ("double_value", 6, "double"),
        ("boolean_value", 7, "bool"),
        ("string_value", 8, "string"),
    ),
    "PropertySet": (("keys", 1, "string*"), ("values", 2, "PropertyValue*")),
    "Metric": (
        ("name", 1, "string"),
        ("alias", 2, "uint64"),
        ("timestamp", 3, "uint64"),
        ("datatype", 4, "uint32"),
        ("is_null", 7, "bool"),
        ("properties", 9, "PropertySet"),
        ("int_value", 10, "uint32"),
        ("long_value", 11, "uint64"),
        ("double_value", 13, "double"),
        ("boolean_value", 14, "bool"),
        ("string_value", 15, "string"),
    ),
    "Payload": (("timestamp", 1, "uint64"), ("metrics", 2, "Metric*"), ("seq", 3, "uint64")),
}
_VALUE_FIELD: Final = {
    DataType.INT32: "int_value",
    DataType.INT64: "long_value",
    DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.STRING: "string_value",
}


@cache
def _payload_class() -> Any:
    """Return the class of payloads, in a pool of its own: no other description of the same messages is disturbed."""
    package = "cultureops.sparkplug"
    file = descriptor_pb2.FileDescriptorProto(name="cultureops_sparkplug.proto", package=package, syntax="proto2")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            label, kind = (_REPEATED if kind.endswith("*") else _OPTIONAL), kind.rstrip("*")
            added = message.field.add(name=field, number=number, label=label)
            if kind in _KINDS:
                added.type = _KINDS[kind]
            else:
                added.type, added.type_name = added.TYPE_MESSAGE, f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Payload"))


def encoded(at: Instant | None, seq: int | None, metrics: Iterable[Metric], *, is_birth: bool) -> bytes:
    """Write a payload; births tell name and data type, data the alias alone where there is one (section 6.4.6).

    Without ``at`` and ``seq`` it is more of a payload: set behind one another, both are one, as protobuf has it.
    """
    payload = _payload_class()()
    if at is not None:
        payload.timestamp = at
    if seq is not None:
        payload.seq = seq
    for metric in metrics:
        said = payload.metrics.add()
        if is_birth or metric.alias is None:
            said.name = metric.name
        if metric.alias is not None:
            said.alias = metric.alias
        said.timestamp = metric.at
        if is_birth:
            said.datatype = metric.type
        if metric.value is None:
            said.is_null = True
        else:
            setattr(said, _VALUE_FIELD[metric.type], metric.value)
        for key, value in (*metric.properties, *(metric.birth_properties if is_birth else ())):
            said.properties.keys.append(key)
            _property(said.properties.values.add(), value)
    written: bytes = payload.SerializeToString()
    return written


def _property(said: Any, value: int | str | bool) -> None:
    match value:
        case bool():
            said.type, said.boolean_value = DataType.BOOLEAN, value
        case int():
            said.type, said.int_value = DataType.INT32, value
        case str():
            said.type, said.string_value = DataType.STRING, value


def wants_rebirth(payload: bytes) -> bool:
    """Say whether a node command asks for a rebirth; whatever else it asks for, or is, is not heard."""
    if len(payload) > LONGEST_COMMAND_BYTES:
        return False
    try:
        command = _payload_class().FromString(payload)
    except DecodeError:
        return False
    return any(metric.name == REBIRTH and metric.boolean_value for metric in command.metrics)
