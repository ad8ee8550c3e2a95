"""What a Pioreactor's messages are worth: by state, age, repetition and form."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.base import TopicLink, TopicMessage
from cultureops.errors import ConfigError, DriverTimeout, NotConnected, ProtocolError
from cultureops.testing import MemoryLink
from cultureops_drivers.pioreactor import Pioreactor, create
from cultureops_drivers.pioreactor.protocol import JobState, number_of, state_of

HERE = "pioreactor/pio-1/msc-7"
GIVEN = {"unit": "pio-1", "experiment": "msc-7"}
TEMPERATURE = f"{HERE}/temperature_automation/temperature"
RPM = f"{HERE}/stirring/measured_rpm"
WARM = b'{"timestamp":"2026-01-05T08:00:00.000000Z","temperature":36.95}'
STIRRED = b'{"measured_rpm":501.3,"timestamp":"2026-01-05T08:00:00Z"}'


class Topics:
    """A TopicLink in memory, whose time and messages the test decides; nothing live is a time-out at once."""

    def __init__(self) -> None:
        self.filters: list[str] = []
        self.is_there = True
        self.kept: dict[str, TopicMessage] = {}

    @property
    def is_open(self) -> bool:
        return self.is_there and bool(self.filters)

    async def open(self, topic_filter: str) -> None:
        if not self.is_there:
            raise NotConnected("memory: no broker")
        self.filters = [topic_filter]

    async def close(self, topic_filter: str) -> None:
        self.filters = []
        self.kept.clear()

    def latest(self, topic: str) -> TopicMessage | None:
        if not self.is_open:
            raise NotConnected("memory: no broker")
        return self.kept.get(topic)

    async def wait(self, topics: Collection[str]) -> None:
        if not any((heard := self.latest(topic)) and not heard.is_retained for topic in topics):
            raise DriverTimeout("memory: nothing was sent within 1 s")

    def say(self, topic: str, payload: bytes, *, age_s: float = 0.0, retained: bool = False) -> None:
        self.kept[topic] = TopicMessage(payload, asyncio.get_running_loop().time() - age_s, retained)

    def states(self, word: bytes, age_s: float = 1000.0, *jobs: str) -> None:
        for job in jobs or ("temperature_automation", "stirring"):
            self.say(f"{HERE}/{job}/$state", word, age_s=age_s, retained=True)


async def connected(**options: object) -> tuple[Topics, Pioreactor]:
    link = Topics()
    driver = create("reactor_1", link, {**GIVEN, **options})
    await driver.connect()
    return link, driver


def temperature(samples: Sequence[Sample]) -> Sample:
    return next(sample for sample in samples if sample.name == "temperature")


async def test_ready_and_fresh() -> None:
    link, driver = await connected(watch=["temperature", "agitation", "growth_rate", "volume"], od_channel=2)
    assert link.filters == [f"{HERE}/+/+"]
    link.states(b"ready", 1000.0, "temperature_automation", "stirring", "od_reading", "growth_rate_calculating")
    link.say(TEMPERATURE, WARM)
    link.say(RPM, STIRRED)
    link.say(f"{HERE}/bioreactor/current_volume_ml", b"14.25")
    link.say(f"{HERE}/growth_rate_calculating/growth_rate", b'{"growth_rate":0.025,"timestamp":"2026-01-05T08:00:00Z"}')
    od = b'{"calibrated":0,"timestamp":"2026-01-05T08:00:00Z","angle":"90","od":0.1234,"channel":"2"}'
    link.say(f"{HERE}/od_reading/od2", od)
    assert list(await driver.read()) == [
        Sample("temperature", 36.95),
        Sample("agitation", 501.3),
        Sample("growth_rate", 0.025),
        Sample("volume", 14.25),
        Sample("optical_density", 0.1234),
    ]
    assert [channel.unit for channel in driver.channels] == ["Cel", "{rev}/min", "/h", "mL", "1"]
    assert (await driver.identify()).serial_number == "pio-1"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (b"lost", Reason.NOT_CONNECTED),
        (b"disconnected", Reason.NOT_CONNECTED),
        (b"init", Reason.NOT_DELIVERED),
        (b"sleeping", Reason.NOT_DELIVERED),
        (b"asleep?", Reason.NOT_DELIVERED),
        (b"\xff", Reason.NOT_DELIVERED),
        (b"", Reason.NOT_DELIVERED),
    ],
)
async def test_a_job_that_is_not_ready_gives_no_value(word: bytes, reason: Reason) -> None:
    link, driver = await connected()
    link.states(b"ready")
    link.say(TEMPERATURE, WARM)
    link.say(RPM, STIRRED)
    link.states(word, 0.0, "temperature_automation")
    assert list(await driver.read()) == [Sample("temperature", None, reason), Sample("agitation", 501.3)]


async def test_without_a_state_nothing_counts() -> None:
    link, driver = await connected()
    link.say(TEMPERATURE, WARM)
    assert {sample.reason for sample in await driver.read()} == {Reason.NOT_DELIVERED}


async def test_all_jobs_lost_is_said_at_once() -> None:
    link, driver = await connected()
    link.states(b"lost")
    link.say(TEMPERATURE, WARM, retained=True)
    assert {sample.reason for sample in await driver.read()} == {Reason.NOT_CONNECTED}


async def test_what_the_broker_kept_is_no_value() -> None:
    link, driver = await connected()
    link.states(b"ready")
    link.say(TEMPERATURE, WARM, retained=True)
    with pytest.raises(DriverTimeout, match=r"reactor_1: .*; is pio-1 at work"):
        await driver.read()
    link.say(RPM, STIRRED)
    assert list(await driver.read()) == [
        Sample("temperature", None, Reason.NOT_DELIVERED),
        Sample("agitation", 501.3),
    ]


async def test_a_value_from_before_a_restart_is_none() -> None:
    link, driver = await connected()
    link.states(b"ready")
    link.say(TEMPERATURE, WARM, age_s=5)
    link.states(b"ready", 4.0, "temperature_automation")
    assert temperature(await driver.read()) == Sample("temperature", None, Reason.NOT_DELIVERED)
    link.say(TEMPERATURE, WARM, age_s=3)
    assert temperature(await driver.read()).value == 36.95


async def test_an_old_value_is_none() -> None:
    link, driver = await connected(stale_after_s=60)
    link.states(b"ready")
    link.say(TEMPERATURE, WARM, age_s=59)
    link.say(RPM, STIRRED, age_s=61)
    assert list(await driver.read()) == [Sample("temperature", 36.95), Sample("agitation", None, Reason.TIMEOUT)]


async def test_the_same_value_told_again_gets_no_younger() -> None:
    link, driver = await connected(stale_after_s=60)
    link.states(b"ready")
    for age_s in (61, 30, 0):
        link.say(TEMPERATURE, WARM, age_s=age_s)
        assert temperature(await driver.read()) == Sample("temperature", None, Reason.TIMEOUT)
    link.say(TEMPERATURE, WARM.replace(b"08:00:00.0", b"08:02:00.0"))
    assert temperature(await driver.read()).value == 36.95


async def test_another_form_is_no_value() -> None:
    link, driver = await connected()
    link.states(b"ready")
    link.say(RPM, STIRRED)
    for payload in (b"36.9", b'{"temperature":"hot","timestamp":"2026-01-05T08:00:00Z"}', b"{", b"[1]", b"\xff"):
        link.say(TEMPERATURE, payload)
        assert temperature(await driver.read()) == Sample("temperature", None, Reason.PROTOCOL_ERROR)
    for taken_back in (b"", b"null"):
        link.say(TEMPERATURE, taken_back)
        assert temperature(await driver.read()) == Sample("temperature", None, Reason.NOT_DELIVERED)


async def test_not_connected() -> None:
    link = Topics()
    driver = create("reactor_1", link, GIVEN)
    for ask in (driver.read, driver.identify):
        with pytest.raises(NotConnected, match="reactor_1: not connected"):
            await ask()
    await driver.connect()
    await driver.connect()
    link.is_there = False
    with pytest.raises(NotConnected):
        await driver.read()
    await driver.disconnect()
    await driver.disconnect()
    assert link.filters == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "option 'unit' must be the name of the unit"),
        ({"unit": "pio-1"}, "option 'experiment' must be the name of the experiment"),
        ({**GIVEN, "unit": "+"}, r"without \+ # and /"),
        ({**GIVEN, "watch": "temperature"}, "'watch' must be a list out of temperature, agitation"),
        ({**GIVEN, "watch": ["ph"]}, "'watch' must be a list"),
        ({**GIVEN, "watch": [["temperature"]]}, "'watch' must be a list"),
        ({**GIVEN, "watch": []}, "leave nothing to be read"),
        ({**GIVEN, "od_channel": 5}, "'od_channel' must be a photodiode from 1 to 4"),
        ({**GIVEN, "stale_after_s": 0}, "'stale_after_s' must be above 0"),
        ({**GIVEN, "host": "x"}, "'host' is unknown"),
    ],
)
def test_wrong_options(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=f"reactor_1: option .*{said.removeprefix('option ')}"):
        create("reactor_1", Topics(), options)


def test_a_wrong_link() -> None:
    assert isinstance(Topics(), TopicLink)
    with pytest.raises(ConfigError, match="reactor_1: a Pioreactor needs an mqtt://host:port link"):
        create("reactor_1", MemoryLink(lambda _: None), GIVEN)


@pytest.mark.parametrize(
    "payload",
    [
        b"1e999999",
        b"true",
        b'{"temperature":true,"timestamp":"2026-01-05T08:00:00Z"}',
        b'{"temperature":1}',
        b'{"temperature":1,"timestamp":"2026-01-05T08:00:00"}',
        b'{"temperature":1,"timestamp":"yesterday"}',
        b'{"temperature":1,"timestamp":20260105}',
        b'{"temperature":' + b"9" * 400 + b',"timestamp":"2026-01-05T08:00:00Z"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_number(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        number_of(payload, "temperature")


@given(st.binary(max_size=80), st.sampled_from(["", "temperature"]))
def test_garbage_raises_nothing_else(payload: bytes, field: str) -> None:
    for read in (lambda: number_of(payload, field), lambda: state_of(payload)):
        try:
            read()
        except ProtocolError as error:
            assert "\n" not in str(error)


def test_states() -> None:
    assert [state for state in JobState if state.is_gone] == [JobState.DISCONNECTED, JobState.LOST]
    with pytest.raises(ProtocolError, match=r"\$state: expected one of init, ready"):
        state_of(b"READY")
