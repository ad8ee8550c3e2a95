"""Many spoiled answers, and the count of what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

from cultureops.errors import DeviceFault, DriverError
from proof.frames.dialect import FAULT, Answer, Dialect, Scene
from proof.frames.mutation import Mutation, mutate

__all__ = ["AsyncCodec", "Codec", "Tally", "try_frames", "try_frames_of"]

Codec: TypeAlias = Callable[[Any, bytes], Answer]
"""The code under proof: the question and the bytes heard in, what they say out; raises DriverError."""

AsyncCodec: TypeAlias = Callable[[Any, bytes], Awaitable[Answer]]

MOST_SHOWN = 20


@dataclass
class Tally:
    """What became of the frames; ``unjust`` shows some of those that were believed against the oracle."""

    dialect: Dialect
    tried: Counter[Mutation] = field(default_factory=Counter)
    accepted: Counter[Mutation] = field(default_factory=Counter)
    wrong: Counter[Mutation] = field(default_factory=Counter)
    faults: int = 0
    unjust_frames: int = 0
    unjust: list[str] = field(default_factory=list)
    _truths: dict[int, Collection[Answer]] = field(default_factory=dict)

    def count(self, scene: Scene, mutation: Mutation, heard: bytes | None, got: Answer | None) -> None:
        """Judge what was made of the bytes heard."""
        truth = self._truths.get(id(scene))
        if truth is None:
            truth = self._truths[id(scene)] = self.dialect.judge(scene.asked, scene.answer)
        if heard == scene.answer:
            mutation = Mutation.NONE
        self.tried[mutation] += 1
        if got is None or heard is None:
            if mutation is Mutation.NONE:
                self._protest(f"refused a sound answer to {scene.asked}: {heard!r}")
            return
        self.accepted[mutation] += 1
        if got not in self.dialect.judge(scene.asked, heard):
            self._protest(f"{mutation}: made {got} of {heard!r}, asked {scene.asked}, sent was {scene.answer!r}")
        elif got == FAULT:
            self.faults += 1
        elif not any(self.dialect.agree(scene.asked, got, said) for said in truth):
            self.wrong[mutation] += 1

    def _protest(self, text: str) -> None:
        self.unjust_frames += 1
        if len(self.unjust) < MOST_SHOWN:
            self.unjust.append(text)

    def wrong_share(self, mutation: Mutation) -> float:
        """Return the share of wrong-but-valid frames."""
        return self.wrong[mutation] / max(1, self.tried[mutation])

    @property
    def theory(self) -> str:
        """What the check bits alone let through."""
        bits = self.dialect.check_bits
        return f"2^-{bits} = {2.0**-bits:.2e}" if bits else "none"

    def properties(self) -> Iterator[tuple[str, object]]:
        """Yield what a report keeps."""
        yield "frames", self.tried.total()
        yield "accepted", self.accepted.total()
        yield "accepted_unmutated", self.accepted[Mutation.NONE]
        yield "accepted_as_fault", self.faults
        yield (
            "wrong_but_valid_share",
            {kind.value: round(self.wrong_share(kind), 8) for kind in Mutation if kind is not Mutation.NONE},
        )
        yield "theoretical_share", self.theory

    def __str__(self) -> str:
        shares = ", ".join(f"{kind} {self.wrong_share(kind):.2e}" for kind in Mutation if kind is not Mutation.NONE)
        return (
            f"{self.dialect.name}: {self.tried.total()} frames, {self.accepted.total()} accepted; "
            f"wrong but valid: {shares}; check bits let through: {self.theory}"
        )


def try_frames(dialect: Dialect, codec: Codec, frames: int, seed: int) -> Tally:
    """Show a codec that many answers, most of them spoiled."""
    tally = Tally(dialect)
    for scene, mutation, heard in _draw(dialect, frames, seed):
        got = None
        if heard is not None:
            try:
                got = codec(scene.asked, heard)
            except DeviceFault:
                got = FAULT
            except DriverError:
                pass
            except Exception as error:
                error.add_note(f"asked {scene.asked}, heard {heard!r}")
                raise
        tally.count(scene, mutation, heard, got)
    return tally


async def try_frames_of(dialect: Dialect, codec: AsyncCodec, frames: int, seed: int) -> Tally:
    """Show a codec that waits that many answers."""
    tally = Tally(dialect)
    for scene, mutation, heard in _draw(dialect, frames, seed):
        got = None
        if heard is not None:
            try:
                got = await codec(scene.asked, heard)
            except DeviceFault:
                got = FAULT
            except DriverError:
                pass
        tally.count(scene, mutation, heard, got)
    return tally


def _draw(dialect: Dialect, frames: int, seed: int) -> Iterator[tuple[Scene, Mutation, bytes | None]]:
    dice = Random(seed)
    scenes = dialect.scenes(dice)
    for _ in range(frames):
        scene = scenes[int(dice.random() * len(scenes))]
        mutation, stream = mutate(scene, dice)
        yield scene, mutation, dialect.heard(stream)
