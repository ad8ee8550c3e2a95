"""The house as processes: simulated instruments, a hub, its gateways, and lines that can be cut between them."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cut_lines import Proxy
from tests.gateways import INCUBATOR, lay_out
from tests.month.plan import DEVICES, GATEWAYS, HUB, ON_DELAY_S, PERIOD_S, SKEW_MS, START, STEP_MS, Kind, Plan, Span
from tests.ports import free_port

from cultureops.clock import HOUR_MS, MINUTE_MS, Instant, iso
from cultureops.demo.fleet import Fleet, start_fleet

__all__ = ["BATCHES", "House", "Lived", "live"]

ROOT = Path(__file__).parents[2]
ANSWER_S, READY_S = 120.0, 60.0
HANDS_OVER_EVERY = 4
"""So many steps pass from one exchange with the hub to the next."""
SEEN_EVERY_MS = 6 * HOUR_MS
BATCHES = {"B-1": "inc_1a", "B-2": "inc_2b", "B-3": "inc_3a"}
SILENCE = """
[[alarm]]
chamber = "{name}"
kind = "communication"
misses = 3
priority = "high"
gmp_critical = true
consequence = "Nobody knows what the chamber does."
response = "Look there."
"""


@dataclass
class Lived:
    """What whoever led the house through the plan knows of it: what was promised, who was up when, who was seen."""

    kept: dict[str, dict[Instant, float | None]] = field(default_factory=lambda: defaultdict(dict))
    """Readings of CO2 that a gateway said were durable, by channel and the gateway's own time."""
    up: dict[str, list[list[Instant]]] = field(default_factory=lambda: defaultdict(list))
    """When each program was up, in true lab time: stretches from its first step to its last."""
    placed: dict[str, Instant] = field(default_factory=dict)
    kills: int = 0
    steps: int = 0
    orders: int = 0
    exchanges: int = 0
    failed_exchanges: int = 0


class Program:
    """A hub or a gateway: a process that is stepped, killed and started again on the same folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder if name == HUB else folder / name
        self.data = self.folder / "data"
        self.data.mkdir(exist_ok=True)
        self._process: asyncio.subprocess.Process | None = None
        self._starts = 0

    @property
    def is_up(self) -> bool:
        return self._process is not None

    async def start(self, now: Instant) -> None:
        self._starts += 1
        seed = 1_000 * (1 + (HUB, *GATEWAYS).index(self.name)) + self._starts
        arguments = ("-m", "tests.month.node", str(self.folder / "site.toml"), str(self.data), str(now), str(seed))
        with (self.folder / "said.txt").open("ab") as said:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=said, limit=1 << 24,
            )  # fmt: skip
        await self._answer(READY_S)

    async def ask(self, do: str, **more: object) -> dict[str, Any]:
        self.tell(do, **more)
        return await self._answer(ANSWER_S)

    def tell(self, do: str, **more: object) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    async def end(self) -> None:
        """End in order."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(ANSWER_S):
            assert await self._process.wait() == 0, self._last_words()
        self._process = None

    async def _answer(self, within_s: float) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        async with asyncio.timeout(within_s):
            line = await self._process.stdout.readline()
        assert line, f"{self.name} ended: {self._last_words()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        return (self.folder / "said.txt").read_text(errors="replace")[-3000:]


@dataclass
class House:
    """The instruments, the programs by name, and the line from each gateway to the hub."""

    fleet: Fleet
    programs: dict[str, Program]
    lines: dict[str, Proxy]

    @property
    def gateways(self) -> tuple[Program, ...]:
        return tuple(self.programs[name] for name in GATEWAYS)


@asynccontextmanager
async def built(folder: Path, seed: int) -> AsyncIterator[House]:
    """Start the instruments and lay the lines; no program is up yet."""
    devices = [name for names in DEVICES.values() for name in names]
    rows = [
        {"name": name, "kind": "virtual_incubator", "wire": {"tcp": "127.0.0.1:0"}, "options": {}} for name in devices
    ]
    profile = ROOT / "drivers/cultureops_drivers/modbus/profiles/cultureops_virtual_incubator.toml"
    for row in rows:
        row["options"] = {"profile": str(profile)}
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(start_fleet(folder / "fleet.json", seed, iso(START), rows))
        hub_port = free_port()
        lines = {name: await stack.enter_async_context(Proxy(hub_port)) for name in GATEWAYS}
        rooms = {}
        for gateway, names in DEVICES.items():
            rooms[gateway] = "".join(
                INCUBATOR.format(
                    name=name,
                    port=fleet.wires[name]["tcp"].rpartition(":")[2],
                    period_s=PERIOD_S,
                    on_delay_s=ON_DELAY_S,
                ).replace("simulated = true", "simulated = true\ndeadline_s = 0.1")
                + SILENCE.format(name=name)
                for name in names
            )
        lay_out(folder, hub_port, rooms)
        for gateway, line in lines.items():
            for file in (folder / gateway / "site.toml", folder / "gateways" / f"{gateway}.toml"):
                text = file.read_text().replace(f"https://127.0.0.1:{hub_port}", f"https://127.0.0.1:{line.port}")
                file.write_text(text)
        programs = {name: Program(folder, name) for name in (HUB, *GATEWAYS)}
        try:
            yield House(fleet, programs, lines)
        finally:
            for program in programs.values():
                await program.kill()


