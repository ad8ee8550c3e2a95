"""Fields as people read them: what somebody typed stands as it was typed."""

from zoneinfo import ZoneInfo

import pytest

from cultureops.batch.field_text import field_name, field_text, field_unit, named
from cultureops.batch.rules import RULES
from cultureops.clock import local_stamp, parse_iso
from cultureops.ledger.event import JsonValue

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "said", "unit"),
    [
        ("volume_ml", "volume", "mL"),
        ("viable_density_1e6_per_ml", "viable density", "10⁶/mL"),
        ("temperature_min_c", "temperature min", "°C"),
        ("out_of_range_min", "out of range", "min"),
        ("cells_seeded", "cells seeded", "cells"),
        ("n_vessels", "number of vessels", ""),
        ("source_sha256", "source SHA-256", ""),
        ("enzyme_lot", "enzyme lot", ""),
    ],
)
def test_a_name_is_told_apart_from_its_unit(name: str, said: str, unit: str) -> None:
    assert (field_name(name), field_unit(name)) == (said, unit)


def test_every_field_of_every_step_has_a_name() -> None:
    assert all(field_name(name).strip() for command in RULES for name in command.model_fields)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (12.345678, "12.345678"),
        (17142.857142857141, "17142.9"),
        (36_000_000, "36 000 000"),
        (True, "yes"),
        (None, "–"),
        ([], "none"),
        (["M1", "M2"], "M1; M2"),
        ("2026-01-05T08:00:00.000Z", "2026-01-05 09:00 CET"),
        ("2026-13-99T08:00:00.000Z", "2026-13-99T08:00:00.000Z"),
        ({"rack": "R1", "store": "S1", "box": "B1", "position": "A1"}, "S1 / R1 / B1 / A1"),
        ({"incubator_1": {"in_service": True}}, "incubator_1: in service yes"),
    ],
)
def test_values_are_told_whole(value: JsonValue, said: str) -> None:
    assert field_text(value, BERLIN).replace("\u00a0", " ") == said


def test_a_stamp_says_second_zone_and_offset() -> None:
    assert local_stamp(parse_iso("2026-07-05T08:00:07Z"), BERLIN) == "2026-07-05 10:00:07 CEST (UTC+02:00)"
    assert named("volume_ml", 12.5, BERLIN) == "volume 12.5 mL"
