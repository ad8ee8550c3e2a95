"""JSON that came over the wire, read value by value and believed in nothing. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cultureops.errors import StorageError
from cultureops.ledger.event import MAX_INTEGER, JsonValue

__all__ = ["MAX_BODY", "Fields", "Malformed", "dumps", "loads", "with_head", "without_head"]

MAX_BODY: Final = 4 * 2**20
"""No request and no answer is longer [bytes]."""

_LENGTH_BYTES: Final = 4
_HEX: Final = re.compile(r"[0-9a-f]*")


class Malformed(StorageError):
    """What the other side sent is not of this protocol."""


class Fields:
    """An object of a message; every accessor raises Malformed, which names the key."""

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, dict):
            raise Malformed(f"{where}: {type(values).__name__} where an object is expected")
        self._values: dict[str, Any] = values
        self._where = where

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def raw(self) -> Mapping[str, JsonValue]:
        """Return the object as it is."""
        return self._values

    def text(self, key: str, longest: int = 200) -> str:
        """Return a printable text of 1 to ``longest`` characters."""
        found = self._values.get(key)
        if not isinstance(found, str) or not 0 < len(found) <= longest or not found.isprintable():
            raise self._error(key, f"a printable text of 1 to {longest} characters")
        return found

    def prose(self, key: str, longest: int = 2000) -> str:
        """Return a text that may be empty, cut to ``longest`` characters on one line."""
        found = self._values.get(key)
        if not isinstance(found, str):
            raise self._error(key, "a text")
        return " ".join("".join(char if char.isprintable() else " " for char in found[:longest]).split())

    def integer(self, key: str, low: int = 0, high: int = MAX_INTEGER) -> int:
        """Return a whole number from ``low`` to ``high``."""
        found = self._values.get(key)
        if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
            raise self._error(key, f"a whole number from {low} to {high}")
        return found

    def flag(self, key: str) -> bool:
        """Return true or false."""
        found = self._values.get(key)
        if not isinstance(found, bool):
            raise self._error(key, "true or false")
        return found

    def hex(self, key: str, size: int) -> str:
        """Return ``size`` bytes in small hex digits."""
        found = self._values.get(key)
        if not isinstance(found, str) or len(found) != 2 * size or not _HEX.fullmatch(found):
            raise self._error(key, f"{size} bytes in hex")
        return found

    def fields(self, key: str) -> Fields:
        """Return an object."""
        return Fields(self._values.get(key), f"{self._where}.{key}")

    def items(self, key: str, most: int) -> Iterator[Fields]:
        """Yield the objects of a list of at most ``most``."""
        for index, item in enumerate(self._list(key, most)):
            yield Fields(item, f"{self._where}.{key}[{index}]")

    def texts(self, key: str, most: int, longest: int = 200) -> tuple[str, ...]:
        """Return a list of at most ``most`` printable texts."""
        found = self._list(key, most)
        if not all(isinstance(text, str) and 0 < len(text) <= longest and text.isprintable() for text in found):
            raise self._error(key, f"a list of printable texts of 1 to {longest} characters")
        return tuple(found)

    def keys(self, most: int, longest: int = 200) -> tuple[str, ...]:
        """Return the keys, at most ``most`` printable ones."""
        found = tuple(self._values)
        if len(found) > most or not all(0 < len(key) <= longest and key.isprintable() for key in found):
            raise Malformed(f"{self._where}: expected at most {most} printable keys of 1 to {longest} characters")
        return found

    def _list(self, key: str, most: int) -> Sequence[Any]:
        found = self._values.get(key)
        if not isinstance(found, list) or len(found) > most:
            raise self._error(key, f"a list of at most {most}")
        return found

    def _error(self, key: str, expected: str) -> Malformed:
        return Malformed(f"{self._where}.{key}: expected {expected}, not {str(self._values.get(key))[:40]!r}")


def dumps(values: Mapping[str, JsonValue]) -> bytes:
    """Write a message."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def loads(body: bytes, where: str) -> Fields:
    """Read a message; raises Malformed for what is no JSON object, or names a key twice."""
    try:
        values = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refused)
        json.dumps(values, ensure_ascii=False).encode()  # raises for half a character
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{where}: not JSON as expected here: {str(error)[:100]}") from None
    return Fields(values, where)


def with_head(head: Mapping[str, JsonValue], rest: bytes) -> bytes:
    """Put a JSON head before bytes: its length [u32 big-endian], itself, the bytes."""
    packed = dumps(head)
    return len(packed).to_bytes(_LENGTH_BYTES, "big") + packed + rest


def without_head(body: bytes, where: str) -> tuple[Fields, bytes]:
    """Take apart what ``with_head`` put together; raises Malformed."""
    end = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "big")
    if len(body) < _LENGTH_BYTES or end > len(body):
        raise Malformed(f"{where}: {len(body)} bytes end before their head does")
    return loads(body[_LENGTH_BYTES:end], where), body[end:]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refused(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
