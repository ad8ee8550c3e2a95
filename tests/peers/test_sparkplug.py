"""A running lab as an edge node at a real broker, read by the decoder of pysparkplug; the ids are those of the TCK."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from tests.peers.environment import Peer
from tests.ports import free_port
from tests.services.test_mosquitto import (
    SITE,
    Broker,
    OpenLab,
    broker,
    clock,
    incubator,
    opened,
    poll,
    published,
    seed_batch,
    simulated_incubator,
    status,
    until,
)

from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.device.reading import Quality
from cultureops.lab import Lab, open_lab
from cultureops.site import read_site

__all__ = ["broker", "clock", "incubator", "opened"]

MORE = """timeout_s = 0.5
[mqtt.sparkplug]
group = "Plant A"
edge_node = "Lab-1"
rebirth_gap_s = 0.1
"""
BOTH, ALONE = MORE, "json = false\n" + MORE
Said = dict[str, Any]


@dataclass
class Host:
    """What the host application heard, once its block has ended."""

    said: list[Said] = field(default_factory=list)

    def of(self, *types: str, device: str | None = None) -> list[Said]:
        return [said for said in self.said if said["type"] in types and said["device"] == device]


@pytest.fixture
def host(peer: Callable[[str], Peer], broker: Broker) -> Callable[..., Any]:
    found = peer("pysparkplug")

    @asynccontextmanager
    async def hearing(asks: int = 0) -> AsyncIterator[Host]:
        heard = Host()
        work = asyncio.create_task(asyncio.to_thread(found.run, "pysparkplug_host.py", str(broker.port), str(asks)))
        async with aiomqtt.Client("127.0.0.1", broker.port, timeout=5) as client:
            await client.subscribe("ready", qos=1)
            async with asyncio.timeout(20):
                await anext(aiter(client.messages))
            try:
                yield heard
            finally:
                async with aiomqtt.Client("127.0.0.1", broker.port, timeout=5) as last:
                    await last.publish("end", b"", qos=1)
                heard.said = await work

    return hearing


def metrics(said: Said) -> dict[str, Said]:
    return {metric["name"]: metric for metric in said["metrics"]}


def check_order(host: Host) -> None:
    """Numbers, births before data, and deaths after births, over every message in the order in which it came."""
    expected: int | None = None
    session: int | None = None
    born: set[str] = set()
    aliases: dict[int, tuple[str | None, str]] = {}
    for said in host.said:
        kind, device = said["type"], said["device"]
        assert (said["group"], said["node"]) == ("Plant A", "Lab-1")
        assert not said["retain"], "payloads-nbirth-retain and its like"
        assert said["at"] > 0, "payloads-timestamp-in-UTC"
        if kind == "NDEATH":
            assert said["seq"] is None, "payloads-ndeath-seq"
            assert said["qos"] == 1, "payloads-ndeath-will-message-qos"
            assert [metric["name"] for metric in said["metrics"]] == ["bdSeq"], "topics-ndeath-payload"
            assert session is not None and metrics(said)["bdSeq"]["value"] == session, "payloads-nbirth-bdseq-repeat"
            expected, session, born = None, None, set()
            continue
        assert said["qos"] == 0, "payloads-nbirth-qos, payloads-dbirth-qos, payloads-ddata-qos"
        if kind == "NBIRTH":
            expected, born = 0, set()
            own = metrics(said)
            assert own["bdSeq"]["type"] == "INT64" and 0 <= own["bdSeq"]["value"] <= 255, "payloads-nbirth-bdseq"
            session = own["bdSeq"]["value"]
            rebirth = own["Node Control/Rebirth"]
            assert (rebirth["type"], rebirth["value"]) == ("BOOLEAN", False), "payloads-nbirth-rebirth-req"
            assert rebirth["alias"] is None, "operational-behavior-data-commands-rebirth-name-aliases"
        assert expected is not None, "nothing is said before a birth, or after a death"
        assert said["seq"] == expected, "payloads-sequence-num-incrementing"
        expected = (expected + 1) % 256
        if kind == "DBIRTH":
            born.add(device)
        elif kind in ("DDATA", "DDEATH"):
            assert device in born, f"{kind} without a DBIRTH"
            born -= {device} if kind == "DDEATH" else set()
        if kind == "DDEATH":
            assert said["metrics"] == []
        for metric in said["metrics"]:
            if "BIRTH" in kind:
                assert metric["names_itself"] and metric["says_type"], "payloads-name-birth-data-requirement"
                assert metric["at"] > 0, "payloads-metric-timestamp-in-UTC"
                if metric["alias"] is not None:
                    known = aliases.setdefault(metric["alias"], (device, metric["name"]))
                    assert known == (device, metric["name"]), "payloads-alias-uniqueness"
            else:
                assert metric["alias"] and not metric["names_itself"], "payloads-alias-data-cmd-requirement"
                assert not metric["says_type"], "payloads-metric-datatype-not-req"
            if "Quality" in metric["properties"]:
                kind_of, value = metric["properties"]["Quality"]
                assert kind_of == 3 and value in (0, 192, 500), "payloads-propertyset-quality-value-type and -value"
                assert metric["is_null"] == (metric["properties"]["OpcQuality"][1] == Quality.BAD)


def shown(lab: Lab, host: Host, device: str) -> None:
    """The last that was said of each metric is what the store has."""
    last: dict[str, Said] = {}
    for said in host.of("DBIRTH", "DDATA", device=device):
        last |= metrics(said)
    for name, metric in last.items():
        reading = lab.store.latest()[f"{device}/{name}"]
        assert metric["value"] == reading.value and metric["at"] == reading.source_time
        assert metric["properties"]["OpcQuality"][1] == int(reading.quality)
        assert metric["properties"]["Reason"][1] == reading.reason.text


async def reconnected(lab: Lab, clock: SteppedClock) -> None:
    async with asyncio.timeout(20):
        while not status(lab).connected:
            clock.advance(60_000)
            await asyncio.sleep(0.01)


async def test_a_host_reads_births_data_and_deaths(
    host: Callable[..., Any], opened: OpenLab, clock: SteppedClock
) -> None:
    async with host() as heard, opened(BOTH) as lab:
        await published(lab)
        for _ in range(3):
            await poll(lab, clock)
            await published(lab)
        await seed_batch(lab, clock)
        await published(lab)
        await poll(lab, clock)
        await published(lab)
    check_order(heard)
    assert (heard.said[0]["type"], heard.said[-1]["type"]) == ("NBIRTH", "NDEATH")
    birth = metrics(heard.of("DBIRTH", device="incubator_1")[0])
    co2 = birth["co2"]
    assert co2["type"] == "DOUBLE" and 4 < co2["value"] < 6
    assert co2["properties"] | {} == {
        "Quality": [3, 192], "OpcQuality": [3, 192], "Reason": [12, ""], "engUnit": [12, "%"], "Simulated": [11, True],
    }  # fmt: skip
    assert not heard.of("DBIRTH", "DDATA", "DDEATH", device="incubator_2"), "it never answered"
    assert len(heard.of("DDATA", device="incubator_1")) >= 3
    shown(lab, heard, "incubator_1")
    assert metrics(heard.of("DBIRTH", device="batch:B-1")[-1])["passage"]["value"] == 0
    node = {name: metric for said in heard.of("NBIRTH", "NDATA") for name, metric in metrics(said).items()}
    assert node["Alarms/incubator_2/communication/State"]["value"] == "UNACK"
    high = node["Alarms/incubator_1/co2/high/Active"]
    assert high["value"] is True and high["type"] == "BOOLEAN"
    assert "B-1" in node["Alarms/incubator_1/co2/high/State"]["properties"]["Batches"][1]
    assert node["Properties/Site"]["value"] == "Lab 1"


async def test_a_device_that_goes_dies_and_is_born_again(
    host: Callable[..., Any], tmp_path: Path, broker: Broker, clock: SteppedClock
) -> None:
    port = free_port()
    (tmp_path / "site.toml").write_text(SITE.format(broker=broker.port, incubator=port, more=ALONE, kind="high"))
    (tmp_path / "data").mkdir()
    site = read_site(tmp_path / "site.toml")
    async with host() as heard, open_lab(site, tmp_path / "data", clock, SeededEntropy(clock.now())) as lab:
        for is_on in (True, False, True):
            with simulated_incubator(port) if is_on else nullcontext():
                await published(lab)
                await poll(lab, clock, 3)
                await published(lab)
    check_order(heard)
    kinds = [said["type"] for said in heard.of("DBIRTH", "DDEATH", "DDATA", device="incubator_1")]
    assert (kinds.count("DDEATH"), kinds.count("DBIRTH")) == (1, 2)
    assert kinds[0] == "DBIRTH" and kinds[kinds.index("DDEATH") + 1] == "DBIRTH"


async def test_a_rebirth_that_is_asked_for(host: Callable[..., Any], opened: OpenLab, clock: SteppedClock) -> None:
    async with host(asks=2) as heard, opened(ALONE) as lab:
        await published(lab)
        await poll(lab, clock)
        await until(lambda: status(lab).sent >= 6)
        await asyncio.sleep(0.3)
        await published(lab)
    check_order(heard)
    births = heard.of("NBIRTH")
    assert len(births) == 3
    numbers = {metrics(birth)["bdSeq"]["value"] for birth in births}
    assert len(numbers) == 1, "operational-behavior-data-commands-rebirth-action-3"
    last = heard.said.index(births[-1])
    assert heard.said[last + 1]["type"] == "DBIRTH", "operational-behavior-data-commands-rebirth-action-2"


async def test_a_broker_that_was_away_is_told_in_order_again(
    host: Callable[..., Any], opened: OpenLab, broker: Broker, clock: SteppedClock
) -> None:
    async with opened(ALONE) as lab:
        await published(lab)
        await poll(lab, clock)
        await published(lab)
        broker.kill()
        await until(lambda: status(lab).last_error is not None)
        broker.start()
        async with host() as heard:
            await reconnected(lab, clock)
            await poll(lab, clock)
            await published(lab)
    check_order(heard)
    assert Counter(said["type"] for said in heard.said)["NBIRTH"] == 1
    assert metrics(heard.of("NBIRTH")[0])["bdSeq"]["value"] > 0, "topics-nbirth-bdseq-increment"
    assert heard.of("DBIRTH", device="incubator_1")


async def test_the_broker_says_that_a_lost_node_is_dead(
    host: Callable[..., Any], opened: OpenLab, broker: Broker, clock: SteppedClock
) -> None:
    async with host() as heard, opened(ALONE) as lab:
        await published(lab)
        await poll(lab, clock)
        await published(lab)
        # Whoever comes with the same name takes the session over: for the broker the node is lost.
        async with aiomqtt.Client("127.0.0.1", broker.port, identifier="cultureops-lab-1-sparkplug", timeout=5):
            await until(lambda: status(lab).last_error is not None)
        await reconnected(lab, clock)
        await published(lab)
    check_order(heard)
    deaths, births = heard.of("NDEATH"), heard.of("NBIRTH")
    assert [metrics(said)["bdSeq"]["value"] for said in deaths] == [0, 1], "payloads-ndeath-will-message"
    assert [metrics(said)["bdSeq"]["value"] for said in births] == [0, 1], "topics-nbirth-bdseq-increment"
    assert heard.said.index(deaths[0]) < heard.said.index(births[1])
