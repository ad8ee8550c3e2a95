"""Registers over Modbus TCP, RTU and ASCII, the latter two through TCP as well; the only module that knows pymodbus.

pymodbus connects, frames and parses. Asking is done here: one deadline, no retries and no reconnecting, errors raised
instead of returned, and no line kept that still owes an answer. (Its own ``execute`` waits with ``asyncio.wait_for``,
which in Python 3.11 loses a cancel that comes with the answer, python/cpython issue 86296.) Its ASCII decoder takes
check sums such as "+5" and fails on others, so frames of Modbus ASCII, with 8 check bits only, are judged here first.
"""

from __future__ import annotations

import asyncio
import logging
import termios
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from cultureops.device.transport.deadline import Deadline, reply_within
from cultureops.device.transport.serial import SerialSettings
from cultureops.errors import DeviceFault, DriverError, DriverTimeout, NotConnected, ProtocolError

__all__ = ["Frames", "ModbusLink", "modbus_ascii_link", "modbus_rtu_link", "modbus_tcp_link"]

_Client: TypeAlias = AsyncModbusTcpClient | AsyncModbusSerialClient
_Watch: TypeAlias = "_Line"

MAX_REGISTERS: Final = 125
MAX_BITS: Final = 2000
_BITS: Final = (1, 2)
_MBAP_BYTES: Final = 7
_HEX_DIGITS: Final = frozenset(b"0123456789ABCDEF")
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


class Frames(StrEnum):
    """How requests and answers are framed."""

    TCP = "tcp"
    RTU = "rtu"
    ASCII = "ascii"


_FRAMERS: Final = {Frames.TCP: FramerType.SOCKET, Frames.RTU: FramerType.RTU, Frames.ASCII: FramerType.ASCII}

