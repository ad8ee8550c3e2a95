"""The shipped maps against a second transcription of their sources, so that a slip of the pen shows."""

from __future__ import annotations

from pathlib import Path

import pytest

import cultureops_drivers.modbus
from cultureops.device.profile import load_profile
from cultureops.device.register import Block
from cultureops_drivers.modbus import shipped_profiles

PROFILES = Path(cultureops_drivers.modbus.__file__).parent / "profiles"
OURS = "cultureops_virtual_"

MAPS = {
    # float32, low word first, unless said otherwise; addresses as on the wire
    "binder_mb1": """
        temperature 3 11A9 float32 low; humidity 3 11CD float32 low
        temperature_setpoint 3 1077 float32 low; humidity_setpoint 3 1079 float32 low
        mode 3 1A22 uint16; program 3 1A23 uint16; door 3 1007 bit; alarm 3 123D uint16
        manual_temperature_setpoint 3 1581 float32 low; manual_humidity_setpoint 3 1583 float32 low""",
    "binder_mb2": """
        temperature 3 1004 float32 low; humidity 3 100A float32 low
        temperature_setpoint 3 10B2 float32 low; humidity_setpoint 3 10B4 float32 low
        humidity_off 3 1292 bit; program 3 10A4 uint16
        program_elapsed 3 10A6 uint32 high; program_remaining 3 10A8 uint32 high
        manual_temperature_setpoint 3 114C float32 low; manual_humidity_setpoint 3 114E float32 low""",
    "watlow_f4t": """
        temperature 3 6BC2 float32 low; humidity 3 70EA float32 low
        temperature_setpoint 3 0ADE float32 low; humidity_setpoint 3 0B7E float32 low
        temperature_setpoint_active 3 0AFA float32 low; program 3 40AE uint16
        event_1 3 40D2 uint16; event_2 3 40D4 uint16; event_3 3 40D6 uint16; event_4 3 40D8 uint16""",
    "eurotherm_3216": """
        temperature 3 0001 int16; temperature_setpoint 3 0002 int16; temperature_setpoint_active 3 0005 int16
        alarm_1_setpoint 3 000D int16; alarm_2_setpoint 3 000E int16; remote_setpoint 3 001A int16""",
    "hettich_hettcube": "temperature 4 0000 int16; door 4 0003 uint16; alarms 4 0004 uint16",
    "comet_tx5xx": "temperature 3 0030 int16; humidity 3 0031 int16",
    "vaisala_gmp252": """
        co2 3 0000 float32 low; compensation_temperature 3 0002 float32 low
        device_status 3 0800 uint16; co2_status 3 0801 uint16""",
    # word order by the site file
    "julabo_magio": """
        running 3 0000 uint16; temperature_setpoint 3 0002 float32 high; external_control 3 000A uint16
        status 4 0005 uint16; alarm 4 0006 uint16; warning 4 0007 uint16
        temperature 4 000A float32 high; external_temperature 4 000C float32 high
        heating_power 4 000E int16; safety_temperature 4 000F float32 high""",
    "lighthouse_remote": """
        record_time 4 0000 uint32 high; data_status 4 0006 uint32 high
        particles_1 4 0008 uint32 high; particles_2 4 000A uint32 high
        particles_3 4 000C uint32 high; particles_4 4 000E uint32 high
        particles_5 4 0010 uint32 high; particles_6 4 0012 uint32 high
        particles_7 4 0014 uint32 high; particles_8 4 0016 uint32 high
        particle_channels 4 0049 uint16; particle_alarms 4 004B uint16
        running 3 0002 bit; sampling 3 0002 bit; device_status 3 0002 uint16""",
    # registers 2090 and 2410, counted from 1
    "hamilton_ph_arc": """
        ph_unit 3 0829 uint32 low; ph 3 082B float32 low; ph_status 3 082D uint32 low
        ph_least 3 082F float32 low; ph_most 3 0831 float32 low
        temperature_unit 3 0969 uint32 low; temperature 3 096B float32 low; temperature_status 3 096D uint32 low
        temperature_least 3 096F float32 low; temperature_most 3 0971 float32 low""",
}
MAPS["julabo_presto"] = MAPS["julabo_magio"]
MAPS["hamilton_visiferm_do"] = MAPS["hamilton_ph_arc"].replace("ph", "dissolved_oxygen")
SERIAL = {
    "binder_mb1": "9600 8N1 unit 1",
    "binder_mb2": "9600 8N1 unit 1",
    "vaisala_gmp252": "19200 8N2 unit 240",
    "lighthouse_remote": "19200 8N1 unit 1",
    "hamilton_ph_arc": "19200 8N2 unit 1",
    "hamilton_visiferm_do": "19200 8N2 unit 1",
}
SECOND_HAND = {
    "binder_mb1": {"door", "alarm"},
    "julabo_magio": {"heating_power"},
    "julabo_presto": {"heating_power"},
    "hamilton_ph_arc": {"ph", "temperature"},
    "hamilton_visiferm_do": {"dissolved_oxygen", "temperature"},
}


def foreign_profiles() -> list[str]:
    return [name for name in shipped_profiles() if not name.startswith(OURS)]


@pytest.mark.parametrize("name", foreign_profiles())
def test_a_map_is_what_its_source_says(name: str) -> None:
    written = [entry.split() for line in MAPS[name].splitlines() for entry in line.split(";") if entry.strip()]
    expected = {
        point: (int(function), int(address, 16), kind, order == ["low"])
        for point, function, address, kind, *order in written
    }
    profile = load_profile(PROFILES / f"{name}.toml")
    found = {
        row.point.name: (row.point.function, row.point.address, row.point.type, row.point.low_word_first)
        for row in profile.points
    }
    assert found == expected


@pytest.mark.parametrize("name", foreign_profiles())
def test_port_settings_and_what_is_second_hand(name: str) -> None:
    profile = load_profile(PROFILES / f"{name}.toml")
    serial = profile.serial
    said = (
        f"{serial.baudrate} {serial.bytesize}{serial.parity}{serial.stopbits} unit {profile.unit_id}" if serial else ""
    )
    assert said == SERIAL.get(name, "")
    unverified = {channel.name for channel in profile.channels if not channel.verified}
    assert unverified == SECOND_HAND.get(name, set())
    assert profile.one_connection == (name == "binder_mb1") and not profile.ours


@pytest.mark.parametrize("name", ["hamilton_ph_arc", "hamilton_visiferm_do"])
def test_an_arc_is_read_ten_registers_at_a_time(name: str) -> None:
    assert load_profile(PROFILES / f"{name}.toml").blocks == (Block(3, 2089, 10), Block(3, 2409, 10))


def test_bits() -> None:
    def bits(name: str) -> dict[str, int]:
        rows = load_profile(PROFILES / f"{name}.toml").points
        return {row.point.name: row.point.bitmask for row in rows if row.point.bitmask}

    assert bits("binder_mb1") == {"door": 1}
    assert bits("binder_mb2") == {"humidity_off": 1}
    assert bits("lighthouse_remote") == {"running": 1, "sampling": 2}


def test_what_a_count_depends_on() -> None:
    rows = {row.point.name: row.point for row in load_profile(PROFILES / "lighthouse_remote.toml").points}
    for number in range(1, 9):
        rules = {rule.point: rule for rule in rows[f"particles_{number}"].status}
        assert rules["particle_channels"].good_bits == 1 << number - 1
        assert rules["data_status"].bad_bits == 0b111  # laser, flow, overflow; service alone leaves the counts
        assert rules["device_status"].bad_bits == 0b1000
