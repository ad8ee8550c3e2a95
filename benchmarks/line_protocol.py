"""The workload as ready InfluxDB line protocol, one line with six fields per poll, and where to send it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Final

from benchmarks.process import BenchError
from benchmarks.workload import CHANNELS, Arrival, Workload

__all__ = ["Http", "arrival", "blocks", "seconds"]

_FIELDS: Final = ",".join(f"{channel.name}=%.{channel.decimals}f" for channel in CHANNELS)


def _template(device: int) -> str:
    return f"readings,device=d{device} {_FIELDS} %d"


def _device_lines(work: Workload, device: int, first: int, last: int) -> list[str]:
    template = _template(device)
    columns = [work.values(device, number, first, last).tolist() for number in range(len(CHANNELS))]
    return [template % row for row in zip(*columns, work.source_ms[device, first:last].tolist(), strict=True)]


def seconds(work: Workload, first: int, last: int) -> list[bytes]:
    """Return one body per second, a line per device."""
    by_device = [_device_lines(work, device, first, last) for device in range(work.devices)]
    return ["\n".join(lines).encode() for lines in zip(*by_device, strict=True)]


def blocks(work: Workload, most_lines: int = 50_000) -> Iterator[bytes]:
    """Yield the whole workload in order of time, in bodies of about ``most_lines`` lines."""
    step = max(1, most_lines // work.devices)
    for first in range(0, work.seconds, step):
        last = min(first + step, work.seconds)
        lines = [line for device in range(work.devices) for line in _device_lines(work, device, first, last)]
        yield "\n".join(lines).encode()


def arrival(work: Workload, some: Arrival) -> bytes:
    """Return the polls that arrive in one minute as one body."""
    lines = (_template(device) % (*values, at_ms) for device, values, at_ms in work.polls(some))
    return "\n".join(lines).encode()


class Http:
    """One kept-alive connection to a server on this machine."""

    def __init__(self, port: int, deadline_s: float = 300.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=deadline_s)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the answer's body; raise BenchError when it is not a success."""
        self._connection.request(method, path, body)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise BenchError(f"{method} {path[:80]}: {response.status} {answer[:200].decode(errors='replace')}")
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
