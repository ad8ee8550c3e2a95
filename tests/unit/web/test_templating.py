"""How times and numbers are written."""

from zoneinfo import ZoneInfo

import pytest

from cultureops.clock import parse_iso
from cultureops.web.templating import local, number, title, utc_offset

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("when", "shown", "offset"),
    [
        ("2026-03-29T00:59:59Z", "2026-03-29 01:59", (60, "UTC+01:00")),
        ("2026-03-29T01:00:00Z", "2026-03-29 03:00", (120, "UTC+02:00")),
    ],
)
def test_site_time_follows_the_zone_over_the_change_of_clocks(when: str, shown: str, offset: tuple[int, str]) -> None:
    assert local(parse_iso(when), BERLIN) == shown
    assert utc_offset(parse_iso(when), BERLIN) == offset


def test_offsets_west_of_greenwich_and_of_half_hours() -> None:
    assert utc_offset(parse_iso("2026-01-05T08:00:00Z"), ZoneInfo("America/St_Johns")) == (-210, "UTC-03:30")


def test_no_value_is_a_dash_and_zero_is_zero() -> None:
    assert (number(None, 2), number(0.0, 2), number(-191.26, 1)) == ("–", "0.00", "-191.3")


def test_standard_names_are_written_as_people_do() -> None:
    assert [title(name) for name in ("co2", "temp_a", "fill_time")] == ["CO₂", "Temp A", "Fill time"]
