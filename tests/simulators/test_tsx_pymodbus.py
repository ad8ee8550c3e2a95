"""pymodbus reads the simulated freezer where it keeps to the standard, and refuses it where it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient

from cultureops_simulators.fleet import Fleet, parse_fleet


@asynccontextmanager
async def client_of(count: str) -> AsyncIterator[AsyncModbusTcpClient]:
    device = {"name": "ult_1", "kind": "thermo_tsx", "wire": {"tcp": "127.0.0.1:0"}, "options": {"count": count}}
    fleet = Fleet(parse_fleet({"seed": 7, "devices": [device]}))
    host, _, port = fleet.addresses["ult_1"]["tcp"].partition(":")
    client = AsyncModbusTcpClient(
        host, port=int(port), framer=FramerType.ASCII, timeout=0.3, retries=0, reconnect_delay=0
    )
    try:
        assert await client.connect()
        yield client
    finally:
        client.close()
        fleet.close()


async def test_counted_in_bytes_it_is_modbus_ascii() -> None:
    async with client_of("bytes") as client:
        setpoint = await client.read_holding_registers(0x530, count=2, device_id=0x19)
        assert setpoint.registers == [0xFFFF, 0xFCE0]
        absent = await client.read_holding_registers(0x4D8, count=2, device_id=0x19)
        assert absent.registers == [0xC2FE, 0x0000]
        unknown = await client.read_holding_registers(0x4C8, count=2, device_id=0x19)
        assert unknown.isError() and unknown.exception_code == 2


@pytest.mark.parametrize("count", ["printed", "characters"])
async def test_as_printed_it_is_not(count: str) -> None:
    async with client_of(count) as client:
        with pytest.raises(ModbusException):
            await client.read_holding_registers(0x530, count=2, device_id=0x19)
