"""A complaint about a TOML file names the file, the line, the section and the key."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.config import Table, load, parse
from cultureops.errors import ConfigError

SITE = """\
title = "lab"

[site]
name = "x"   # comment

[[device]]
id = "a"
options = { profile = "p", unit_id = 3 }

[[device]]
id = "b"
numbers = [
  1,
  2,
]
[device.sub]
"q k" = 2
[[device.point]]
n = 1
[[device.point]]
n = "two"
"""


def test_lines_of_tables_and_arrays() -> None:
    first, second = parse(SITE, "site.toml").tables("device")
    assert (first.line, second.line) == (6, 10)
    assert second.table("sub").line == 16
    assert second.tables("point")[1].line == 20
    assert second.numbers("numbers") == (1.0, 2.0)
    assert second.table("sub").integer("q k") == 2


def _devices(table: Table) -> tuple[Table, ...]:
    return table.tables("device")


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (
            lambda t: _devices(t)[1].tables("point")[1].integer("n"),
            "site.toml:21: [device.point] n: expected a whole number, not 'two'",
        ),
        (
            lambda t: _devices(t)[0].table("options").integer("unit_id", maximum=2),
            "site.toml:8: [device.options] unit_id",
        ),
        (lambda t: t.table("site").text("zone"), "site.toml:3: [site] zone: is missing"),
        (lambda t: t.table("site").text("name", choices=("y", "z")), "site.toml:4: [site] name: expected one of y, z"),
        (lambda t: t.table("title"), "site.toml:1: title: expected a table"),
        (lambda t: t.table("site").flag("name"), "expected true or false"),
        (lambda t: t.tables("site"), "site.toml:3: site: expected [[site]] tables"),
    ],
)
def test_complaints(ask: object, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(parse(SITE, "site.toml"))  # type: ignore[operator]
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_key_suggests_the_known_one() -> None:
    table = parse("deadband = 1\nlimit = 2", "rules.toml")
    table.number("deadband")
    table.number("limits", 0.0)
    with pytest.raises(ConfigError, match=r"rules.toml:2: limit: unknown key; did you mean 'limits'"):
        table.done()


@pytest.mark.parametrize("text", ["a = ", "a = 1\na = 2", "[x", "a = nan\x00"])
def test_what_is_not_toml_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"site\.toml: not valid TOML"):
        parse(text, "site.toml")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "true", '"1"'])
def test_numbers_are_finite_numbers(value: str) -> None:
    with pytest.raises(ConfigError, match=r"site\.toml:1: a: expected"):
        parse(f"a = {value}", "site.toml").number("a")


def test_a_time_is_toml_s_own_or_iso() -> None:
    table = parse('a = 2026-01-05T08:00:00+01:00\nb = "2026-01-05 08:00"\nc = "soon"\nd = 2026-01-05', "site.toml")
    assert table.time("a").isoformat() == "2026-01-05T08:00:00+01:00"
    assert table.time("b").isoformat() == "2026-01-05T08:00:00"
    for key, line in (("c", 3), ("d", 4), ("e", 1)):
        with pytest.raises(ConfigError, match=rf"site\.toml:{line}: {key}: .*expected a date-time such as"):
            table.time(key)


def test_a_table_with_other_keys_keeps_its_lines() -> None:
    table = parse("[x]\na = 1\nb = 2\nc = 3", "site.toml").table("x")
    changed = table.but(without=["a"], b=7, d=8)
    assert changed.raw() == {"b": 2, "c": 3, "d": 8} and not changed.has("a") and table.has("a")
    with pytest.raises(ConfigError, match=r"site\.toml:3: \[x\] b: expected a text"):
        changed.text("b")


def test_absent_and_undecodable_files(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'a = "\xe9"')
    with pytest.raises(ConfigError, match="can't be read as UTF-8"):
        load(tmp_path / "latin.toml")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        table = parse(text, "any.toml")
    except ConfigError as error:
        assert str(error).startswith("any.toml: not valid TOML")
    else:
        assert table.raw() == tomllib.loads(text)
        assert table.error("x", next(iter(table.keys()), None))
