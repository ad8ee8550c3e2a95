"""The receiver on real lines: a simulated analyser on a port, callers on ours, and disks that fail."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cultureops.device.driver import CountResult, RejectedFile, Result
from cultureops.device.transport.listen import CalledLink, listen_serial_link
from cultureops.device.transport.open import open_link
from cultureops.device.transport.serial import SerialSettings
from cultureops.errors import ConfigError, NotConnected
from cultureops_drivers.astm_counter import AstmCounter, create
from cultureops_drivers.astm_counter.spool import KeptMessage
from cultureops_simulators.astm_counter import AstmAnalyser
from cultureops_simulators.astm_counter.sender import Sender
from cultureops_simulators.culture import Suspension
from cultureops_simulators.fleet import Fleet, parse_fleet

SUSPENSION = Suspension(total_cells_per_ml=1.2e6, viable_cells_per_ml=1.14e6, volume_ml=5.0)
DEADLINE_S = 5.0
RECORDS = [
    b"H|\\^&|||x",
    b"P|1",
    b"O|1|B1.P1-harvest-1",
    b"R|1|^^^VIABILITY|95.00|%||||F||||20260105090500",
    b"R|2|^^^VIABLE|1140000|cells/mL||||F||||20260105090500",
    b"L|1|N",
]


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[tuple[AstmCounter, CalledLink]]:
    link = CalledLink("127.0.0.1", 0)
    source = create("counter_1", link, {"mapping": "example_counter", "folder": str(folder)})
    assert await source.collect() == ()
    try:
        yield source, link
    finally:
        await source.close()


async def collected(source: AstmCounter, wanted: int = 1) -> list[Result]:
    results: list[Result] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(results) < wanted:
            results += await source.collect()
            await asyncio.sleep(0.005)
        for result in results:
            source.release(result)
        assert await source.collect() == ()
    return results


async def called(link: CalledLink, messages: Sequence[Sequence[bytes]]) -> None:
    """Call the port as an instrument does, and send to the end."""
    outbox = deque(messages)
    sender = Sender(outbox)
    reader, writer = await asyncio.open_connection(*link.address)
    try:
        async with asyncio.timeout(DEADLINE_S):
            writer.write(sender.step(0.0))
            while outbox:
                answer = await reader.read(100)
                assert answer, "hung up"
                writer.write(sender.receive(answer))
            await writer.drain()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_an_instrument_that_calls_is_heard(tmp_path: Path) -> None:
    async with listening(tmp_path) as (source, link):
        await called(link, [RECORDS])
        (count,) = await collected(source)
        assert isinstance(count, CountResult) and count.sample_id == "B1.P1-harvest-1" and count.viability_pct == 95.0
        kept = (tmp_path / "done" / count.source_file).read_bytes()
        assert kept == b"".join(record + b"\r" for record in RECORDS)
        assert count.source_file == f"000001-{count.source_sha256[:16]}.astm"
        assert await source.collect() == ()


async def test_several_messages_keep_their_order(tmp_path: Path) -> None:
    def about(number: int) -> list[bytes]:
        return [record.replace(b"harvest-1", b"harvest-%d" % number) for record in RECORDS]

    async with listening(tmp_path) as (source, link):
        await called(link, [about(number) for number in range(1, 6)])
        results = await collected(source, 5)
        found = [result.sample_id for result in results if isinstance(result, CountResult)]
        assert found == [f"B1.P1-harvest-{number}" for number in range(1, 6)]


async def test_the_same_message_twice_is_one_count(tmp_path: Path) -> None:
    async with listening(tmp_path) as (source, link):
        await called(link, [RECORDS, RECORDS])
        count, rejected = await collected(source, 2)
        assert isinstance(count, CountResult) and isinstance(rejected, RejectedFile)
        assert f"came before as {count.source_file}" in rejected.error
    async with listening(tmp_path) as (source, link):  # a new run knows what came before
        await called(link, [RECORDS])
        (again,) = await collected(source)
        assert isinstance(again, RejectedFile) and "came before" in again.error
        assert again.source_file.startswith("000003-")


async def test_every_acknowledgement_stands_behind_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each ACK of a frame its text is in the part file already."""
    async with listening(tmp_path) as (_, link):
        reader, writer = await asyncio.open_connection(*link.address)
        sender = Sender(deque([RECORDS]))
        writer.write(sender.step(0.0))
        async with asyncio.timeout(DEADLINE_S):
            assert await reader.readexactly(1) == b"\x06"
            for number in range(len(RECORDS)):
                writer.write(sender.receive(b"\x06"))
                assert await reader.readexactly(1) == b"\x06"
                (part,) = tmp_path.glob(".*.part")
                assert part.read_bytes() == b"".join(record + b"\r" for record in RECORDS[: number + 1])
        writer.close()
        await writer.wait_closed()


