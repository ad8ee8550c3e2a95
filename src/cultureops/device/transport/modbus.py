"""Registers over Modbus TCP, RTU, or RTU frames through TCP; the only module that knows pymodbus.

pymodbus connects, frames and parses. Asking is done here: one deadline, no retries and no reconnecting, errors raised
instead of returned, and no line kept that still owes an answer. (Its own ``execute`` waits with ``asyncio.wait_for``,
which in Python 3.11 loses a cancel that comes with the answer, python/cpython issue 86296.)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from cultureops.device.transport.deadline import reply_within
from cultureops.device.transport.serial import SerialSettings
from cultureops.errors import DeviceFault, DriverError, DriverTimeout, NotConnected, ProtocolError

__all__ = ["ModbusLink", "modbus_rtu_link", "modbus_tcp_link"]

_Client: TypeAlias = AsyncModbusTcpClient | AsyncModbusSerialClient
_Watch: TypeAlias = "_Line"

MAX_REGISTERS: Final = 125
MAX_BITS: Final = 2000
_BITS: Final = (1, 2)
_MBAP_BYTES: Final = 7
_NEVER_S: Final = 3600.0
_REQUESTS: Final[dict[int, type[ModbusPDU]]] = {
    1: ReadCoilsRequest,
    2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
}

_EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}
"""Modbus Application Protocol Specification V1.1b3, section 7."""

# The poller says once that a device is lost; pymodbus would say it at every poll.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class _Line:
    """One pymodbus client and what came in for the request under way."""

    def __init__(self, name: str, create: Callable[[_Watch], _Client], framed: bool) -> None:
        self.name = name
        self.heard = b""
        self._framed = framed
        self._expected = (0, 0, 0)
        self._answer: asyncio.Future[ModbusPDU] | None = None
        self._client = create(self)

    @property
    def _asking(self) -> bool:
        return self._answer is not None and not self._answer.done()

    @property
    def is_open(self) -> bool:
        return self._client.connected

    async def connect(self) -> bool:
        return await self._client.connect()

    def close(self) -> None:
        self._client.close()

    async def ask(self, unit_id: int, function: int, address: int, count: int, deadline_s: float) -> ModbusPDU:
        if function not in _REQUESTS:
            raise ProtocolError(f"{self.name}: function {function} does not read; use 1, 2, 3 or 4")
        exchange = self._client.ctx
        self.heard = b""
        self._expected = (unit_id, function, 2 * count if function not in _BITS else (count + 7) // 8)
        self._answer = exchange.response_future = asyncio.get_running_loop().create_future()
        exchange.pdu_send(
            _REQUESTS[function](address=address, count=count, dev_id=unit_id, transaction_id=exchange.getNextTID())
        )
        return await reply_within(deadline_s, self._answer)

    def on_packet(self, sending: bool, data: bytes) -> bytes:
        """Keep what came in; hand a TCP frame on only when it is whole and answers the request."""
        if sending:
            return data
        self.heard = data
        if not self._framed or not self._asking or len(data) < _MBAP_BYTES + 2:
            return data
        if wrong := self._wrong(data):
            self._fail(ProtocolError(f"{self.name}: {wrong} in answer {data[:16].hex(' ')}"))
            return b""
        return data

    def _wrong(self, data: bytes) -> str:
        """Say what is wrong with the head of a Modbus TCP answer, or nothing."""
        unit_id, function, byte_count = self._expected
        length = int.from_bytes(data[4:6])
        if data[:2] != self._client.ctx.request_transaction_id.to_bytes(2):
            return "wrong transaction"
        if data[2:4] != b"\0\0":
            return "wrong protocol number"
        if data[6] != unit_id:
            return f"unit {data[6]} instead of {unit_id}"
        if data[7] == function | 0x80:
            return "" if length == 3 else "wrong length"
        if data[7] != function:
            return f"function {data[7]} instead of {function}"
        return "" if data[8] == byte_count and length == byte_count + 3 else "wrong length"

    def on_connection(self, up: bool) -> None:
        """End the wait for an answer when the line breaks."""
        if not up:
            self._fail(NotConnected(f"{self.name}: the line broke"))

    def _fail(self, error: DriverError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


class ModbusLink:
    """A RegisterLink over a pymodbus client; ``deadline_s`` bounds the opening and each request (> 0)."""

    check_bits: Final = 16

    def __init__(self, name: str, create: Callable[[_Watch], _Client], deadline_s: float, *, framed: bool) -> None:
        self.name = name
        self.deadline_s = deadline_s
        self._create = create
        self._framed = framed
        self._line: _Line | None = None
        self._was_opened = False
        self._silent_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent at once."""
        return self._line is not None and self._line.is_open

    async def open(self) -> None:
        """Open the line, or raise NotConnected; does nothing when open."""
        if not self.is_open:
            await self._reopened()
        self._was_opened = True

    async def close(self) -> None:
        """Close the line; never raises."""
        self._drop()

    async def read_registers(self, unit_id: int, function: int, address: int, count: int) -> Sequence[int]:
        """Read registers (function 3, 4; 1-125) or bits (1, 2; 1-2000) from a 0-based address (see RegisterLink)."""
        if not self._was_opened:
            raise NotConnected(f"{self.name}: the line was not opened; connect first")
        line = self._line if self._line is not None and self._line.is_open else await self._reopened()
        try:
            answer = await line.ask(unit_id, function, address, count, self.deadline_s)
        except TimeoutError:
            self._distrust()
            raise self._late(line, unit_id) from None
        except (asyncio.CancelledError, ProtocolError):
            self._distrust()
            raise
        return self._values(answer, unit_id, function, address, count)

    def _late(self, line: _Line, unit_id: int) -> DriverError:
        if line.heard:
            shown = line.heard[:16].hex(" ")
            return ProtocolError(f"{self.name} unit {unit_id}: {len(line.heard)} bytes are no whole answer: {shown}")
        return DriverTimeout(f"{self.name} unit {unit_id}: no answer within {self.deadline_s:g} s")

    def _values(self, answer: ModbusPDU, unit_id: int, function: int, address: int, count: int) -> Sequence[int]:
        who = f"{self.name} unit {unit_id}"
        if answer.isError():
            raise _fault(answer.exception_code, f"{who}: function {function} at {address}, {count} long")
        if answer.function_code != function:
            self._distrust()
            raise ProtocolError(f"{who}: answered function {answer.function_code} instead of {function}")
        values: Sequence[int] = answer.bits if function in _BITS else answer.registers
        if len(values) < count or (function not in _BITS and len(values) > count):
            self._distrust()
            raise ProtocolError(f"{who}: asked for {count} values at {address}, got {len(values)}")
        return [int(value) for value in values[:count]] if function in _BITS else values

    async def _reopened(self) -> _Line:
        self._drop()
        if not self._framed:
            await asyncio.sleep(max(0.0, self._silent_until - asyncio.get_running_loop().time()))
        line = _Line(self.name, self._create, self._framed)
        try:
            async with asyncio.timeout(self.deadline_s):
                opened = await line.connect()
        except TimeoutError:
            line.close()
            raise NotConnected(
                f"{self.name}: no connection within {self.deadline_s:g} s; check that the device is on"
            ) from None
        except (asyncio.CancelledError, ModbusException, OSError):
            line.close()
            raise
        if not opened:
            raise NotConnected(f"{self.name}: can't be opened; check address, cable and power")
        self._line = line
        return line

    def _distrust(self) -> None:
        """Give up a line that still owes an answer: whatever comes within one more deadline is not heard."""
        self._silent_until = asyncio.get_running_loop().time() + self.deadline_s
        self._drop()

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()


