import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.analysis.growth_curve import MODELS, Model
from cultureops.analysis.growth_fit import CannotFit, GrowthFit, fit_growth

DAYS = np.arange(0, 11 * 24, 24.0)


def exponential(t: np.ndarray, n0: float, r: float) -> np.ndarray:
    return n0 * np.exp(r * t)


def logistic(t: np.ndarray, n0: float, r: float, k: float) -> np.ndarray:
    return k / (1 + (k / n0 - 1) * np.exp(-r * t))


def gompertz(t: np.ndarray, n0: float, r: float, k: float) -> np.ndarray:
    return k * np.exp(math.log(n0 / k) * np.exp(-r * t))


def fitted(t: np.ndarray, y: np.ndarray, model: Model | None = None) -> GrowthFit:
    found = fit_growth(t.tolist(), y.tolist(), model)
    assert isinstance(found, GrowthFit), found
    return found


def reason(t: list[float], y: list[float], model: Model | None = None) -> str:
    found = fit_growth(t, y, model)
    assert isinstance(found, CannotFit), found
    return found.reason


def values(fit: GrowthFit) -> dict[str, float]:
    return {name: interval.value for name, interval in fit.parameters.items()}


def test_the_worked_example_of_growthcurver() -> None:
    t = np.linspace(0, 24, 25)
    found = fitted(t, logistic(t, 1e-5, 1.2, 0.5))
    assert found.model == "logistic" and found.n == 25
    assert values(found) == pytest.approx({"n0": 1e-5, "r": 1.2, "k": 0.5}, rel=1e-6)
    assert found.t_mid == pytest.approx(9.02, abs=0.005)
    assert found.auc == pytest.approx(7.49, abs=0.005)
    assert found.doubling_time == pytest.approx(math.log(2) / 1.2)
    assert found.r2 == pytest.approx(1)


@pytest.mark.parametrize("model", MODELS)
def test_area_and_middle_are_those_of_the_curve(model: Model) -> None:
    fine = np.linspace(30, 270, 4001)
    curves = {"exponential": exponential(fine, 2e4, 0.01), "logistic": logistic(fine, 2e4, 0.03, 1e6)}
    y = curves.get(model, gompertz(fine, 2e4, 0.02, 1e6))
    found = fitted(fine[::400], y[::400], model)
    assert found.auc == pytest.approx(float(np.trapezoid(y, fine)), rel=1e-5)
    if model == "exponential":
        assert found.t_mid is None
    else:
        assert found.t_mid == pytest.approx(float(np.interp(5e5, y, fine)), abs=0.01)


def test_a_gompertz_culture_doubles_fastest_at_its_first_observation() -> None:
    first = fitted(DAYS, gompertz(DAYS, 1e4, 0.02, 1e6))
    assert first.doubling_time == pytest.approx(math.log(2) / (0.02 * math.log(100)))


@settings(max_examples=5)
@given(st.floats(1e-3, 1e6), st.floats(20, 60), st.floats(20, 200))
def test_curves_without_noise_are_found_again(n0: float, doubling_h: float, growth: float) -> None:
    rate = math.log(2) / doubling_h
    grown = fitted(DAYS, exponential(DAYS, n0, rate))
    assert grown.model == "exponential"
    assert values(grown) == pytest.approx({"n0": n0, "r": rate}, rel=1e-5)
    assert grown.doubling_time == pytest.approx(doubling_h, rel=1e-5)
    t = np.linspace(0, 1.6 * math.log(growth) / rate, 12)
    full = fitted(t, logistic(t, n0, rate, growth * n0))
    assert full.model == "logistic"
    assert values(full) == pytest.approx({"n0": n0, "r": rate, "k": growth * n0}, rel=1e-5)
    slowed = fitted(t, gompertz(t, n0, rate / 2, growth * n0))
    assert slowed.model == "gompertz"
    assert values(slowed) == pytest.approx({"n0": n0, "r": rate / 2, "k": growth * n0}, rel=1e-5)


def test_units_and_order_do_not_matter() -> None:
    rng = np.random.default_rng(5)
    y = logistic(DAYS, 2e4, 0.04, 1e6) + rng.normal(0, 2e4, len(DAYS))
    one = fitted(DAYS, y, "logistic")
    other = fitted(DAYS[::-1] / 24, y[::-1] * 1e-6, "logistic")
    for name, unit in (("n0", 1e-6), ("r", 24.0), ("k", 1e-6)):
        a, b = one.parameters[name], other.parameters[name]
        assert [b.value, b.low, b.high] == pytest.approx([x * unit for x in (a.value, a.low, a.high)], rel=1e-4)
    assert other.doubling_time * 24 == pytest.approx(one.doubling_time, rel=1e-4)