async def test_a_disk_that_fails_means_no_acknowledgement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(message: KeptMessage, text: bytes) -> None:
        raise OSError(28, "No space left on device")

    async with listening(tmp_path) as (source, link):
        with monkeypatch.context() as patch:
            patch.setattr(KeptMessage, "keep", full)
            with pytest.raises(AssertionError, match="hung up"):
                await called(link, [RECORDS])
            with pytest.raises(NotConnected, match="No space left on device; nothing is acknowledged until it can"):
                await source.collect()
        await called(link, [RECORDS])
        assert isinstance((await collected(source))[0], CountResult)


async def test_a_cut_line_leaves_a_part_that_is_handed_over_as_such(tmp_path: Path) -> None:
    async with listening(tmp_path) as (source, link):
        reader, writer = await asyncio.open_connection(*link.address)
        sender = Sender(deque([RECORDS]))
        writer.write(sender.step(0.0))
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(3):
                writer.write(sender.receive(await reader.readexactly(1)))
            await reader.readexactly(1)
        writer.transport.abort()
        (rejected,) = await collected(source)
        assert isinstance(rejected, RejectedFile) and "the line broke within a message" in rejected.error
        assert (tmp_path / rejected.moved_to).read_bytes().startswith(b"H|\\^&|||x\rP|1\r")
        await called(link, [RECORDS])
        assert isinstance((await collected(source))[0], CountResult)


async def test_what_an_ended_program_left_is_handed_over_as_such(tmp_path: Path) -> None:
    (tmp_path / ".000007.part").write_bytes(b"H|\\^&|||x\r")
    link = CalledLink("127.0.0.1", 0)
    source = create("counter_1", link, {"mapping": "example_counter", "folder": str(tmp_path)})
    (rejected,) = await collected(source)
    assert isinstance(rejected, RejectedFile) and "when the program ended" in rejected.error
    assert rejected.source_file.startswith("000007-")
    await source.close()


async def test_a_whole_message_without_its_end_of_session_is_a_count(tmp_path: Path) -> None:
    """Its last frame was acknowledged: the instrument may never send it again."""
    whole = b"".join(record + b"\r" for record in RECORDS)
    (tmp_path / ".000007.part").write_bytes(whole.replace(b"harvest-1", b"harvest-2"))
    link = CalledLink("127.0.0.1", 0)
    source = create("counter_1", link, {"mapping": "example_counter", "folder": str(tmp_path)})
    (recovered,) = await collected(source)
    assert isinstance(recovered, CountResult) and recovered.sample_id == "B1.P1-harvest-2"
    reader, writer = await asyncio.open_connection(*link.address)
    sender = Sender(deque([RECORDS]))
    writer.write(sender.step(0.0))
    async with asyncio.timeout(DEADLINE_S):
        for _ in RECORDS:
            writer.write(sender.receive(await reader.readexactly(1)))
        await reader.readexactly(1)
    writer.transport.abort()
    (cut,) = await collected(source)
    assert isinstance(cut, CountResult) and cut.sample_id == "B1.P1-harvest-1"
    await called(link, [RECORDS])
    (again,) = await collected(source)
    assert isinstance(again, RejectedFile) and f"came before as {cut.source_file}" in again.error
    await source.close()


async def test_another_protocol_is_hung_up_and_recorded_once(tmp_path: Path) -> None:
    async with listening(tmp_path) as (source, link):
        for _ in range(2):
            reader, writer = await asyncio.open_connection(*link.address)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            async with asyncio.timeout(DEADLINE_S):
                assert await reader.read() == b""
            writer.close()
        (rejected,) = await collected(source)
        assert isinstance(rejected, RejectedFile) and "expected ENQ" in rejected.error
        assert "from 127.0.0.1:" in rejected.error
        assert await source.collect() == ()


async def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    async with listening(tmp_path / "a") as (_, link):
        host, port = link.address
        options = {"mapping": "example_counter", "folder": str(tmp_path / "b")}
        other = create("counter_2", open_link(f"listen+tcp://{host}:{port}", 1.0), options)
        with pytest.raises(NotConnected, match=f"listen\\+tcp://127.0.0.1:{port}: can't be listened on"):
            await other.collect()
        await other.close()


async def test_closed_means_closed(tmp_path: Path) -> None:
    async with listening(tmp_path) as (source, link):
        address = link.address
        reader, writer = await asyncio.open_connection(*address)
        await asyncio.sleep(0)
        await source.close()
        await source.close()
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(OSError):
                await asyncio.open_connection(*address)
            assert await reader.read() == b""
        writer.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


