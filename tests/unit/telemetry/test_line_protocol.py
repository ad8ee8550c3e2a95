"""Whatever a channel is called, its line reads back as what was written, and as nothing else."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.reading import Quality, Reason
from cultureops.telemetry.frame import Columns
from cultureops.telemetry.line_protocol import Encoder, Labels, escape_measurement, head
from cultureops.telemetry.points import Points
from cultureops.telemetry.store import ChannelInfo

NASTY = st.text(
    st.one_of(st.sampled_from("\\,= \n\r\t\"#%'25CaF\x00\x7f/é°"), st.characters(exclude_categories=["Cs"])), min_size=1
)


def unescaped(text: str) -> str:
    """Take the server's escapes off, then ours."""
    plain = re.sub(r"\\([,= ])", r"\1", text)
    return re.sub(r"%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), plain)


def split(text: str, at: str) -> list[str]:
    """Split where a separator is not escaped, as a server does."""
    return re.split(rf"(?<!\\){at}", text)


def parse(line: str) -> tuple[str, dict[str, str], dict[str, str], int]:
    """Read a line as a server does."""
    series, fields, at = split(line, " ")
    measurement, *tags = split(series, ",")
    pairs = [split(tag, "=") for tag in tags]
    assert all(len(pair) == 2 and all(pair) for pair in pairs)
    return (
        unescaped(measurement),
        {unescaped(key): unescaped(value) for key, value in pairs},
        dict(field.split("=") for field in fields.split(",")),
        int(at),
    )


@given(NASTY, st.dictionaries(NASTY, NASTY, max_size=4))
def test_names_read_back(measurement: str, tags: dict[str, str]) -> None:
    written = head(measurement, tags)
    assert "\n" not in written and not written.startswith("#")
    assert parse(f"{written} quality=0i 1")[:2] == (measurement, tags)


@given(st.lists(NASTY, min_size=2, max_size=2, unique=True))
def test_two_names_never_become_one(names: list[str]) -> None:
    assert escape_measurement(names[0]) != escape_measurement(names[1])


def rows(points: list[tuple[int, float | None, Quality, Reason]]) -> Columns:
    at, value, quality, reason = zip(*points, strict=True)
    source_ms = np.array(at, np.int64)
    return Columns(
        np.zeros(len(at), np.int64),
        np.ones(len(at), np.int64),
        Points(
            source_ms,
            source_ms,
            np.array([np.nan if v is None else v for v in value]),
            np.array(quality, np.uint8),
            np.array(reason, np.uint8),
        ),
    )


READINGS = st.one_of(
    st.tuples(
        st.integers(0, 2**42),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from([Quality.GOOD, Quality.UNCERTAIN]),
        st.sampled_from(Reason),
    ),
    st.tuples(st.integers(0, 2**42), st.none(), st.just(Quality.BAD), st.sampled_from(Reason)),
)


@given(st.lists(READINGS, min_size=1, max_size=12), st.integers(1, 5), NASTY, NASTY)
def test_readings_read_back(
    points: list[tuple[int, float | None, Quality, Reason]], most_lines: int, device: str, name: str
) -> None:
    labels = Labels("A site", {device: "left, top"})
    channel = f"{device}/{name.replace('/', '_')}"
    bodies = list(Encoder(labels).bodies(rows(points), {1: channel}, {channel: ChannelInfo("Cel")}, most_lines))
    assert all(1 <= len(body.split(b"\n")) <= most_lines for body in bodies)
    lines = [line for body in bodies for line in body.decode().split("\n")]
    assert len(lines) == len(points)
    for line, (at, value, quality, reason) in zip(lines, points, strict=True):
        fields = {"quality": f"{quality:d}i", "reason_code": f"{reason:d}i"}
        found = parse(line)
        if value is not None:
            assert float(found[2].pop("value")) == value
        assert found[2:] == (fields, at)


def test_a_channel_of_a_device() -> None:
    labels = Labels("North", {"incubator_1": "left", "counter_1": None})
    assert labels.head("incubator_1/co2", ChannelInfo("%")) == "co2,chamber=left,device=incubator_1,site=North,unit=%"
    simulated = ChannelInfo("1", simulated=True)
    assert labels.head("counter_1/door", simulated) == "door,device=counter_1,simulated=true,site=North,unit=1"


def test_a_fact_of_a_batch() -> None:
    found = Labels("North", {}).head("batch:B-2026-001/confluence", ChannelInfo("%"))
    assert found == "batch_confluence,batch=B-2026-001,site=North,unit=%"


def test_a_unit_that_changes_changes_the_tags() -> None:
    encoder, points = Encoder(Labels("North", {})), rows([(1, 2.0, Quality.GOOD, Reason.NONE)])
    bodies = [next(encoder.bodies(points, {1: "a/t"}, {"a/t": ChannelInfo(unit)}, 9)) for unit in ("Cel", "K")]
    assert bodies == [
        b"t,device=a,site=North,unit=Cel value=2.0,quality=192i,reason_code=0i 1",
        b"t,device=a,site=North,unit=K value=2.0,quality=192i,reason_code=0i 1",
    ]
