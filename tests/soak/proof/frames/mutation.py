"""What may become of an answer on its way: another one comes, or a part of it, or it is damaged."""

from __future__ import annotations

from enum import StrEnum
from random import Random

from proof.frames.dialect import Scene

__all__ = ["Mutation", "mutate"]

MOST_FLIPPED_BITS = 8
LONGEST_BURST = 8
MOST_STRAY_BYTES = 16


class Mutation(StrEnum):
    """What was done to an answer."""

    NONE = "none"
    LATE = "late"
    FOREIGN = "foreign"
    TRUNCATED = "truncated"
    MERGED = "merged"
    FLIPPED = "flipped"


_ORDINARY = (Mutation.LATE, Mutation.FOREIGN, Mutation.TRUNCATED, Mutation.MERGED, Mutation.FLIPPED, Mutation.FLIPPED)
_UNTOUCHED = 0.02


def mutate(scene: Scene, dice: Random) -> tuple[Mutation, bytes]:
    """Return what comes instead of the scene's answer, and what was done; damage may leave it as it was."""
    if dice.random() < _UNTOUCHED:
        return Mutation.NONE, scene.answer
    mutation = _ORDINARY[int(dice.random() * len(_ORDINARY))]
    match mutation:
        case Mutation.LATE if scene.late:
            return mutation, _one_of(scene.late, dice)
        case Mutation.FOREIGN if scene.foreign:
            return mutation, _one_of(scene.foreign, dice)
        case Mutation.TRUNCATED:
            return mutation, _truncated(scene.answer, dice)
        case Mutation.MERGED:
            return mutation, _merged(scene, dice)
        case _:
            return Mutation.FLIPPED, _flipped(scene.answer, dice)


def _one_of(frames: tuple[bytes, ...], dice: Random) -> bytes:
    return frames[int(dice.random() * len(frames))]


def _truncated(frame: bytes, dice: Random) -> bytes:
    """Lose the end, the beginning, or a piece in the middle, from which the end mark remains."""
    first, last = sorted((int(dice.random() * (len(frame) + 1)), int(dice.random() * (len(frame) + 1))))
    match int(dice.random() * 4):
        case 0:
            return frame[:last]
        case 1:
            return frame[first:]
        case _:
            return frame[:first] + frame[last:]


def _merged(scene: Scene, dice: Random) -> bytes:
    """Join halves of two answers, two answers, or an answer and bytes of nobody."""
    answer, other = scene.answer, _one_of(scene.late + scene.foreign + (scene.answer,), dice)
    at, other_at = int(dice.random() * (len(answer) + 1)), int(dice.random() * (len(other) + 1))
    match int(dice.random() * 6):
        case 0:
            return answer[:at] + other[other_at:]
        case 1:
            return other[:at] + answer[at:]
        case 2:
            return other + answer
        case 3:
            return answer + other
        case 4:
            return other[other_at:] + answer
        case _:
            return dice.randbytes(1 + int(dice.random() * MOST_STRAY_BYTES)) + answer


def _flipped(frame: bytes, dice: Random) -> bytes:
    """Flip one to eight bits, or overwrite a run of bytes."""
    damaged = bytearray(frame)
    if dice.random() < 0.5:
        for _ in range(1 + int(dice.random() * MOST_FLIPPED_BITS)):
            bit = int(dice.random() * 8 * len(damaged))
            damaged[bit >> 3] ^= 1 << (bit & 7)
    else:
        start = int(dice.random() * len(damaged))
        length = min(1 + int(dice.random() * LONGEST_BURST), len(damaged) - start)
        damaged[start : start + length] = dice.randbytes(length)
    return bytes(damaged)