@asynccontextmanager
async def analyser(wire: dict[str, str | None]) -> AsyncIterator[tuple[Fleet, AstmAnalyser, str]]:
    device = {"name": "astm", "kind": "astm_counter", "wire": wire}
    fleet = Fleet(parse_fleet({"seed": 7, "devices": [device]}))
    simulator = fleet.lab.device("astm")
    assert isinstance(simulator, AstmAnalyser)
    (address,) = fleet.addresses["astm"].values()
    try:
        yield fleet, simulator, address
    finally:
        fleet.close()


@pytest.mark.parametrize("wire", ["tcp", "pty"])
async def test_the_simulated_analyser_is_heard(tmp_path: Path, wire: str) -> None:
    async with analyser({wire: "127.0.0.1:0" if wire == "tcp" else None}) as (_, simulator, address):
        link = open_link(f"dial+tcp://{address}" if wire == "tcp" else f"listen+serial://{address}", 1.0)
        source = create("counter_1", link, {"mapping": "example_counter", "folder": str(tmp_path)})
        assert await source.collect() == ()
        simulator.analyse("B1.P1-harvest-1", SUSPENSION)
        simulator.analyse("B1.P1-harvest-2", SUSPENSION)
        first, second = await collected(source, 2)
        assert isinstance(first, CountResult) and isinstance(second, CountResult)
        assert (first.sample_id, second.sample_id) == ("B1.P1-harvest-1", "B1.P1-harvest-2")
        assert first.viable_density_1e6_per_ml == pytest.approx(1.14, rel=0.2)
        assert first.flags == ("instrument_error:example_mapping",)
        assert first.counted_at_local == "2026-01-05T08:00:00"
        await source.close()


async def test_a_wire_that_garbles_never_makes_a_count(tmp_path: Path) -> None:
    async with analyser({"tcp": "127.0.0.1:0"}) as (fleet, simulator, address):
        source = create(
            "counter_1",
            open_link(f"dial+tcp://{address}", 1.0),
            {"mapping": "example_counter", "folder": str(tmp_path)},
        )
        await source.collect()
        fleet.wires["astm"].disturbance.set("garbage")
        simulator.analyse("B1.P1-harvest-1", SUSPENSION)
        for _ in range(5):
            assert not any(isinstance(result, CountResult) for result in await source.collect())
            simulator.step(16.0)
        fleet.clear("astm")
        async with asyncio.timeout(DEADLINE_S):
            results: list[Result] = []
            while not any(isinstance(result, CountResult) for result in results):
                simulator.step(16.0)
                for _ in range(20):  # a session may take that long; the simulated instrument waits for answers only
                    results += await source.collect()
                    await asyncio.sleep(0.005)
        await source.close()


async def test_a_dialled_line_that_was_cut_is_opened_again(tmp_path: Path) -> None:
    async with analyser({"tcp": "127.0.0.1:0"}) as (fleet, simulator, address):
        source = create(
            "counter_1",
            open_link(f"dial+tcp://{address}", 1.0),
            {"mapping": "example_counter", "folder": str(tmp_path)},
        )
        await source.collect()
        fleet.wires["astm"].cut()
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    await source.collect()
                except NotConnected as error:
                    assert "dial+tcp://" in str(error)
                    break
                await asyncio.sleep(0.005)
        simulator.analyse("B1.P1-harvest-1", SUSPENSION)
        fleet.wires["astm"].mend()
        assert isinstance((await collected(source))[0], CountResult)
        await source.close()


async def test_an_absent_serial_port_is_said_in_one_line(tmp_path: Path) -> None:
    link = listen_serial_link(str(tmp_path / "none"), SerialSettings(), 1.0)
    source = create("counter_1", link, {"mapping": "example_counter", "folder": str(tmp_path)})
    with pytest.raises(NotConnected, match=r"listen\+serial://.*can't be opened"):
        await source.collect()
    await source.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folder": "/x"}, "option 'mapping' is missing"),
        ({"mapping": "none", "folder": "/x"}, "option 'mapping' can't be used: .*no such mapping"),
        ({"mapping": "example_counter"}, "option 'folder' must be an absolute path"),
        ({"mapping": "example_counter", "folder": "x"}, "option 'folder' must be an absolute path"),
        ({"mapping": "example_counter", "folder": "/x", "port": 1}, "option 'port' is unknown"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^counter_1: {message}"):
        create("counter_1", CalledLink("127.0.0.1", 0), options)


def test_a_line_that_is_only_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs a listen\+tcp://"):
        create(
            "counter_1", open_link("tcp://127.0.0.1:9", 1.0), {"mapping": "example_counter", "folder": str(tmp_path)}
        )


def test_no_folder_is_left_open(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    message: Callable[[bytes], None] = KeptMessage(
        create("c", CalledLink("127.0.0.1", 0), {"mapping": "example_counter", "folder": str(tmp_path)})._spool
    ).keep
    message(b"x")
    assert set(os.listdir("/proc/self/fd")) == before
