"""Forecasts of the time to a confluence: as right as they say on simulated cultures, None where nothing can be said."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.analysis.forecast import Confluence, Forecast, forecast_confluence

SD = 5.0


def culture(doubling_h: float, start: float, shape: float = 1.0) -> tuple[Callable[[float], float], float]:
    """Return confluence [%] by hours, and the hours to 80 %; written apart from the forecast's own formulas."""
    rate = math.log(2) / doubling_h

    def pct(hours: float) -> float:
        return 100 / (1 + (start**-shape - 1) * math.exp(-rate * shape * hours)) ** (1 / shape)

    return pct, math.log((start**-shape - 1) / (0.8**-shape - 1)) / (rate * shape)


def seen(pct: Callable[[float], float], times: list[float], rng: np.random.Generator | None = None) -> list[Confluence]:
    noise = [0.0] * len(times) if rng is None else rng.normal(0, SD, len(times)).tolist()
    return [Confluence(t, min(max(pct(t) + e, 0.0), 100.0), SD) for t, e in zip(times, noise, strict=True)]


def covered(doubling_times_h: tuple[float, ...], shape: float, every_h: float, cultures: int) -> float:
    rng = np.random.default_rng([int(every_h), int(10 * shape)])
    hits = forecasts = 0
    for number in range(cultures):
        pct, truth = culture(doubling_times_h[number % len(doubling_times_h)], rng.uniform(0.05, 0.15), shape)
        times = [float(t) for t in np.arange(rng.uniform(12, 48), truth, every_h)]
        if len(times) < 3:
            continue
        found = forecast_confluence(seen(pct, times[: rng.integers(3, len(times) + 1)], rng))
        if found.time_h is not None and found.low_h is not None and found.high_h is not None:
            assert found.low_h <= found.time_h <= found.high_h
            forecasts += 1
            hits += found.low_h <= truth <= found.high_h
    assert forecasts >= 0.5 * cultures
    return hits / forecasts


@pytest.mark.parametrize("every_h", [48.0, 72.0, 96.0])
def test_the_80_percent_interval_holds_the_truth_in_about_80_percent(every_h: float) -> None:
    assert 0.72 <= covered((48, 60, 72, 96), 1.0, every_h, 70) <= 0.96


@pytest.mark.parametrize("shape", [0.5, 4.0])
def test_cultures_that_slow_down_earlier_or_later_are_held_too(shape: float) -> None:
    assert covered((36, 48, 72, 96), shape, 48.0, 60) >= 0.66


def test_without_noise_the_truth_is_near() -> None:
    pct, truth = culture(48, 0.1)
    found = forecast_confluence([Confluence(t, pct(t), 1.0) for t in (24.0, 72.0, 120.0, 168.0)])
    assert found.time_h == pytest.approx(truth, abs=6)
    assert found.level == 0.8 and found.target_pct == 80.0 and found.reason == ""


def test_the_interval_widens_with_noise_and_with_the_way_ahead() -> None:
    pct, _ = culture(72, 0.1)

    def width(times: tuple[float, ...], sd: float, level: float = 0.8) -> float:
        found = forecast_confluence([Confluence(t, pct(t), sd) for t in times], level=level)
        assert found.low_h is not None and found.high_h is not None
        return found.high_h - found.low_h

    assert width((24, 96, 168), 2) < width((24, 96, 168), 5)
    assert width((24, 96, 168, 240), 5) < width((24, 96, 168), 5)
    assert width((24, 96, 168), 5, level=0.8) < width((24, 96, 168), 5, level=0.95)


def flat(found: Forecast) -> str:
    assert found.time_h is None and found.low_h is None and found.high_h is None
    return found.reason


@pytest.mark.parametrize("times", [[], [24.0], [24.0, 72.0], [24.0, 24.0, 72.0]])
def test_no_forecast_from_fewer_than_three_times(times: list[float]) -> None:
    pct, _ = culture(48, 0.1)
    assert "too few observations" in flat(forecast_confluence(seen(pct, times)))


@pytest.mark.parametrize("pcts", [(30.0, 30.0, 30.0), (30.0, 33.0, 31.0), (60.0, 40.0, 20.0), (0.0, 0.0, 0.0)])
def test_no_forecast_without_growth(pcts: tuple[float, ...]) -> None:
    assert "no growth" in flat(forecast_confluence([Confluence(24.0 * i, p, SD) for i, p in enumerate(pcts)]))


def test_a_target_that_was_passed_lies_behind() -> None:
    found = forecast_confluence([Confluence(t, p, SD) for t, p in ((24, 20), (96, 60), (168, 92), (216, 97))])
    assert found.high_h is not None and found.high_h < 168


@settings(max_examples=15)
@given(
    st.floats(24, 120),
    st.floats(0.03, 0.2),
    st.integers(0, 1000),
    st.lists(st.floats(40, 95), min_size=2, max_size=4, unique=True),
)
def test_a_higher_target_is_never_reached_earlier(
    doubling_h: float, start: float, seed: int, pcts: list[float]
) -> None:
    pct, truth = culture(doubling_h, start)
    observations = seen(pct, [truth / 4, truth / 2, 3 * truth / 4], np.random.default_rng(seed))
    found = [forecast_confluence(observations, target) for target in sorted(pcts)]
    for name in ("low_h", "time_h", "high_h"):
        times = [getattr(one, name) for one in found]
        assert times == [None] * len(times) or times == sorted(times)


@settings(max_examples=10)
@given(st.floats(-1e4, 1e4), st.integers(0, 1000))
def test_the_clock_may_start_anywhere(shift: float, seed: int) -> None:
    pct, _ = culture(60, 0.1)
    observations = seen(pct, [24.0, 96.0, 168.0], np.random.default_rng(seed))
    one = forecast_confluence(observations)
    other = forecast_confluence([Confluence(o.hours + shift, o.pct, o.sd_pct) for o in observations])
    if one.time_h is None or other.time_h is None:
        assert one.reason == other.reason
    else:
        assert other.time_h - shift == pytest.approx(one.time_h, abs=0.5)


def test_the_order_of_observations_does_not_matter() -> None:
    pct, _ = culture(60, 0.1)
    observations = seen(pct, [24.0, 96.0, 168.0], np.random.default_rng(1))
    assert forecast_confluence(observations[::-1]).time_h == pytest.approx(forecast_confluence(observations).time_h)


@pytest.mark.parametrize(
    "wrong",
    [(math.nan, 50, 5), (1, -0.1, 5), (1, 100.1, 5), (1, math.nan, 5), (1, 50, 0), (1, 5, math.inf)],
)
def test_no_observation_of_nonsense(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"needs a time|is 0 to 100|must be above zero"):
        Confluence(*wrong)


@pytest.mark.parametrize(("target", "level"), [(0.0, 0.8), (100.0, 0.8), (80.0, 0.0), (80.0, 1.0), (math.nan, 0.8)])
def test_no_forecast_of_nonsense(target: float, level: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below"):
        forecast_confluence([], target, level)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 100), st.floats(1e-3, 50)), min_size=3, max_size=6))
def test_any_observations_get_an_answer(points: list[tuple[float, float, float]]) -> None:
    found = forecast_confluence([Confluence(*point) for point in points])
    if found.time_h is None:
        assert found.reason
    else:
        assert all(math.isfinite(time or math.nan) for time in (found.low_h, found.time_h, found.high_h))
