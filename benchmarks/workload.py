"""What a lab's instruments say, made once per run from a seed and read by every contestant from the same files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

__all__ = ["CHANNELS", "HOUR_S", "START_MS", "Arrival", "Channel", "Workload"]

START_MS: Final = 1_767_571_200_000
"""2026-01-05T00:00:00Z: in the past of everyone who runs this, as VictoriaMetrics takes nothing from the future."""
HOUR_S: Final = 3600
LATE_SHARE: Final = 0.01
LATE_S: Final = (60, 2 * HOUR_S)


@dataclass(frozen=True, slots=True)
class Channel:
    """One of a device's six channels: first-order autoregressive drift plus white noise, both in the channel's unit."""

    name: str
    unit: str
    decimals: int
    level: float
    drift: float
    memory: float
    noise: float


CHANNELS: Final = (
    Channel("temperature", "Cel", 2, 37.0, 0.045, 0.99, 0.02),
    Channel("co2", "%", 2, 5.0, 0.045, 0.99, 0.02),
    Channel("humidity", "%", 1, 93.0, 0.5, 0.99, 0.1),
    Channel("oxygen", "%", 1, 5.0, 0.5, 0.99, 0.1),
    Channel("duty", "%", 0, 40.0, 3.0, 0.95, 1.0),
    Channel("door", "1", 0, 0.0, 0.0, 0.0, 0.0),
)


_SCALES: Final = np.array([10.0**channel.decimals for channel in CHANNELS])


@dataclass(frozen=True, slots=True)
class Arrival:
    """The polls that reach the store within one minute: device and second of each, in order of arrival."""

    device: np.ndarray
    second: np.ndarray


@dataclass(frozen=True, slots=True)
class Workload:
    """Devices of six channels each, polled once a second.

    ``scaled`` [devices, 6, seconds] holds values as integers of 10^-decimals, ``source_ms`` [devices, seconds] when the
    six were read [ms UTC], later than the full second by the poll's jitter of N(20, 3) ms.
    """

    scaled: np.ndarray
    source_ms: np.ndarray

    @property
    def devices(self) -> int:
        """How many devices there are."""
        return len(self.scaled)

    @property
    def seconds(self) -> int:
        """How long they were polled [s]."""
        return int(self.scaled.shape[2])

    @property
    def points(self) -> int:
        """How many readings there are in all."""
        return self.scaled.size

    @classmethod
    def make(cls, folder: Path, devices: int, seconds: int, seed: int = 7) -> Workload:
        """Write a workload into a folder and return it."""
        folder.mkdir(parents=True)
        scaled = np.lib.format.open_memmap(folder / "scaled.npy", "w+", np.int32, (devices, len(CHANNELS), seconds))
        source_ms = np.lib.format.open_memmap(folder / "source_ms.npy", "w+", np.int64, (devices, seconds))
        for device in range(devices):
            rng = np.random.default_rng((seed, device))
            jitter = np.clip(np.round(rng.normal(20, 3, seconds)), 1, 999).astype(np.int64)
            source_ms[device] = START_MS + np.arange(seconds, dtype=np.int64) * 1000 + jitter
            for number, channel in enumerate(CHANNELS):
                value = _door(rng, seconds) if channel.name == "door" else _drift(rng, channel, seconds)
                scaled[device, number] = np.round(value * 10**channel.decimals).astype(np.int32)
        scaled.flush()
        source_ms.flush()
        return cls(scaled, source_ms)

    @classmethod
    def read(cls, folder: Path) -> Workload:
        """Map the files of a workload."""
        return cls(
            np.load(folder / "scaled.npy", mmap_mode="r"),
            np.load(folder / "source_ms.npy", mmap_mode="r"),
        )

    def values(self, device: int, number: int, first: int = 0, last: int | None = None) -> np.ndarray:
        """Return one channel's values from second ``first`` to before ``last``."""
        return np.asarray(self.scaled[device, number, first:last] / 10.0 ** CHANNELS[number].decimals)

    def polls(self, some: Arrival) -> Iterator[tuple[int, list[float], int]]:
        """Yield device, its six values and the source time [ms UTC] of each poll."""
        values = self.scaled[some.device, :, some.second] / _SCALES
        source_ms = self.source_ms[some.device, some.second]
        yield from zip(some.device.tolist(), values.tolist(), source_ms.tolist(), strict=True)

    def floor_bytes(self) -> float:
        """Return what the values' steps and, once a poll, the jitter take by their order-0 entropy [bytes]."""
        bits = sum(_entropy(np.diff(self.scaled[device, n])) for device in range(self.devices) for n in range(6))
        bits += sum(_entropy(self.source_ms[device] % 1000) for device in range(self.devices))
        return bits * self.seconds / 8

    def arrivals(self, seed: int = 11) -> Iterator[Arrival]:
        """Yield minute by minute what arrives when 1 % of all polls come late, each on its own, by 1 to 120 minutes."""
        second = np.arange(self.seconds)
        parts = []
        for device in range(self.devices):
            rng = np.random.default_rng((seed, device))
            delay = np.where(rng.random(self.seconds) < LATE_SHARE, rng.integers(*LATE_S, self.seconds), 0)
            parts.append(np.stack((second + delay, np.full(self.seconds, device), second)))
        arrived, by_device, by_second = np.concatenate(parts, axis=1)
        order = np.argsort(arrived, kind="stable")
        minutes = np.searchsorted(arrived[order], np.arange(60, arrived.max() + 60, 60))
        for some in np.split(order, minutes):
            yield Arrival(by_device[some], by_second[some])


def _entropy(symbols: np.ndarray) -> float:
    """Return bits per symbol."""
    _, count = np.unique(symbols, return_counts=True)
    share = count / count.sum()
    return float(-(share * np.log2(share)).sum())


def _drift(rng: np.random.Generator, channel: Channel, seconds: int) -> np.ndarray:
    innovation = rng.normal(0, channel.drift * np.sqrt(1 - channel.memory**2), seconds)
    return channel.level + _autoregressive(innovation, channel.memory) + rng.normal(0, channel.noise, seconds)


def _autoregressive(innovation: np.ndarray, memory: float, block: int = 256) -> np.ndarray:
    """Return x[t] = memory x[t-1] + innovation[t], block-wise so that the powers of ``memory`` stay in range."""
    size = len(innovation)
    padded = np.concatenate((innovation, np.zeros(-size % block))).reshape(-1, block)
    powers = memory ** np.arange(1, block + 1)
    inside = np.cumsum(padded / powers, axis=1) * powers
    carried = np.zeros(len(inside))
    for number in range(1, len(inside)):
        carried[number] = inside[number - 1, -1] + powers[-1] * carried[number - 1]
    return np.asarray((inside + carried[:, None] * powers).reshape(-1)[:size])


def _door(rng: np.random.Generator, seconds: int) -> np.ndarray:
    """Open for 20 s about once an hour."""
    door = np.zeros(seconds)
    for start in rng.integers(0, seconds, rng.poisson(seconds / HOUR_S)):
        door[start : start + 20] = 1
    return door