# The poller says once that a device is lost; pymodbus would say it at every poll.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class _Line:
    """One pymodbus client and what came in for the request under way."""

    def __init__(self, name: str, create: Callable[[_Watch], _Client], frames: Frames) -> None:
        self.name = name
        self.heard = b""
        self._frames = frames
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
        self.heard = exchange.recv_buffer = b""
        self._expected = (unit_id, function, 2 * count if function not in _BITS else (count + 7) // 8)
        self._answer = exchange.response_future = asyncio.get_running_loop().create_future()
        exchange.pdu_send(
            _REQUESTS[function](address=address, count=count, dev_id=unit_id, transaction_id=exchange.getNextTID())
        )
        return await reply_within(deadline_s, self._answer)

    def on_packet(self, sending: bool, data: bytes) -> bytes:
        """Keep what came in; hand on only what is asked for, and of TCP and ASCII only what answers the request."""
        if sending:
            return data
        self.heard = data
        if not self._asking:
            return b""
        frame = _frame(self._frames, data)
        if frame and (wrong := self._wrong(frame)):
            self._fail(ProtocolError(f"{self.name}: {wrong} in answer {_shown(frame, self._frames)}"))
            return b""
        return frame

    def _wrong(self, frame: bytes) -> str:
        """Say what is wrong with an answer, or nothing; of RTU pymodbus finds out itself."""
        match self._frames:
            case Frames.TCP:
                return self._wrong_tcp(frame)
            case Frames.ASCII:
                return self._wrong_ascii(frame)
            case _:
                return ""

    def _wrong_tcp(self, frame: bytes) -> str:
        """Say what is wrong with the head of a Modbus TCP answer, or nothing."""
        unit_id, function, byte_count = self._expected
        length = int.from_bytes(frame[4:6])
        if frame[:2] != self._client.ctx.request_transaction_id.to_bytes(2):
            return "wrong transaction"
        if frame[2:4] != b"\0\0":
            return "wrong protocol number"
        if frame[6] != unit_id:
            return f"unit {frame[6]} instead of {unit_id}"
        if frame[7] == function | 0x80:
            return "" if length == 3 else "wrong length"
        if frame[7] != function:
            return f"function {frame[7]} instead of {function}"
        return "" if frame[8] == byte_count and length == byte_count + 3 else "wrong length"

    def _wrong_ascii(self, frame: bytes) -> str:
        """Say what is wrong with a whole Modbus ASCII answer, or nothing."""
        unit_id, function, byte_count = self._expected
        digits = frame[1:-2]
        if len(digits) % 2 or not _HEX_DIGITS.issuperset(digits):
            return "other than pairs of upper-case hex digits"
        body = bytes.fromhex(digits.decode())
        if len(body) < 4:
            return "wrong length"
        if sum(body) & 0xFF:
            return "wrong check sum"
        if body[0] != unit_id:
            return f"unit {body[0]} instead of {unit_id}"
        if body[1] == function | 0x80:
            return "" if len(body) == 4 else "wrong length"
        if body[1] != function:
            return f"function {body[1]} instead of {function}"
        return "" if body[2] == byte_count and len(body) == byte_count + 4 else "wrong length"

    def on_connection(self, up: bool) -> None:
        """End the wait for an answer when the line breaks."""
        if not up:
            self._fail(NotConnected(f"{self.name}: the line broke"))

    def _fail(self, error: DriverError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def _frame(frames: Frames, data: bytes) -> bytes:
    """Return what can be judged of what came in, or nothing yet.

    In ASCII a colon starts anew, whatever came before it (Modbus over Serial Line V1.02, 2.5.2).
    """
    match frames:
        case Frames.TCP:
            return data if len(data) >= _MBAP_BYTES + 2 else b""
        case Frames.ASCII:
            start = data.rfind(b":")
            return data[start:] if start >= 0 and data.endswith(b"\r\n") else b""
        case _:
            return data


def _shown(frame: bytes, frames: Frames) -> str:
    return ascii(frame[:32].decode("latin-1")) if frames is Frames.ASCII else frame[:16].hex(" ")


class ModbusLink(Deadline):
    """A RegisterLink over a pymodbus client; ``deadline_s`` bounds the opening and each request (> 0)."""

    def __init__(self, name: str, create: Callable[[_Watch], _Client], deadline_s: float, frames: Frames) -> None:
        super().__init__(deadline_s)
        self.name = name
        self._create = create
        self._frames = frames
        self._line: _Line | None = None
        self._was_opened = False
        self._silent_until = 0.0

    @property
    def check_bits(self) -> int:
        """How many check bits guard each answer: 8 in Modbus ASCII, else 16."""
        return 8 if self._frames is Frames.ASCII else 16

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
        if answer.function_code == function | 0x80:
            raise _fault(answer.exception_code, f"{who}: function {function} at {address}, {count} long")
        if answer.function_code != function:
            self._distrust()
            raise ProtocolError(f"{who}: answered function {answer.function_code} instead of {function}")
        values: Sequence[int] = answer.bits if function in _BITS else answer.registers
        if len(values) != (-(-count // 8) * 8 if function in _BITS else count):
            self._distrust()
            raise ProtocolError(f"{who}: asked for {count} values at {address}, got {len(values)}")
        return [int(value) for value in values[:count]] if function in _BITS else values

    async def _reopened(self) -> _Line:
        self._drop()
        if self._frames is not Frames.TCP:
            await asyncio.sleep(max(0.0, self._silent_until - asyncio.get_running_loop().time()))
        line = _Line(self.name, self._create, self._frames)
        try:
            async with asyncio.timeout(self.deadline_s):
                opened = await line.connect()
        except TimeoutError:
            line.close()
            raise NotConnected(
                f"{self.name}: no connection within {self.deadline_s:g} s; check that the device is on"
            ) from None
        except termios.error:
            line.close()
            raise NotConnected(
                f"{self.name}: the port refuses its settings; check baud rate, bits and parity"
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
        self._silent_until = asyncio.get_running_loop().time() + self.longest_s
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


def modbus_tcp_link(host: str, port: int, deadline_s: float, frames: Frames = Frames.TCP) -> ModbusLink:
    """Return a closed link to ``host:port``; RTU and ASCII frames reach what stands behind a terminal server."""

    def create(line: _Line) -> _Client:
        return AsyncModbusTcpClient(
            host,
            port=port,
            framer=_FRAMERS[frames],
            reconnect_delay=0,
            timeout=_NEVER_S,
            trace_packet=line.on_packet,
            trace_connect=line.on_connection,
        )

    scheme = "modbus+tcp" if frames is Frames.TCP else f"modbus+{frames}+tcp"
    return ModbusLink(f"{scheme}://{host}:{port}", create, deadline_s, frames)


def modbus_rtu_link(device: str, settings: SerialSettings, deadline_s: float) -> ModbusLink:
    """Return a closed link to the Modbus RTU line on a serial device."""
    return _serial_link(device, settings, deadline_s, Frames.RTU)


def modbus_ascii_link(device: str, settings: SerialSettings, deadline_s: float) -> ModbusLink:
    """Return a closed link to the Modbus ASCII line on a serial device; 7 data bits and even parity are usual."""
    return _serial_link(device, settings, deadline_s, Frames.ASCII)


def _serial_link(device: str, settings: SerialSettings, deadline_s: float, frames: Frames) -> ModbusLink:
    def create(line: _Line) -> _Client:
        return AsyncModbusSerialClient(
            device,
            framer=_FRAMERS[frames],
            baudrate=settings.baudrate,
            bytesize=settings.bytesize,
            parity=settings.parity,
            stopbits=settings.stopbits,
            reconnect_delay=0,
            timeout=_NEVER_S,
            trace_packet=line.on_packet,
            trace_connect=line.on_connection,
        )

    return ModbusLink(f"modbus+{frames}://{device}", create, deadline_s, frames)
