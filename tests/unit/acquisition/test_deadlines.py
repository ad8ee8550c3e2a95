"""Devices on one line keep deadlines of their own."""

import asyncio
import contextlib
from pathlib import Path

from cultureops.acquisition import Acquisition
from cultureops.clock import SteppedClock
from cultureops.device.reading import Quality, Reason
from cultureops.site import read_site

NOON = 1_800_000_000_000
ANSWERS = {b"*IDN?": b"Controller, Software ver. 1.00", b"TEMPA?": b"-196.00", b"FILTIM?": b"0"}
SITE = """
[site]
name = "lab"
[[device]]
id = "quick"
driver = "mve_tec3000"
link = "tcp://127.0.0.1:{port}"
deadline_s = 0.05
options = {{ controller = "001" }}
[[device]]
id = "slow"
driver = "mve_tec3000"
link = "tcp://127.0.0.1:{port}"
deadline_s = 0.8
options = {{ controller = "002" }}
"""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer for the second controller only, and take more time for it than the first one has."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
        while True:
            controller, word = (await reader.readuntil(b"\r\n")).split()
            if controller == b"002":
                await asyncio.sleep(0.1)
                writer.write(ANSWERS.get(word, b"0") + b"\r\n")


async def test_a_slow_device_is_not_held_to_its_neighbours_deadline(tmp_path: Path) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        (tmp_path / "site.toml").write_text(SITE.format(port=server.sockets[0].getsockname()[1]), encoding="utf-8")
        acquisition = Acquisition(read_site(tmp_path / "site.toml").devices, SteppedClock(NOON), lambda _: None)
        async with asyncio.timeout(20):
            readings = {reading.channel: reading for reading in await acquisition.poll_once(NOON)}
            await acquisition.close()
    assert readings["quick/temp_a"].reason is Reason.TIMEOUT
    assert (readings["slow/temp_a"].value, readings["slow/temp_a"].quality) == (-196.0, Quality.GOOD)
