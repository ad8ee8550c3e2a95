"""Serve registers with pymodbus on 127.0.0.1: PORT FRAMER UNIT, then a JSON object {function: {address: word}}."""

import asyncio
import json
import sys

from pymodbus import FramerType
from pymodbus.datastore import (
    ModbusDeviceContext,
    ModbusSequentialDataBlock,
    ModbusServerContext,
    ModbusSparseDataBlock,
)
from pymodbus.server import StartAsyncTcpServer

port, framer, unit_id, tables = sys.argv[1:]
words = {
    int(function): {int(key): word for key, word in table.items()} for function, table in json.loads(tables).items()
}


def block(function: int) -> ModbusSparseDataBlock:
    return ModbusSparseDataBlock(words.get(function, {0: 0}))


async def main() -> None:
    nothing = ModbusSequentialDataBlock(1, [0])
    device = ModbusDeviceContext(di=nothing, co=nothing, hr=block(3), ir=block(4))
    context = ModbusServerContext(devices={int(unit_id): device}, single=False)
    await StartAsyncTcpServer(context, framer=FramerType(framer), address=("127.0.0.1", int(port)))


asyncio.run(main())
