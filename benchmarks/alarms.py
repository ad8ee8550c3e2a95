"""What the alarms of a large site cost: 10,000 rules over 6,000 readings a second, on one core.

1,000 devices of six channels at 1 Hz: ten rules a device, of every kind in the mix that the recommended rule set has,
half of the limits spike-filtered or suppressed by a door, with values that wander, doors that open, polls that are lost
and one chamber in a hundred in trouble, or all of them. Processor time of ``evaluate`` and ``tick`` over lab time is
the share of one core; polls come as the lab hands them over, in ten bundles a second.

*A stream that evaluates nothing*: the same readings passed through a loop that only takes channel, value and time out
of each. The ratio is what judging adds.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.rows import Row, row
from cultureops.alarms import Engine, Kind, Priority, Rule, Suppressor
from cultureops.clock import SECOND_MS, Instant
from cultureops.device.reading import Quality, Reading, Reason

__all__ = ["CHANNELS", "DEVICES", "cost", "measure", "rules", "second"]

DEVICES: Final = 1_000
CHANNELS: Final = ("temperature", "co2", "level", "temperature_setpoint", "door", "fill")
LAB_SECONDS: Final = 60
WARM_SECONDS: Final = 10
BUNDLES: Final = 10
START: Final = 1_767_600_000_000
ROUNDS: Final = 3


def measure(shrink: int = 1) -> list[Row]:
    """Return the claim's rows; ``shrink`` cuts the devices."""
    devices = max(10, DEVICES // shrink)
    name = f"{10 * devices:,} rules over {6 * devices:,} readings/s, evaluate and tick"
    found = []
    for how, ill_every in (("one chamber in a hundred in trouble", 100), ("every chamber in trouble", 1)):
        shares, bare = zip(*(cost(devices, seed, ill_every=ill_every) for seed in range(ROUNDS)), strict=True)
        percents, bare_percents = ([100 * share for share in one] for one in (shares, bare))
        peer = "a loop that evaluates nothing"
        found.append(row(f"{name}, {how}, of one core", percents, "%", peer, bare_percents, "value < 30"))
        found.append(row(f"{name}, {how}, a reading", [1e6 * share / (6 * devices) for share in shares], "us"))
    return found


def cost(devices: int, seed: int, seconds: int = LAB_SECONDS, ill_every: int = 100) -> tuple[float, float]:
    """Return the processor time that a lab second takes [s/s], judged and merely passed through."""
    engine = Engine(rules(devices))
    dice = random.Random(seed)
    now, judged_s, passed_s = START, 0.0, 0.0
    for number in range(WARM_SECONDS + seconds):
        bundles = list(second(devices, now, dice, ill_every))
        began = time.thread_time()
        for bundle in bundles:
            engine.evaluate(bundle)
        now += SECOND_MS
        engine.tick(now)
        between = time.thread_time()
        for bundle in bundles:
            for reading in bundle:
                _ = reading[0], reading[1], reading[4]
        if number >= WARM_SECONDS:
            judged_s += between - began
            passed_s += time.thread_time() - between
    return judged_s / seconds, passed_s / seconds


def rules(devices: int) -> tuple[Rule, ...]:
    """Return ten rules a device, 10 x devices in all."""
    return tuple(rule for number in range(devices) for rule in _rules_of(f"device_{number}"))


def _rules_of(device: str) -> Iterator[Rule]:
    door = (Suppressor(f"{device}/door", 900.0, 1800.0),)
    rows: tuple[tuple[str, Kind, dict[str, object]], ...] = (
        ("temperature", Kind.HIGH, {"limit": 38.0, "deadband": 0.2, "on_delay_s": 300.0, "spike_filter": True}),
        ("temperature", Kind.DEVIATION, {"limit": 1.0, "deadband": 0.2, "on_delay_s": 600.0, "settle_s": 5400.0,
                                         "reference": f"{device}/temperature_setpoint", "suppressors": door}),
        ("temperature", Kind.RATE, {"limit": 0.5, "window_s": 300.0, "on_delay_s": 240.0, "suppressors": door}),
        ("temperature", Kind.STUCK, {"limit": 0.01, "window_s": 3600.0, "settle_s": 300.0,
                                     "reference": f"{device}/door"}),
        ("temperature", Kind.NO_DATA, {"on_delay_s": 60.0}),
        ("co2", Kind.LOW, {"limit": 4.0, "deadband": 0.2, "on_delay_s": 600.0, "suppressors": door}),
        ("co2", Kind.HIGH, {"limit": 7.0, "deadband": 0.3, "on_delay_s": 300.0}),
        ("level", Kind.DAYS_LEFT, {"limit": 2.0, "reference_limit": 20.0, "window_s": 21_600.0}),
        ("door", Kind.OPEN, {"limit": 1.0, "on_delay_s": 240.0}),
        ("", Kind.COMMUNICATION, {"misses": 3}),
    )  # fmt: skip
    for name, kind, more in rows:
        channel = f"{device}/{name}" if name else None
        fields: dict[str, object] = {
            "limit": None, "unit": "1", "deadband": 0.0, "on_delay_s": 0.0, "off_delay_s": 60.0, "misses": 0,
            "priority": Priority.LOW, "gmp_critical": False, "consequence": "c", "response": "r",
        }  # fmt: skip
        rule_id = "/".join(part for part in (device, name, kind.value) if part)
        yield Rule(id=rule_id, chamber=device, channel=channel, device=device, kind=kind, **(fields | more))  # type: ignore[arg-type]


def second(devices: int, now: Instant, dice: random.Random, ill_every: int = 100) -> Iterator[Sequence[Reading]]:
    """Yield one lab second of readings in bundles, as polls come."""
    size = -(-devices // BUNDLES)
    for first in range(0, devices, size):
        bundle: list[Reading] = []
        for number in range(first, min(first + size, devices)):
            bundle += _poll(number, now + first * SECOND_MS // devices, dice, ill_every)
        yield bundle


def _poll(number: int, at: Instant, dice: random.Random, ill_every: int) -> Iterator[Reading]:
    device = f"device_{number}"
    if dice.random() < 1e-3:
        yield from (Reading(f"{device}/{name}", None, Quality.BAD, Reason.TIMEOUT, at, at) for name in CHANNELS)
        return
    is_ill = number % ill_every == 0
    values = (
        round((34.0 if is_ill else 37.0) + dice.gauss(0.0, 0.05), 2),
        round((3.0 if is_ill else 5.0) + dice.gauss(0.0, 0.05), 2),
        round(70.0 - (at - START) / 3.6e6 + dice.gauss(0.0, 0.1), 1),
        37.0,
        float((at // 1000 + 37 * number) % 3600 < 60),
        0.0,
    )
    for name, value in zip(CHANNELS, values, strict=True):
        yield Reading(f"{device}/{name}", value, Quality.GOOD, Reason.NONE, at, at)
