"""Modbus RTU exchanges recorded and collected by others: the right answers are taken, the wrong ones refused."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path

import pytest

from cultureops.device.transport.modbus import modbus_rtu_link
from cultureops.device.transport.serial import SerialSettings
from cultureops.errors import DriverError
from cultureops.testing import PtyInstrument

READS = (1, 2, 3, 4)


def exchanges() -> list[dict[str, str]]:
    data = os.environ.get("CULTUREOPS_ACCEPTANCE_DATA")
    if not data:
        pytest.skip("CULTUREOPS_ACCEPTANCE_DATA is not set: no recorded exchanges at hand")
    with (Path(data) / "protocols/minimalmodbus/exchanges_hex.csv").open(encoding="utf-8", newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["framing"] == "rtu" and row["req_crc_ok"] == "True"]


async def ask(request: bytes, response: bytes, folder: Path) -> object:
    """Have our link ask exactly what was asked then, and hear what was answered then."""
    instrument = PtyInstrument(lambda asked: response if asked == request else b"", 8, folder)
    await instrument.restore()
    link = modbus_rtu_link(instrument.address, SerialSettings(19200), 0.05)
    try:
        await link.open()
        unit_id, function = request[0], request[1]
        return await link.read_registers(unit_id, function, *(int.from_bytes(request[at : at + 2]) for at in (2, 4)))
    finally:
        await link.close()
        await instrument.cut()


async def test_recorded_exchanges() -> None:
    taken = refused = 0
    for row in exchanges():
        request, response = bytes.fromhex(row["request_hex"]), bytes.fromhex(row["response_hex"])
        if len(request) != 8 or request[1] not in READS:
            continue
        with tempfile.TemporaryDirectory() as folder:
            if row["table"].startswith("WRONG"):
                with pytest.raises(DriverError):
                    print(row["line"], await ask(request, response, Path(folder)))
                refused += 1
            else:
                assert await ask(request, response, Path(folder)), row["line"]
                taken += 1
    assert taken > 10 and refused > 5
