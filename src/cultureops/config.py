"""TOML files as tables that know their line numbers, so that every complaint names file and line.

This module knows no section: each package reads and validates its own.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from cultureops.errors import ConfigError

__all__ = ["Table", "load", "parse"]

_PARSER: Final = Parser(Language(tree_sitter_toml.language()))

_Path = tuple[str | int, ...]
T = TypeVar("T")


class _Required:
    """The default of a key that must be there."""


REQUIRED: Final = _Required()


def load(path: Path) -> Table:
    """Read a TOML file; raise ConfigError when it is absent, not UTF-8 or not TOML."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; give the path of an existing TOML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read as UTF-8 text: {error}") from None
    return parse(text, str(path))


def parse(text: str, file: str) -> Table:
    """Read TOML text; ``file`` is the name that errors show."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from None
    return Table(file, (), values, dict(_lines(_PARSER.parse(text.encode()).root_node)))


def _lines(root: Node) -> Iterator[tuple[_Path, int]]:
    """Yield the line of every table and key of a syntax tree, by its path."""
    counts: dict[_Path, int] = {}
    yield (), 1
    for node in root.named_children:
        line = node.start_point.row + 1
        if node.type == "pair":
            yield from _pair_lines(node, ())
        elif node.type in ("table", "table_array_element"):
            path = _resolve(_key_path(node.named_children[0]), counts, node.type == "table_array_element")
            yield path, line
            for child in node.named_children[1:]:
                if child.type == "pair":
                    yield from _pair_lines(child, path)


def _pair_lines(pair: Node, prefix: _Path) -> Iterator[tuple[_Path, int]]:
    key, value = pair.named_children[0], pair.named_children[1]
    path: _Path = prefix
    for part in _key_path(key):
        path = (*path, part)
        yield path, pair.start_point.row + 1
    yield from _value_lines(value, path)


def _value_lines(value: Node, path: _Path) -> Iterator[tuple[_Path, int]]:
    if value.type == "inline_table":
        for child in value.named_children:
            if child.type == "pair":
                yield from _pair_lines(child, path)
    elif value.type == "array":
        for index, item in enumerate(child for child in value.named_children if child.type != "comment"):
            yield (*path, index), item.start_point.row + 1
            yield from _value_lines(item, (*path, index))


def _resolve(parts: Sequence[str], counts: dict[_Path, int], is_array: bool) -> _Path:
    """Put the index of the current array element after each name that is an array of tables."""
    path: _Path = ()
    for position, part in enumerate(parts):
        path = (*path, part)
        if is_array and position == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _key_path(key: Node) -> tuple[str, ...]:
    if key.type == "dotted_key":
        return tuple(part for child in key.named_children for part in _key_path(child))
    text = (key.text or b"").decode()
    if key.type == "quoted_key":
        return (str(next(iter(tomllib.loads(f"{text} = 0")))),)
    return (text,)


class Table:
    """One table of a TOML file: typed access to its keys, errors with file and line.

    Every accessor raises ConfigError when the key is absent and has no default, or is not of the asked kind.
    """

    def __init__(self, file: str, path: _Path, values: Mapping[str, Any], lines: Mapping[_Path, int]) -> None:
        self.file = file
        self.path = path
        self._values = values
        self._lines = lines
        self._asked: set[str] = set()

    @property
    def line(self) -> int:
        """The line on which this table starts (from 1)."""
        return self._line_of(self.path)

    def _line_of(self, path: _Path) -> int:
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def error(self, message: str, key: str | None = None) -> ConfigError:
        """Build the error that names file, line, section and key."""
        path = self.path if key is None else (*self.path, key)
        names = ".".join(str(part) for part in self.path if isinstance(part, str))
        where = " ".join(part for part in (f"[{names}]" if names else "", key or "") if part)
        return ConfigError(f"{self.file}:{self._line_of(path)}: {where + ': ' if where else ''}{message}")

    def but(self, *, without: Iterable[str] = (), **defaults: object) -> Table:
        """Return this table without some keys and with values for keys that are absent; lines stay as they are."""
        left_out = frozenset(without)
        kept = {key: value for key, value in self._values.items() if key not in left_out}
        return Table(self.file, self.path, defaults | kept, self._lines)

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self._values

    def keys(self) -> Iterable[str]:
        """The keys in file order."""
        return self._values.keys()

    def raw(self) -> dict[str, Any]:
        """Return the table as plain values and count every key as asked for."""
        self._asked.update(self._values)
        return dict(self._values)

    def _get(self, key: str, default: T | _Required, kinds: tuple[type, ...], expected: str) -> Any:
        self._asked.add(key)
        if key not in self._values:
            if isinstance(default, _Required):
                raise self.error(f"is missing; expected {expected}", key)
            return default
        value = self._values[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.error(f"expected {expected}, not {value!r}", key)
        return value

    def text(self, key: str, default: str | _Required = REQUIRED, *, choices: Sequence[str] | None = None) -> str:
        """Return a text, one of ``choices`` where given."""
        expected = f"one of {', '.join(choices)}" if choices else "a text in quotes"
        value: str = self._get(key, default, (str,), expected)
        if choices is not None and key in self._values and value not in choices:
            raise self.error(f"expected {expected}, not {value!r}", key)
        return value

    def number(
        self,
        key: str,
        default: float | _Required = REQUIRED,
        *,
        minimum: float = -math.inf,
        maximum: float = math.inf,
    ) -> float:
        """Return a finite number within the bounds."""
        value = float(self._get(key, default, (int, float), "a number"))
        if key in self._values:
            self._check_bounds(key, value, minimum, maximum)
        return value

    def integer(
        self,
        key: str,
        default: int | _Required = REQUIRED,
        *,
        minimum: float = -math.inf,
        maximum: float = math.inf,
    ) -> int:
        """Return a whole number within the bounds."""
        value: int = self._get(key, default, (int,), "a whole number")
        if key in self._values:
            self._check_bounds(key, value, minimum, maximum)
        return value

    def _check_bounds(self, key: str, value: float, minimum: float, maximum: float) -> None:
        if not math.isfinite(value) or not minimum <= value <= maximum:
            raise self.error(f"expected a number from {minimum:g} to {maximum:g}, not {value:g}", key)

    def flag(self, key: str, default: bool | _Required = REQUIRED) -> bool:
        """Return true or false."""
        value: bool = self._get(key, default, (bool,), "true or false")
        return value

    def time(self, key: str) -> datetime:
        """Return a date-time, TOML's own or an ISO 8601 text; it has no zone where none is stated."""
        expected = "a date-time such as 2026-01-05T08:00:00Z"
        value: str | datetime = self._get(key, REQUIRED, (str, datetime), expected)
        try:
            return datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            raise self.error(f"expected {expected}, not {value!r}", key) from None

    def texts(self, key: str, default: Sequence[str] | _Required = ()) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self._get(key, default, (list, tuple), "a list of texts")
        if not all(isinstance(value, str) for value in values):
            raise self.error(f"expected a list of texts, not {values!r}", key)
        return tuple(values)

    def numbers(
        self, key: str, default: Sequence[float] | _Required = (), *, nan_allowed: bool = False
    ) -> tuple[float, ...]:
        """Return a list of finite numbers, and of nan where that is allowed."""
        values = self._get(key, default, (list, tuple), "a list of numbers")
        for value in values:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not (math.isfinite(value) or (nan_allowed and math.isnan(value))):
                raise self.error(f"expected a list of finite numbers, not {values!r}", key)
        return tuple(float(value) for value in values)

    def table(self, key: str) -> Table:
        """Return a table that must be there."""
        values: dict[str, Any] = self._get(key, REQUIRED, (dict,), "a table")
        return Table(self.file, (*self.path, key), values, self._lines)

    def optional_table(self, key: str) -> Table | None:
        """Return a table, or None when it is absent."""
        return self.table(key) if self.has(key) else None

    def tables(self, key: str) -> tuple[Table, ...]:
        """Return an array of tables, empty when it is absent."""
        rows = self._get(key, [], (list,), f"[[{key}]] tables")
        if not all(isinstance(row, dict) for row in rows):
            raise self.error(f"expected [[{key}]] tables", key)
        return tuple(Table(self.file, (*self.path, key, index), row, self._lines) for index, row in enumerate(rows))

    def done(self) -> None:
        """Raise ConfigError for the first key that nobody asked for: a typing error is never ignored."""
        for key in self._values:
            if key not in self._asked:
                close = difflib.get_close_matches(key, self._asked, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(sorted(self._asked))}"
                raise self.error(f"unknown key{hint}", key)