def _fault(code: int, request: str) -> DriverError:
    text = f"{request}: exception {code} ({_EXCEPTIONS.get(code, 'unknown')})"
    match code:
        case 10:
            return NotConnected(text)
        case 11:
            return DriverTimeout(text)
        case _:
            return DeviceFault(text)


def modbus_tcp_link(host: str, port: int, deadline_s: float, *, rtu_frames: bool = False) -> ModbusLink:
    """Return a closed link to ``host:port``; with ``rtu_frames`` to serial devices behind a plain terminal server."""

    def create(line: _Line) -> _Client:
        return AsyncModbusTcpClient(
            host,
            port=port,
            framer=FramerType.RTU if rtu_frames else FramerType.SOCKET,
            reconnect_delay=0,
            timeout=_NEVER_S,
            trace_packet=line.on_packet,
            trace_connect=line.on_connection,
        )

    scheme = "modbus+rtu+tcp" if rtu_frames else "modbus+tcp"
    return ModbusLink(f"{scheme}://{host}:{port}", create, deadline_s, framed=not rtu_frames)


def modbus_rtu_link(device: str, settings: SerialSettings, deadline_s: float) -> ModbusLink:
    """Return a closed link to the Modbus RTU line on a serial device."""

    def create(line: _Line) -> _Client:
        return AsyncModbusSerialClient(
            device,
            framer=FramerType.RTU,
            baudrate=settings.baudrate,
            bytesize=settings.bytesize,
            parity=settings.parity,
            stopbits=settings.stopbits,
            reconnect_delay=0,
            timeout=_NEVER_S,
            trace_packet=line.on_packet,
            trace_connect=line.on_connection,
        )

    return ModbusLink(f"modbus+rtu://{device}", create, deadline_s, framed=False)
