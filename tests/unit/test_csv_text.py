"""No cell of an export is a formula, whichever spreadsheet opens it, and every text comes back."""

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cultureops.csv_text import BOM, CsvWriter, read_cell, read_csv, write_cell
from cultureops.errors import ConfigError

HOSTILE = (
    *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\xa0=1", "=cmd|' /C calc'!A0"),
    *(
        '=HYPERLINK("http://x","y")',
        "a;=1",
        "a\t@x",
        "a\n=1",
        "＝1",
        "－1＋1",
        "'=1",
        "''=1",
        "\ufeff=1",
        "+49 30 1234",
    ),
    *(
        'x";=1',
        "a,=1",
        '"=1"',
        "-80 °C",
        "@operator-1",
        "- note",
        "+",
        "\u202e=1",
        "<script>",
        "ünï",
        "",
        " ",
        "'",
        '"',
    ),
)
NUMBER = re.compile(r"[+-]?[\d.]+([eE][+-]?\d+)?|[+-]\d\d:\d\d")
texts = st.text(
    st.one_of(st.sampled_from("=+-@'\";,\t\r\n 0159.eE:\ufeff＝"), st.characters(codec="utf-8")), max_size=12
)


def is_run(cell: str) -> bool:
    """Whether a spreadsheet runs a cell: blanks before it are passed over by some."""
    seen = cell.removeprefix(BOM)
    return seen[:1] in ("\t", "\r", "\n") or (
        seen.strip(' \xa0"')[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠")
        and not NUMBER.fullmatch(seen.strip(' \xa0"'))
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_is_no_formula_and_comes_back(text: str) -> None:
    assert not is_run(write_cell(text))
    assert read_cell(write_cell(text)) == text


@given(texts)
@example("'\t=x")
@example("\ufeff'=x")
def test_every_text_comes_back_and_none_is_a_formula(text: str) -> None:
    assert read_cell(write_cell(text)) == text
    assert not is_run(write_cell(text))


@given(st.lists(texts, min_size=2, max_size=4))
def test_no_cell_is_a_formula_whichever_delimiter_a_spreadsheet_expects(cells: list[str]) -> None:
    out = io.StringIO(newline="")
    CsvWriter(out, cells)
    for delimiter in ",;\t":
        if delimiter == ",":
            rows = list(csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter))
            assert [[read_cell(cell) for cell in row] for row in rows] == [cells]
            assert not any(is_run(cell) for row in rows for cell in row)
            continue
        for line in out.getvalue().splitlines():
            assert not any(is_run(part.lstrip("\r")) for part in line.split(delimiter)[1:] if part), (line, delimiter)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-5, "-5"),
        (-5.25, "-5.25"),
        ("-5.2e-3", "-5.2e-3"),
        (1e300, "1e+300"),
        (None, ""),
        (True, "true"),
        ("+01:00", "+01:00"),
    ],
)
def test_numbers_and_offsets_stay_as_they_are(value: object, cell: str) -> None:
    assert write_cell(value) == cell


def test_rows_end_as_rfc_4180_has_it_and_a_mark_of_utf8_is_put_once() -> None:
    out = io.StringIO(newline="")
    CsvWriter(out, ("a", "b"), has_bom=True).write(('say "x", now', "line\nbreak"))
    assert out.getvalue() == '\ufeffa,b\r\n"say ""x"", now","line\nbreak"\r\n'
    assert next(read_csv(io.StringIO(out.getvalue(), newline=""), "x.csv")) == (1, ["a", "b"])
    with pytest.raises(ValueError, match="1 cells under 2 headings"):
        CsvWriter(out, ("a", "b")).write(("alone",))


def test_what_is_no_csv_is_named_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"x\.csv:2: not CSV"):
        list(read_csv(io.StringIO('a,b\r\n"open'), "x.csv"))
