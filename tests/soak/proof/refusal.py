"""One run of the writer in which a system call is refused, once or from then on, and what must hold of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from proof.calls import read_calls, strace_command
from proof.checker import Bounds, Broken, check
from proof.course import Course, Shown
from proof.disk import SYNCS, Cut, Recording, snapshot
from proof.run import Run, run_writer

__all__ = ["APPENDS", "COURSE", "Refusal", "refuse"]

COURSE = Course(appends_an_hour=4, hours_a_month=4, appends_a_seal=6)
APPENDS = 26
NUMBERS = [str(number) for number in (COURSE.appends_an_hour, COURSE.hours_a_month, COURSE.appends_a_seal)]
INJECTED = b"(INJECTED)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which call fails with what: the N-th of each thread, and with ``is_sticky`` every one after it.

    With ``only``, calls on these paths count alone.
    """

    call: str
    error: str
    nth: int
    is_sticky: bool
    only: Sequence[Path] = ()

    def options(self) -> list[str]:
        """Return what strace is to be told."""
        when = f"{self.nth}+" if self.is_sticky else str(self.nth)
        only = [option for path in self.only for option in ("-P", str(path))]
        return ["-e", f"inject={self.call}:error={self.error}:when={when}", *only]


async def refuse(strace: str, root: Path, refusal: Refusal, known: Shown) -> bool:
    """Refuse a call and check every word of the store and what it leaves; return whether the call ever came.

    Raises Broken.
    """
    folder, trace = root / "data" / "telemetry", root / "trace"
    folder.mkdir(parents=True, exist_ok=True)
    before = snapshot(folder.parent)
    with_data = strace_command(strace, trace, *refusal.options())
    without = [strace, "-f", "--seccomp-bpf", "-e", f"trace={refusal.call}", "-o", str(trace), *refusal.options()]
    run = await run_writer(
        with_data if refusal.call in SYNCS else without, folder, "--appends", str(APPENDS), "--course", *NUMBERS,
        *([] if refusal.is_sticky else ["--recover"]),
    )  # fmt: skip
    _judge(run, refusal)
    least = APPENDS if run.has("sound") else run.durable
    if refusal.call in SYNCS:
        recording = Recording(folder.parent, before, read_calls(trace))
        for grade in ("strict", "journaled"):
            await _cut_at_the_end(root / grade, recording, Cut(recording.lines, "drop", grade, 0, 0), least, known)
    await check(folder, Bounds(least, APPENDS), known)
    return INJECTED in trace.read_bytes()


def _judge(run: Run, refusal: Refusal) -> None:
    last = f"{refusal.call} {refusal.error} {refusal.nth}{'+' if refusal.is_sticky else ''}: {run.words[-6:]}"
    if run.code:
        if run.has("durable") or not run.has("refused"):
            raise Broken(f"ended with {run.code}, {last}")
        return
    if run.has("unanswered"):
        raise Broken(f"a seal neither ends nor fails, {last}")
    if not run.has("closed"):
        raise Broken(f"not closed in order, {last}")
    if not refusal.is_sticky and not run.has("sound"):
        raise Broken(f"the store does not recover, {last}")


async def _cut_at_the_end(root: Path, recording: Recording, cut: Cut, least: int, known: Shown) -> None:
    """Cut the power once all was said: what a failed sync left unwritten is gone."""
    root.mkdir()
    recording.after(cut).write_to(root, recording.root)
    await check(root / "telemetry", Bounds(least, APPENDS), known)
