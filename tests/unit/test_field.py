"""What may stand in a record's texts, and how what may not is shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.errors import BatchError
from cultureops.field import Details, Text, check_reason, printable

EVIL = ["\x1b[2J", "a\rb", "\u202egpj.exe", "\x00", "\x9b31m", "\u2066", "\x7f", "\u2028"]


class Written(Details):
    """One text."""

    text: Text = ""


@pytest.mark.parametrize("text", EVIL)
def test_control_characters_are_refused_by_name_in_one_line(text: str) -> None:
    with pytest.raises(BatchError, match=r"^Written: text: expected printable characters.*U\+[0-9A-F]{4}") as refused:
        Written(text=text)
    assert str(refused.value).isprintable()
    with pytest.raises(BatchError, match=r"^reason: expected printable characters.*U\+[0-9A-F]{4}") as refused:
        check_reason(text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("text", ["", "two\nlines\tand a tab", "37 °C, µL, Zürich, سلول, 細胞", "=1+1 [red]<b>"])
def test_what_people_write_is_taken(text: str) -> None:
    assert Written(text=text).text == text
    check_reason(text)


def test_a_reason_has_an_end() -> None:
    check_reason("x" * 2_000)
    with pytest.raises(BatchError, match="reason: expected at most 2000 characters, not 2001"):
        check_reason("x" * 2_001)


@settings(max_examples=200)
@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_what_is_shown_moves_no_cursor(text: str) -> None:
    assert printable(text).isprintable()
    assert {char for char in printable(text, "\n") if not char.isprintable()} <= {"\n"}
    assert (printable(text) == text) == text.isprintable()
    printable(text).encode()
