"""What a server answers to InfluxQL, line by line, taken for nothing but what it must be. Pure.

With ``chunked=true`` an answer is a row of JSON objects; ``partial`` announces that a further one follows. An answer
that ends while one was announced is no answer. Source:
https://docs.influxdata.com/influxdb/v1/tools/api/#query-http-endpoint
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import numpy as np

from cultureops.device.reading import Quality, Reason
from cultureops.errors import StorageError, Unreadable
from cultureops.telemetry.influxql_text import EARLIEST_MS, LATEST_MS
from cultureops.telemetry.points import Points
from cultureops.telemetry.store import ARRIVAL_UNKNOWN_MS, Floats, Integers

__all__ = ["POINT_FIELDS", "Part", "QueryRefused", "as_points", "floats", "parts", "point_rows", "whole_numbers"]

POINT_FIELDS: Final = '"value", "quality", "reason_code"'
_POINT_COLUMNS: Final = ("time", "value", "quality", "reason_code")
_LONGEST_WORDS: Final = 500
_QUALITIES: Final = np.array([int(quality) for quality in Quality])
_REASONS: Final = np.array([int(reason) for reason in Reason])


class QueryRefused(StorageError):
    """The server has understood the question and won't answer it: no right, no such database, a limit of its own."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of one series; every row has a cell for each of the columns."""

    measurement: str
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def parts(lines: Iterable[bytes], server: str) -> Iterator[Part]:
    """Yield what the lines of an answer hold; raises QueryRefused, and Unreadable for what is no whole answer."""
    is_more_coming = True
    for line in lines:
        for body in _objects(line, server):
            results = body.get("results")
            if (error := body.get("error")) is not None:
                raise QueryRefused(f"{server} refuses a question: {_one_line(error)}")
            if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
                _damaged(server, "without results")
            for result in results:
                if (error := result.get("error")) is not None:
                    raise QueryRefused(f"{server} refuses a question: {_one_line(error)}")
                is_more_coming = bool(result.get("partial"))
                for series in _list(result.get("series"), server):
                    yield _part(series, server)
    if is_more_coming:
        _damaged(server, "that ends before its last part")


def as_points(rows: Sequence[Sequence[Any]], what: str) -> Points:
    """Turn rows of time, value, quality and reason code into points; raises Unreadable for what the mirror never wrote.

    A value that stands beside quality BAD was left by an earlier reading of the instant: it is none.
    """
    time, value, quality, reason = zip(*rows, strict=True) if rows else ((), (), (), ())
    source_ms = whole_numbers(time, what)
    codes, reasons = whole_numbers(quality, what), whole_numbers(reason, what)
    values = floats(value, what)
    is_bad = codes == Quality.BAD
    values[is_bad] = np.nan
    wrong = ~np.isin(codes, _QUALITIES) | ~np.isin(reasons, _REASONS) | (~is_bad & ~np.isfinite(values))
    wrong |= (source_ms < EARLIEST_MS) | (source_ms > LATEST_MS)
    if wrong.any():
        row = rows[int(np.flatnonzero(wrong)[0])]
        raise Unreadable(f"{what}: {_shown(row)} is no reading; the mirror has not written it")
    if (source_ms[1:] < source_ms[:-1]).any():
        raise Unreadable(f"{what}: the answer is not in order of time; ask again, or check the server")
    received_ms = np.full(source_ms.size, ARRIVAL_UNKNOWN_MS, np.int64)
    return Points(source_ms, received_ms, values, codes.astype(np.uint8), reasons.astype(np.uint8))


def whole_numbers(cells: Sequence[Any], what: str) -> Integers:
    """Return cells that must be whole numbers of 64 bits; raises Unreadable."""
    if set(map(type, cells)) <= {int}:
        try:
            return np.array(cells, np.int64)
        except OverflowError:
            pass
    wrong = next(cell for cell in cells if type(cell) is not int or not -(1 << 63) <= cell < 1 << 63)
    raise Unreadable(f"{what}: {_shown(wrong)} is no whole number; the mirror has not written it")


def floats(cells: Sequence[Any], what: str) -> Floats:
    """Return cells that must be numbers or null, which is NaN; raises Unreadable."""
    if set(map(type, cells)) <= {int, float, type(None)}:
        try:
            return np.array(cells, np.float64)
        except OverflowError:
            pass
    wrong = next((cell for cell in cells if type(cell) not in (int, float, type(None))), "a number beyond all bounds")
    raise Unreadable(f"{what}: {_shown(wrong)} is no number; the mirror has not written it")


def _part(series: object, server: str) -> Part:
    if not isinstance(series, dict):
        _damaged(server, "with a series that is none")
    columns, tags = _list(series.get("columns"), server), series.get("tags") or {}
    rows, name = _list(series.get("values"), server), series.get("name", "")
    is_text = isinstance(name, str) and all(isinstance(column, str) for column in columns)
    if not is_text or not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        _damaged(server, "with names that are no text")
    if not set(map(type, rows)) <= {list} or not set(map(len, rows)) <= {len(columns)}:
        _damaged(server, "with rows that do not fit their columns")
    return Part(name, tags, tuple(columns), rows)


def point_rows(part: Part, server: str) -> Sequence[Sequence[Any]]:
    """Return the rows of a part that was asked for as points; raises Unreadable for other columns."""
    if part.columns != _POINT_COLUMNS:
        _damaged(server, f"of {_shown(part.columns)} where points were asked for")
    return part.rows


def _objects(line: bytes, server: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a line, which is one or, where a server parts them by nothing, several."""
    try:
        text = line.decode().strip()
        at = 0
        while at < len(text):
            found, at = _JSON.raw_decode(text, at)
            if not isinstance(found, dict):
                _damaged(server, "that is no object")
            yield found
            while at < len(text) and text[at] in " \t\r":
                at += 1
    except (ValueError, RecursionError) as error:
        _damaged(server, f"that is no JSON ({_one_line(error)})")


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


_JSON: Final = json.JSONDecoder(parse_constant=_no_number)


def _list(value: object, server: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        _damaged(server, "with a list that is none")
    return value


def _damaged(server: str, how: str) -> NoReturn:
    raise Unreadable(f"{server} gave an answer {how}; ask again, or check what stands between")


def _shown(value: object) -> str:
    return repr(value)[:80]


def _one_line(words: object) -> str:
    return " ".join(str(words).split())[:_LONGEST_WORDS]
