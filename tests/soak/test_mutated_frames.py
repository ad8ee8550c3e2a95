"""An answer that the line has spoiled is believed only where it passes every check of its protocol."""

from collections.abc import Callable

import pytest
from proof.frames import astm, bench, cryostores, incubators, modbus
from proof.frames.codecs import CODECS, modbus_codec, probe_codec
from proof.frames.dialect import Dialect
from proof.frames.mutation import Mutation
from proof.frames.trial import Tally, try_frames, try_frames_of

from cultureops.device.transport.modbus import Frames

FEW, ALL = 4_000, 1_000_000
SEED = 20261121
Record = Callable[[str, object], None]

DIALECTS: dict[str, Dialect] = {
    name: getattr(module, name)
    for module in (incubators, cryostores, bench, astm)
    for name in module.__all__
    if name.isupper()
}
MODBUS: dict[str, Dialect] = {
    "TCP": modbus.MODBUS_TCP,
    "RTU": modbus.MODBUS_RTU,
    "ASCII": modbus.MODBUS_ASCII,
    "PROBE": modbus.PROBE,
}


def assert_just(tally: Tally) -> None:
    print(tally)
    assert not tally.unjust, f"{tally.unjust_frames} frames of {tally.dialect.name}:\n" + "\n".join(tally.unjust)
    assert tally.accepted[Mutation.NONE] == tally.tried[Mutation.NONE] > 0
    assert all(tally.tried[mutation] for mutation in Mutation)


def record_all(tally: Tally, record_property: Record) -> None:
    for name, value in tally.properties():
        record_property(name, value)


async def tried_over_modbus(name: str, frames: int) -> Tally:
    codec = await (probe_codec() if name == "PROBE" else modbus_codec(Frames[name]))
    return await try_frames_of(MODBUS[name], codec, frames, SEED)


PRINTED = [
    (incubators.CYTOMAT, "it", b"it +37.0 +36.9\r", (37.0, 36.9)),
    (cryostores.MVE, "TEMPA?", b"-197.10\r\n", (-197.10,)),
    (cryostores.TSX, "temperature_setpoint", b":190304FFFFFCE002\r\n", (-80.0,)),
    (cryostores.TSX, "tc2", b":190304C2FE00001C\r\n", (-127.0,)),
    (cryostores.TSX, "control_model", b":19030204DE\r\n", (4.0,)),
    (bench.SICS, "S", b"S S      12.34 g\r\n", (12.34, True)),
    (bench.HETTICH, "00634", b"T\x0200634=0162\x03\x0a", (0x0162,)),
]


@pytest.mark.parametrize(("dialect", "asked", "frame", "answer"), PRINTED)
def test_oracles_believe_what_the_sources_print(
    dialect: Dialect, asked: str, frame: bytes, answer: tuple[object, ...]
) -> None:
    assert list(dialect.judge(asked, frame)) == [answer]
    assert not dialect.judge(asked, frame[:1] + b"?" + frame[2:])


def test_oracles_know_the_check_sums_of_the_standards() -> None:
    assert incubators.ones_complement(b"?:2010:00::") == 0xC3
    assert incubators.crc8(b"123456789") == 0xF4
    assert modbus.crc16(b"123456789") == bytes.fromhex("374b")


@pytest.mark.parametrize("careless", ["block check", "address"])
def test_a_codec_that_leaves_a_check_out_is_found_out(careless: str) -> None:
    def codec(code: str, heard: bytes) -> tuple[object, ...]:
        sound = bytearray(heard)
        if careless == "address":
            sound[:1] = b"T"
        else:
            sound[-1:] = bench.guarded(heard[2:-1])[-1:]
        return CODECS["HETTICH"](code, bytes(sound))

    assert try_frames(bench.HETTICH, codec, FEW, SEED).unjust_frames > 0


@pytest.mark.parametrize("name", DIALECTS)
def test_few_mutated_frames(name: str) -> None:
    assert_just(try_frames(DIALECTS[name], CODECS[name], FEW, SEED))


@pytest.mark.parametrize("name", MODBUS)
async def test_few_mutated_frames_over_modbus(name: str) -> None:
    assert_just(await tried_over_modbus(name, FEW))


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", DIALECTS)
def test_a_million_mutated_frames(name: str, record_property: Record) -> None:
    tally = try_frames(DIALECTS[name], CODECS[name], ALL, SEED)
    record_all(tally, record_property)
    assert_just(tally)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", MODBUS)
async def test_a_million_mutated_frames_over_modbus(name: str, record_property: Record) -> None:
    tally = await tried_over_modbus(name, ALL)
    record_all(tally, record_property)
    assert_just(tally)
