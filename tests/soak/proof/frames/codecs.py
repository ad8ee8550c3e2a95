"""The code under proof, as functions from a question and the bytes heard to what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cultureops.device.transport.modbus import Frames
from cultureops.errors import ProtocolError
from cultureops_drivers import modbus as modbus_device
from cultureops_drivers.ami_185 import protocol as ami
from cultureops_drivers.astm_counter import protocol as astm
from cultureops_drivers.hettich_rotanta import protocol as hettich
from cultureops_drivers.julabo import protocol as julabo
from cultureops_drivers.liconic_stx import protocol as liconic
from cultureops_drivers.memmert_atmoweb import protocol as memmert
from cultureops_drivers.mettler_sics import protocol as sics
from cultureops_drivers.mve_tec3000 import protocol as mve
from cultureops_drivers.thermo_cytomat import protocol as cytomat
from cultureops_drivers.thermo_heracell import protocol as heracell
from cultureops_drivers.thermo_heracell.log import records_of
from cultureops_drivers.thermo_tsx import protocol as tsx
from proof.frames.astm import Place
from proof.frames.dialect import Answer
from proof.frames.modbus import CO2_AND_TEMPERATURE, OURS, Poll, Question
from proof.frames.trial import AsyncCodec, Codec
from proof.frames.wire import Wire, link_on

__all__ = ["CODECS", "modbus_codec", "probe_codec"]


def _heracell(check_sum: heracell.CheckSum) -> Codec:
    def codec(address: str, heard: bytes) -> Answer:
        payload = heracell.payload_of(heard, address, check_sum)
        match address:
            case "2010" | "2020":
                return heracell.control_loop(payload)
            case "2140":
                return tuple(heracell.gas_guard(payload).values())
            case "2300":
                return heracell.error_list(payload)
            case _:
                return tuple(
                    part
                    for row in records_of(payload)
                    for part in (row.event, row.temperature_c, row.co2_pct, row.o2_pct, row.humidity_pct)
                )

    return codec


def _cytomat(register: str, heard: bytes) -> Answer:
    if register.startswith("i"):
        return cytomat.loop_of(heard, register)
    if register == cytomat.OVERVIEW:
        found = cytomat.overview_of(heard)
        bits = (
            found.transfer_station_occupied, found.door_open, found.gate_open, found.shovel_occupied,
            found.error, found.warning, found.ready, found.busy,
        )  # fmt: skip
        return (sum(bit << 7 - place for place, bit in enumerate(bits)),)
    if register == cytomat.ACTION:
        target, action = cytomat.action_of(heard)
        return (target << 5 | action,)
    return (cytomat.code_of(heard, register),)


def _liconic(asked: str, heard: bytes) -> Answer:
    request = asked.encode() + b"\r"
    return ((liconic.word_of if "DM" in asked else liconic.relay_of)(heard, request),)


def _memmert(keys: tuple[str, ...], heard: bytes) -> Answer:
    said = memmert.parse(heard)
    values = (said.get(key) for key in keys)
    return tuple(None if isinstance(value, memmert.Range) else value for value in values)


_MVE: Final[dict[str, Callable[[bytes, str], float]]] = {
    "TEMPA?": mve.temperature_of,
    "FILL?": mve.state_of,
    "BPFIL?": mve.state_of,
    "FILTIM?": mve.whole_of,
}


def _mve(word: str, heard: bytes) -> Answer:
    return (_MVE[word](heard, word) if word in _MVE else mve.firmware_of(heard),)


def _ami(word: str, heard: bytes) -> Answer:
    if word != "UNIT":
        return (ami.level_of(heard, word),)
    (said,) = (said for said, unit in ami.UNITS.items() if unit == ami.unit_of(heard))
    return (said,)


_TSX: Final = {
    item.name: item for item in (*tsx.THERMOCOUPLES, tsx.SETPOINT, tsx.WARM_ALARM, tsx.PRODUCT_ID, tsx.CONTROL_MODEL)
}


def _tsx(known: tsx.Reckoning | None) -> Codec:
    def codec(name: str, heard: bytes) -> Answer:
        data, _ = tsx.data_of(heard, 0x19, _TSX[name], known)
        return (_known(_TSX[name].number(data)),)

    return codec


def _known(number: float) -> float | str:
    return "nan" if number != number else number


def _julabo(asked: str, heard: bytes) -> Answer:
    address, word = (asked[1:4], asked[5:]) if asked.startswith("A") else ("", asked)
    text = julabo.text_of(heard, word, address)
    match word:
        case "version":
            return (text.strip(),)
        case "status":
            return (julabo.status_of(text),)
        case _:
            return (julabo.number_of(text, word),)


def _sics(word: str, heard: bytes) -> Answer:
    if word in (sics.STABLE, sics.NOW):
        weighing = sics.weighing_of(heard, word)
        return weighing.weight_g, weighing.is_stable
    return (sics.text_of(heard, word),)


def _hettich(code: str, heard: bytes) -> Answer:
    return (hettich.word_of(heard, code, "T"),)


def _astm(asked: Place, heard: bytes) -> Answer:
    receiver = astm.Receiver()
    receiver.receive(astm.ENQ + b"".join(asked.before), 0.0)
    said: list[bytes | str] = []
    for action in receiver.receive(heard, 1.0):
        match action:
            case astm.Keep(text):
                said.append(text)
            case astm.Send(astm.ACK):
                said.append("ack")
    if not said:
        raise ProtocolError("nothing was kept")
    return tuple(said)


CODECS: Final[dict[str, Codec]] = {
    "HERACELL_XOR": _heracell(heracell.ones_complement_xor),
    "HERACELL_CRC8": _heracell(heracell.crc8),
    "CYTOMAT": _cytomat,
    "LICONIC": _liconic,
    "MEMMERT": _memmert,
    "MVE": _mve,
    "AMI": _ami,
    "TSX": _tsx(tsx.Reckoning.CHARACTERS),
    "TSX_FIRST_ANSWER": _tsx(None),
    "JULABO": _julabo,
    "SICS": _sics,
    "HETTICH": _hettich,
    "ASTM": _astm,
}


async def modbus_codec(frames: Frames) -> AsyncCodec:
    """Return what asks over a Modbus link."""
    wire = Wire(seed=1)
    link, number = link_on(wire, frames)
    await link.open()

    async def codec(asked: Question, heard: bytes) -> Answer:
        wire.answer = lambda _request: heard
        number(asked.transaction)
        return tuple(await link.read_registers(asked.unit_id, asked.function, asked.address, asked.count))

    return codec


async def probe_codec() -> AsyncCodec:
    """Return what reads a GMP252 by its profile over Modbus RTU."""
    wire = Wire(seed=2)
    link, _ = link_on(wire, Frames.RTU)
    driver = modbus_device.create("probe", link, {"profile": "vaisala_gmp252", "unit_id": OURS})
    await driver.connect()

    async def codec(asked: Poll, heard: bytes) -> Answer:
        def answer(request: bytes) -> bytes:
            address = int.from_bytes(request[2:4])
            if address == asked.question.address:
                return heard
            return asked.values if address == CO2_AND_TEMPERATURE[1] else asked.status

        wire.answer = answer
        samples = {sample.name: sample.value for sample in await driver.read()}
        return tuple(
            None if value is None else _known(value) for value in (samples["co2"], samples["compensation_temperature"])
        )

    return codec
