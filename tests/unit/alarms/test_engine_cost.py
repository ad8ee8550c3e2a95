"""What one lab minute costs: 45 readings against 40 rules; and what a second of a large site would."""

import time
from dataclasses import replace

import pytest
from benchmarks.alarms import CHANNELS, cost

from cultureops.alarms import Engine, Kind, Priority, Rule
from cultureops.device.reading import Quality, Reading, Reason

LOW = Rule(
    id="",
    chamber="c",
    channel="",
    device="",
    kind=Kind.LOW,
    limit=4.0,
    unit="%",
    deadband=0.2,
    on_delay_s=600,
    off_delay_s=120,
    misses=3,
    priority=Priority.HIGH,
    gmp_critical=True,
    consequence="c",
    response="r",
)


def site(devices: int, names: int) -> tuple[Rule, ...]:
    """Five rules a device: low and high on two channels, and communication."""
    rules: list[Rule] = []
    for device in (f"device_{n}" for n in range(devices)):
        for name in (f"channel_{n}" for n in range(min(2, names))):
            channel = f"{device}/{name}"
            rules.append(replace(LOW, id=f"{channel}/low", device=device, channel=channel))
            rules.append(replace(rules[-1], id=f"{channel}/high", kind=Kind.HIGH, limit=6.0))
        link = replace(LOW, id=f"{device}/communication", device=device, channel=None)
        rules.append(replace(link, kind=Kind.COMMUNICATION, limit=None))
    return tuple(rules)


@pytest.mark.parametrize(("value", "limit_us"), [(5.0, 60), (3.0, 120)], ids=["quiet", "all pending"])
def test_evaluating_a_lab_minute_is_cheap(value: float, limit_us: float, capsys: pytest.CaptureFixture[str]) -> None:
    rules = site(devices=8, names=6)
    engine = Engine(rules)
    rounds = []
    for n in range(400):
        at = 1_767_600_000_000 + n  # within the on-delay, so that pending rules stay pending
        rounds.append(
            [
                Reading(f"device_{index % 8}/channel_{index // 8}", value, Quality.GOOD, Reason.NONE, at, at)
                for index in range(45)
            ]
        )
    costs_us = []
    for readings in rounds:
        started = time.perf_counter_ns()
        engine.evaluate(readings)
        engine.tick(readings[0].source_time)
        costs_us.append((time.perf_counter_ns() - started) / 1000)
    typical_us = sorted(costs_us)[len(costs_us) // 2]
    with capsys.disabled():
        print(f"\n45 readings, {len(rules)} rules, evaluate and tick: {typical_us:.1f} us typical")
    assert engine.active() == ()
    assert min(costs_us) < limit_us


@pytest.mark.parametrize("ill_every", [100, 1], ids=["few in trouble", "all in trouble"])
def test_ten_thousand_rules_over_six_thousand_readings_a_second_would_take_less_than_a_third_of_a_core(
    ill_every: int, capsys: pytest.CaptureFixture[str]
) -> None:
    devices, seconds = 50, 20
    judged_s, _ = min(cost(devices, seed, seconds, ill_every) for seed in (1, 2))
    share = judged_s / (devices * len(CHANNELS)) * 6_000
    with capsys.disabled():
        print(f"\n10,000 rules over 6,000 readings/s: {100 * share:.1f} % of a core")
    assert share < 0.30