async def live(folder: Path, plan: Plan, seed: int) -> Lived:
    """Lead the house through the plan, step by step, and end all programs in order when nothing waits any more."""
    lived, dice = Lived(), random.Random(seed)
    async with built(folder, seed) as house:
        begun: set[Span] = set()
        for program in house.programs.values():
            await program.start(_clock_of(program.name, START))
        for now in range(START + STEP_MS, plan.end + 1, STEP_MS):
            await _befall(house, plan, now, begun)
            await house.fleet.step(PERIOD_S)
            await _programs(house, plan, now, dice, lived)
            await _people(house, now, lived)
        await _until_nothing_waits(house, plan.end, lived)
        for program in house.programs.values():
            await program.end()
    return lived


async def _befall(house: House, plan: Plan, now: Instant, begun: set[Span]) -> None:
    """Begin and end what befalls devices and lines."""
    for span in plan.spans:
        if span.since > now:
            break
        if span.kind is Kind.DOWN or (span in begun) == span.holds(now):
            continue
        if span.holds(now):
            begun.add(span)
            await _begin(house, span)
        else:
            begun.discard(span)
            await _end(house, span)


async def _begin(house: House, span: Span) -> None:
    if span.kind is Kind.CUT_OFF:
        house.lines[span.whom].is_open = False
        house.lines[span.whom].cut_all()
    elif span.kind is Kind.SILENT:
        await house.fleet.plant(span.whom, "silent")
    else:
        await house.fleet.plant(span.whom, "force", channel="co2", value=3.0)


async def _end(house: House, span: Span) -> None:
    if span.kind is Kind.CUT_OFF:
        house.lines[span.whom].is_open = True
    else:
        await house.fleet.clear(span.whom)


async def _programs(house: House, plan: Plan, now: Instant, dice: random.Random, lived: Lived) -> None:
    """Let every program live a step; one whose time has come is killed in the middle of it."""
    hands_over = (now // STEP_MS) % HANDS_OVER_EVERY == 0
    for program in (*house.gateways, house.programs[HUB]):
        is_down = any(span.holds(now) for span in plan.of(program.name, Kind.DOWN))
        clock = _clock_of(program.name, now)
        if not is_down and not program.is_up:
            await program.start(clock)
        if is_down and program.is_up:
            program.tell("step", now=clock, hands_over=True)
            await asyncio.sleep(dice.uniform(0, 0.03))
            await program.kill()
            lived.kills += 1
    up = [program for program in house.gateways if program.is_up]
    for program in up:
        program.tell("step", now=_clock_of(program.name, now), hands_over=hands_over)
    for program in up:
        _note(lived, program, now, await program._answer(ANSWER_S))
    if house.programs[HUB].is_up:
        _note(lived, house.programs[HUB], now, await house.programs[HUB].ask("step", now=now))


def _note(lived: Lived, program: Program, now: Instant, answer: dict[str, Any]) -> None:
    lived.steps += 1
    stretches = lived.up[program.name]
    if stretches and stretches[-1][1] == now - STEP_MS:
        stretches[-1][1] = now
    else:
        stretches.append([now, now])
    for channel, at, value in answer.get("kept", ()):
        lived.kept[channel][at] = value
    if (held := answer.get("held")) is not None:
        lived.exchanges += 1
        lived.failed_exchanges += not held


async def _people(house: House, now: Instant, lived: Lived) -> None:
    """Have batches placed, and alarms seen, at the hub."""
    hub = house.programs[HUB]
    if not hub.is_up or now < START + 30 * MINUTE_MS:
        return
    for batch, chamber in BATCHES.items():
        if batch not in lived.placed:
            await hub.ask("place", batch=batch, chamber=chamber)
            lived.placed[batch] = now
    if (now - START) % SEEN_EVERY_MS == 0:
        lived.orders += (await hub.ask("acknowledge"))["given"]


async def _until_nothing_waits(house: House, end: Instant, lived: Lived) -> None:
    for number in range(1, 13):
        now = end + number * STEP_MS
        await house.fleet.step(PERIOD_S)
        answers = [
            await program.ask("step", now=_clock_of(program.name, now), hands_over=True) for program in house.gateways
        ]
        for program, answer in zip(house.gateways, answers, strict=True):
            _note(lived, program, now, answer)
        _note(lived, house.programs[HUB], now, await house.programs[HUB].ask("step", now=now))
        if number > 5 and all(answer["held"] for answer in answers):
            return
    raise AssertionError(f"after an hour the hub still lacks something: {answers}")


def _clock_of(name: str, now: Instant) -> Instant:
    return now + SKEW_MS.get(name, 0)
