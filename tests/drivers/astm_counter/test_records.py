"""Records of ASTM E1394, and the counts that a mapping makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cultureops.device.driver import CountResult
from cultureops.errors import ConfigError, ProtocolError
from cultureops_drivers.astm_counter.mapping import AstmMapping, counts_of, find_mapping, load_mapping
from cultureops_drivers.astm_counter.record import Address, parse_address, parse_messages

MESSAGE = (
    "H|\\^&|||SIMULATED-COUNTER^1|||||||P|1|20260105090500\r"
    "P|1\r"
    "O|1|B1.P1-harvest-1\r"
    "R|1|^^^VIABILITY|95.00|%||||F||||20260105090500\r"
    "R|2|^^^VIABLE|1140000|cells/mL||||F||||20260105090500\r"
    "R|3|^^^TOTAL|1200000|cells/mL||||F||||20260105090500\r"
    "R|4|^^^DIAMETER|17.4|um||||F||||20260105090500\r"
    "C|1|I|ok|G\r"
    "L|1|N\r"
)
# the header of a Sysmex XP-100, as senaite.astm's tests print it
SYSMEX = b"H|\\^&|||XP-100^00-13^^^^A7869^BS649542||||||||E1394-97\rL|1|N\r"


@pytest.fixture
def mapping(tmp_path: Path) -> AstmMapping:
    """The example, as somebody would have made it their own."""
    text = find_mapping("example_counter").read_text(encoding="utf-8").replace("example = true", "")
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    return load_mapping(tmp_path / "own.toml")


def counts(mapping: AstmMapping, text: str = MESSAGE) -> tuple[CountResult, ...]:
    return counts_of(text.encode("ascii"), "000001.astm", mapping)


def test_a_printed_header() -> None:
    (message,) = parse_messages(SYSMEX, "ascii")
    header = message.records[0]
    assert header.text(Address("H", 5, 1)) == "XP-100" and header.text(Address("H", 5, 6)) == "A7869"
    assert header.text(Address("H", 13, None)) == "E1394-97"
    assert header.text(Address("H", 40, None)) == ""


def test_a_header_with_delimiters_of_its_own() -> None:
    # the start of a Cepheid GeneXpert header, as senaite.astm's tests print it
    (message,) = parse_messages(b"H|@^\\|URM-06||GeneXpert^4.8|||||LAB||P|1394-97|20250516125515\rL|1|N\r", "ascii")
    assert message.records[0].text(Address("H", 5, 2)) == "4.8"
    assert message.records[0].text(Address("H", 14, None)) == "20250516125515"


def test_delimiters_come_from_the_header_and_escapes_stand_for_them() -> None:
    (message,) = parse_messages(b"H!*:~!!!x\rO!1!a~F~b:c~S~d\rL!1!N\r", "ascii")
    order = message.records[1]
    assert order.text(Address("O", 3, 1)) == "a!b" and order.text(Address("O", 3, 2)) == "c:d"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "carried no record"),
        ("O|1|x\rL|1|N\r", "expected a header"),
        ("H|\\^&|\rO|1|x\r", "lacks its terminator record L"),
        ("H|\\^&|\rH|\\^&|\rL|1|N\r", "came before the terminator"),
        ("H|||&|\rL|1\r", "expected a header"),
        ("H|\\^&|\rx|1\rL|1\r", "begins with no record letter"),
        ("H|\\^&|\rÄ|1\rL|1\r", "is no ascii"),
    ],
)
def test_what_is_no_message(text: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        parse_messages(text.encode("utf-8"), "ascii")


def test_repeats_and_unknown_escapes_are_not_guessed() -> None:
    (message,) = parse_messages(b"H|\\^&|\rO|1|a\\b|&X84&\rL|1\r", "ascii")
    with pytest.raises(ProtocolError, match="field 3 of record O is repeated"):
        message.records[1].text(Address("O", 3, None))
    with pytest.raises(ProtocolError, match="escape that is not one of"):
        message.records[1].text(Address("O", 4, None))


@pytest.mark.parametrize("text", ["R", "R.0", "r.4", "R.4.0", "R.4.1.1", "R4", "RR.4"])
def test_an_address_is_a_letter_and_numbers_from_one(text: str) -> None:
    assert parse_address(text) is None
    assert parse_address("R.3.4") == Address("R", 3, 4)


def test_an_order_becomes_a_count(mapping: AstmMapping) -> None:
    (count,) = counts(mapping)
    assert (count.sample_id, count.counted_at_local) == ("B1.P1-harvest-1", "2026-01-05T09:05:00")
    assert count.viability_pct == 95.0 and count.viable_density_1e6_per_ml == pytest.approx(1.14)
    assert count.total_density_1e6_per_ml == pytest.approx(1.2) and count.average_diameter_um == 17.4
    assert count.flags == () and len(count.source_sha256) == 64


def test_the_shipped_example_is_never_a_good_count() -> None:
    (count,) = counts(load_mapping(find_mapping("example_counter")))
    assert count.flags == ("instrument_error:example_mapping",)


def test_several_orders_and_several_messages(mapping: AstmMapping) -> None:
    second = MESSAGE.replace("B1.P1-harvest-1", "B1.P1-harvest-2")
    two_orders = MESSAGE.replace("L|1|N\r", "") + second[second.index("O|1") :]
    assert [count.sample_id for count in counts(mapping, two_orders)] == ["B1.P1-harvest-1", "B1.P1-harvest-2"]
    assert [count.sample_id for count in counts(mapping, MESSAGE + second)] == ["B1.P1-harvest-1", "B1.P1-harvest-2"]


@pytest.mark.parametrize(
    ("old", "new", "flag"),
    [
        ("|95.00|", "|60.00|", "viability_disagrees_with_densities"),
        ("|95.00|", "|-----|", "instrument_error:viability_pct_not_a_number"),
        ("|95.00|", "|nan|", "instrument_error:viability_pct_not_a_number"),
        ("|95.00|", "|1_0|", "instrument_error:viability_pct_not_a_number"),
        ("|1140000|", "|1300000|", "viable_density_exceeds_total"),
        ("|1140000|", "|-1|", "viable_density_negative"),
        ("|1140000|", "|-0|", "viable_density_negative_zero"),
        ("||||F||||", "||||P||||", "instrument_error:result_not_final"),
        ("VIABLE", "OTHER", "viable_density_missing"),
        ("B1.P1-harvest-1", "", "sample_id_missing"),
    ],
)
def test_what_can_not_be_true_is_flagged(mapping: AstmMapping, old: str, new: str, flag: str) -> None:
    (count,) = counts(mapping, MESSAGE.replace(old, new, 1))
    assert flag in count.flags


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("|1140000|cells/mL", "|1140000|cells/L", "is in 'cells/L', the mapping expects 'cells/mL'"),
        ("20260105090500\rR|2", "20260105250500\rR|2", "differs within one order"),
        ("TOTAL", "VIABLE", "stands 2 times in one order"),
        ("O|1|B1.P1-harvest-1\r", "", "without its order"),
    ],
)
def test_what_the_mapping_does_not_say_is_refused(mapping: AstmMapping, old: str, new: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        counts(mapping, MESSAGE.replace(old, new, 1))


@pytest.mark.parametrize("stamp", ["20260105240000", "20260230090500", "2026010509050", "", "202601050905001"])
def test_impossible_times_are_refused(mapping: AstmMapping, stamp: str) -> None:
    with pytest.raises(ProtocolError, match="is no time of the form"):
        counts(mapping, MESSAGE.replace("20260105090500", stamp))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('field = "R.4"', 'field = "R4"', r"own\.toml:\d+: \[quantity\] field: expected a place"),
        ('name = "viability_pct"', 'name = "viability"', r"own\.toml:\d+: \[quantity\] name: expected one of"),
        ("factor = 1e-6", "factor = 0", "factor: expected a number from"),
        ('name = "average_diameter_um"', 'name = "viability_pct"', "each name once"),
        ("[sample_id]", "[sample]", "sample_id: is missing"),
        ("example = true", "example = 1", "example: expected true or false"),
        ("[mapping]", "[mapping", "not valid TOML"),
        ("factor = 1e-6", "faktor = 1e-6", "unknown key; did you mean 'factor'"),
    ],
)
def test_wrong_mappings(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = find_mapping("example_counter").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "own.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_mapping(tmp_path / "own.toml")
    with pytest.raises(ConfigError, match=r"no such mapping; .* example_counter"):
        load_mapping(tmp_path / "none.toml")
