"""What a batch lived through: stays, chambers and sensors put together from a real store."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from cultureops.analysis.storage_clock import Interval
from cultureops.batch.parts import Occupancy
from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.environment import environment_of, in_all, out_of_storage, time_above
from cultureops.telemetry import ChannelInfo, EmbeddedStore, Watch

START = 1_767_614_400_000
"""2026-01-05T12:00Z"""


def at(minute: int) -> int:
    return START + minute * MINUTE_MS


def incubator(stay: Occupancy) -> Sequence[Watch]:
    return [Watch(f"{stay.chamber}/temperature", 36.5, 37.5, 3 * MINUTE_MS)] if stay.chamber != "bench" else []


async def store_with(path: Path, channels: dict[str, list[float | None]]) -> EmbeddedStore:
    """Return a store that holds one reading a minute of each channel; None is BAD."""
    store = EmbeddedStore.open(path / "telemetry")
    store.declare({name: ChannelInfo("Cel") for name in channels})
    for name, values in channels.items():
        await store.append([
            Reading(name, value, Quality.BAD if value is None else Quality.GOOD,
                    Reason.TIMEOUT if value is None else Reason.NONE, at(minute), at(minute))
            for minute, value in enumerate(values)
        ])  # fmt: skip
    return store


async def test_every_stay_has_its_record(tmp_path: Path) -> None:
    """An hour in one incubator, ten minutes on the bench, then in another one that gets warm, where they still are."""
    warm = [37.0 if not 80 <= minute < 90 else 38.5 for minute in range(121)]
    store = await store_with(tmp_path, {"inc_1/temperature": [37.0] * 61, "inc_2/temperature": warm})
    stays = [
        Occupancy("flasks", "inc_1", at(0), at(60)),
        Occupancy("flasks", "bench", at(60), at(70)),
        Occupancy("flasks", "inc_2", at(70), None),
    ]
    first, bench, second = await environment_of(store, stays, incubator, at(120))
    assert [one.stay for one in (first, bench, second)] == stays
    record = first.channels["inc_1/temperature"]
    assert (record.covered_s, record.unknown_s, record.out_of_range_s, record.mean) == (3600, 0, 0, 37)
    assert bench.channels == {}
    record = second.channels["inc_2/temperature"]
    assert (record.end, record.covered_s, record.unknown_s) == (at(120), 50 * 60, 0)
    assert record.above_s == pytest.approx((9 + 2 * 2 / 3) * 60)
    await store.close()


async def test_stays_in_one_chamber_add_up(tmp_path: Path) -> None:
    store = await store_with(tmp_path, {"inc_1/temperature": [36.0] * 30 + [37.0] * 200})
    stays = [Occupancy("flasks", "inc_1", at(0), at(20)), Occupancy("flasks", "inc_1", at(100), at(150))]
    found = in_all(await environment_of(store, stays, incubator, at(200)))
    assert list(found) == [("inc_1", "inc_1/temperature")]
    whole = found["inc_1", "inc_1/temperature"]
    assert (whole.covered_s, whole.below_s, whole.degree_minutes_below) == (70 * 60, 20 * 60, 10)
    assert whole.mean == pytest.approx((20 * 36 + 50 * 37) / 70)
    await store.close()


async def test_frozen_time_above_a_limit_counts_storage_handling_and_doubt(tmp_path: Path) -> None:
    """Two hours in LN2 vapour with a lid left open for 5 min, 4 min of carrying, then a store whose sensors fail."""
    vapour = [-180.0 if not 30 <= minute < 35 else -120.0 for minute in range(121)]
    failing: list[float | None] = [-190.0] * 150 + [None] * 10 + [-190.0] * 41
    channels = {
        "ln2_1/temp_a": [*vapour], "ln2_1/temp_b": [-190.0] * 121,
        "ln2_2/temp_a": [-190.0] * 201, "ln2_2/temp_b": failing,
    }  # fmt: skip
    store = await store_with(tmp_path, channels)
    stays = [Occupancy("vials", "ln2_1", at(0), at(120)), Occupancy("vials", "ln2_2", at(124), None)]
    handlings = out_of_storage(stays)
    assert handlings == (Interval(at(120), at(124)),)

    def sensors(stay: Occupancy) -> Sequence[Watch]:
        return [Watch(f"{stay.chamber}/{name}", None, -150.0, 3 * MINUTE_MS) for name in ("temp_a", "temp_b")]

    found = await time_above(store, stays, sensors, -135.0, handlings, at(200))
    assert found.above_s == pytest.approx((4 + 2 * 15 / 60) * 60)
    assert (found.unknown_s, found.handling_s, found.limit) == (11 * 60, 4 * 60, -135.0)
    assert found.total_s == found.above_s + 15 * 60
    blind = await time_above(store, stays, lambda stay: [], -135.0, (), at(200))
    assert (blind.above_s, blind.unknown_s) == (0, (120 + 76) * 60)
    await store.close()


def test_out_of_storage_is_what_lies_between_stays() -> None:
    def stay(placed: int, taken: int | None) -> Occupancy:
        return Occupancy("flasks", "inc_1", at(placed), None if taken is None else at(taken))

    assert out_of_storage([]) == ()
    assert out_of_storage([stay(0, 10), stay(10, None)]) == ()
    assert out_of_storage([stay(30, 50), stay(0, 10)]) == (Interval(at(10), at(30)), Interval(at(50), None))
    assert out_of_storage([stay(0, 60), stay(10, 20), stay(70, None)]) == (Interval(at(60), at(70)),)
    assert out_of_storage([stay(0, None), stay(10, 20)]) == ()


async def test_a_stay_that_begins_after_now_lasts_no_time(tmp_path: Path) -> None:
    store = await store_with(tmp_path, {"inc_1/temperature": [37.0]})
    stay = Occupancy("flasks", "inc_1", START + HOUR_MS, None)
    (found,) = await environment_of(store, [stay], incubator, START)
    assert found.channels["inc_1/temperature"].unknown == ()
    await store.close()
