"""A trace on its way into the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from cultureops.device.channel import Channel
from cultureops.device.driver import Identity
from cultureops.device.reading import Quality, Reason, Sample
from cultureops.device.trace import Trace, TraceRow
from cultureops.errors import ConfigError
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.trace import import_trace, trace_readings

START = 1_767_600_000_000
CHANNELS = (Channel("temperature", "Cel", valid_range=(-30.0, 70.0), decimals=1), Channel("humidity", "%"))


def trace(first: float = 5.0) -> Trace:
    rows = tuple(
        TraceRow(
            START + 1000 * number,
            (Sample("temperature", first + number / 10), Sample("humidity", None, Reason.NOT_DELIVERED)),
        )
        for number in range(3)
    )
    return Trace(Identity("x", "y"), CHANNELS, rows, "m", "t.csv", "00")


async def test_readings_are_late_and_judged(tmp_path: Path) -> None:
    readings = trace_readings(trace(69.9), "shipper_7", START + 999_999)
    assert [reading.value for reading in readings] == [69.9, None, 70.0, None, None, None]
    assert readings[4].reason is Reason.OUT_OF_RANGE and readings[1].reason is Reason.NOT_DELIVERED
    assert {reading.received_time for reading in readings} == {START + 999_999}
    assert readings[0].quality is Quality.GOOD and readings[5].source_time == START + 2000
    store = EmbeddedStore.open(tmp_path)
    await import_trace(store, trace(69.9), "shipper_7", readings)
    assert store.count() == 6 and store.channels()["shipper_7/temperature"].decimals == 1
    await import_trace(store, trace(69.9), "shipper_7", readings)  # what an interrupted import left may come again
    other = trace(5.0)
    with pytest.raises(ConfigError, match=r"t\.csv: shipper_7/temperature has other readings of this stretch already"):
        await import_trace(store, other, "shipper_7", trace_readings(other, "shipper_7", START))
    await store.close()


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (ChannelInfo("K"), "is real in 'Cel' here and was real in 'K' before"),
        (ChannelInfo("Cel", simulated=True), "is real in 'Cel' here and was simulated in 'Cel' before"),
    ],
)
async def test_a_device_that_is_another_keeps_all_out(tmp_path: Path, info: ChannelInfo, said: str) -> None:
    store = EmbeddedStore.open(tmp_path)
    store.declare({"shipper_7/temperature": info})
    with pytest.raises(ConfigError, match=f"{said}; nothing was imported"):
        await import_trace(store, trace(), "shipper_7", trace_readings(trace(), "shipper_7", START))
    assert store.count() == 0 and set(store.channels()) == {"shipper_7/temperature"}
    await store.close()


@pytest.mark.parametrize("device", ["", "Shipper", "a/b", "a b", "7a"])
def test_a_device_has_a_name(device: str) -> None:
    with pytest.raises(ConfigError, match="is no device name"):
        trace_readings(trace(), device, START)