def test_n0_stands_at_time_zero_wherever_the_observations_begin() -> None:
    later = fitted(DAYS + 100, logistic(DAYS + 100, 1e3, 0.03, 1e6), "logistic")
    assert values(later) == pytest.approx({"n0": 1e3, "r": 0.03, "k": 1e6}, rel=1e-5)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    hits = {"n0": 0, "r": 0, "k": 0}
    truth = {"n0": 0.02, "r": 0.035, "k": 1.0}
    cultures = 40
    for _ in range(cultures):
        noisy = np.maximum(0, logistic(DAYS, **truth) + rng.normal(0, 0.03, len(DAYS)))
        found = fitted(DAYS, noisy, "logistic")
        for name, interval in found.parameters.items():
            assert interval.low < interval.value < interval.high
            hits[name] += interval.low <= truth[name] <= interval.high
    assert all(hit >= 0.87 * cultures for hit in hits.values()), hits


def test_noise_is_not_taken_for_growth() -> None:
    rng = np.random.default_rng(11)
    refused = sum(isinstance(fit_growth(DAYS.tolist(), rng.normal(1, 0.1, 11).tolist()), CannotFit) for _ in range(12))
    assert refused >= 10


@pytest.mark.parametrize(
    ("t", "y", "model", "said"),
    [
        ([], [], None, "too few points: 0 different times, 4 are needed"),
        ([0, 24, 48], [1, 2, 4], None, "too few points: 3 different times"),
        ([0, 24], [1, 2], "exponential", "too few points: 2 different times, 3 are needed"),
        ([0, 24, 48], [1, 2, 3], "logistic", "too few points: 3 different times, 4 are needed"),
        ([0, 0, 0, 0, 0], [1, 2, 3, 4, 5], None, "too few points: 1 different times"),
        ([0, 1, 2, 3, 4], [5, 5, 5, 5, 5], None, "no growth: all values are the same"),
        ([0, 1, 2, 3, 4], [0, 0, 0, 0, 0], None, "no growth: all values are the same"),
        ([0, 1, 2, 3, 4, 5], [32, 16, 8, 4, 2, 1], None, "the values fall"),
        ([0, 1, 2, 3, 4, 5], [5, 4, 6, 5, 4, 5.5], "exponential", "no growth: a constant describes"),
        ([0, 1, 2, 3, 4, math.nan], [1, 2, 3, 4, 5, 6], None, "not a finite number"),
        ([0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, math.inf], None, "not a finite number"),
        ([0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, -6], None, "the value -6 is negative"),
        ([0, 1, 2, 3, 4, 5], [1e300, 2e300, 4e300, 8e300, 16e300, 32e300], None, "too large or too small"),
        ([0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 4, 8, 16, 32, 64, 128], "logistic", "no plateau is seen"),
        ([0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 4, 8, 16, 32, 64, 128], "gompertz", "no plateau is seen"),
        ([0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 1, 1], None, "too few points lie on the slope"),
        ([0, 1, 2, 3, 4, 5, 6, 7], [0, 0, 0, 0, 0, 0, 0, 1], None, "not identifiable"),
    ],
)
def test_what_cannot_be_fitted_says_why(t: list[float], y: list[float], model: Model | None, said: str) -> None:
    assert said in reason(t, y, model)


def test_a_plateau_rules_the_exponential_out_even_where_the_way_up_was_missed() -> None:
    t, y = [float(day) for day in range(9)], [0.0, 0.01, 0.0, 0.01, 0.0, 0.02, 1.0, 1.01, 1.0]
    assert isinstance(fit_growth(t, y, "exponential"), GrowthFit)
    assert "too few points lie on the slope" in reason(t, y)


def test_noise_opens_the_interval() -> None:
    rng = np.random.default_rng(2)
    y = logistic(DAYS, 0.02, 0.035, 1.0)
    widths = []
    for sd in (0.0, 0.01, 0.04):
        k = fitted(DAYS, y + rng.normal(0, sd, len(y)).clip(-y), "logistic").parameters["k"]
        widths.append(k.high - k.low)
    assert all(a < b for a, b in pairwise(widths))


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match="as many values as times"):
        fit_growth([1, 2], [1])
    with pytest.raises(ValueError, match="no growth model; known: exponential, logistic, gompertz"):
        fit_growth([1, 2], [1, 2], "weibull")  # type: ignore[arg-type]


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True)),
        max_size=8,
    )
)
def test_any_numbers_get_an_answer(points: list[tuple[float, float]]) -> None:
    found = fit_growth([t for t, _ in points], [y for _, y in points])
    assert isinstance(found, GrowthFit) or found.reason


@settings(max_examples=10)
@given(st.lists(st.floats(0, 1e6), min_size=4, max_size=8), st.sampled_from(MODELS))
def test_what_is_reported_is_finite_and_in_order(y: list[float], model: Model) -> None:
    found = fit_growth([float(day) for day in range(len(y))], sorted(y), model)
    if isinstance(found, GrowthFit):
        assert found.doubling_time > 0 and math.isfinite(found.doubling_time) and math.isfinite(found.auc)
        assert all(0 <= p.low <= p.value <= p.high < math.inf for p in found.parameters.values())
