"""A protocol as the proof sees it: questions, their true answers, and an oracle that shares no code with a driver."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

__all__ = ["FAULT", "ROUNDS", "Answer", "Dialect", "Scene", "plain_text", "scenes_of"]

Answer: TypeAlias = tuple[Any, ...]
"""What an answer says, part by part; None is a part without a value, "nan" a number that is none."""

FAULT: Answer = ("fault",)
"""The device itself says that it can't answer."""

ROUNDS = 40


def agree_part_by_part(_asked: Any, got: Answer, true: Answer) -> bool:
    """Whether each part is the true one or without a value, which says nothing."""
    return len(got) == len(true) and all(mine is None or mine == yours for mine, yours in zip(got, true, strict=True))


@dataclass(frozen=True, slots=True)
class Scene:
    """One question, its true answer, the device's answers to other questions, and the answers of other devices."""

    asked: Any
    answer: bytes
    late: tuple[bytes, ...]
    foreign: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One protocol.

    ``judge(asked, heard)`` returns what may be read out of the bytes heard, nothing where they fail a check;
    ``agree(asked, got, true)`` whether nothing wrong is said. ``check_bits`` guard each answer. A byte link hands over
    up to ``end`` and ``trailing`` bytes more, at most ``limit``; without an ``end`` all bytes are handed over.
    """

    name: str
    check_bits: int
    scenes: Callable[[Random], Sequence[Scene]]
    judge: Callable[[Any, bytes], Collection[Answer]]
    agree: Callable[[Any, Answer, Answer], bool] = agree_part_by_part
    end: bytes = b""
    trailing: int = 0
    limit: int = 4096

    def heard(self, stream: bytes) -> bytes | None:
        """Return what a link hands over of a stream; None where it waits in vain or gives up."""
        if not self.end:
            return stream
        found = stream.find(self.end)
        until = found + len(self.end) + self.trailing
        return stream[:until] if found >= 0 and until <= min(len(stream), self.limit) else None


def scenes_of(
    device: Callable[[Random, bool], Mapping[Any, bytes]],
) -> Callable[[Random], Sequence[Scene]]:
    """Return scenes out of ``device(dice, is_ours)``, which tells a device's answers by question at some moment."""

    def scenes(dice: Random) -> Sequence[Scene]:
        found = []
        for _ in range(ROUNDS):
            ours, foreign = device(dice, True), tuple(device(dice, False).values())
            for asked, answer in ours.items():
                late = tuple(other for question, other in ours.items() if question != asked)
                found.append(Scene(asked, answer, late, foreign))
        return found

    return scenes


def plain_text(data: bytes) -> str | None:
    """Return printable ASCII, None for anything else."""
    text = data.decode("latin-1")
    return text if text.isascii() and text.isprintable() else None
