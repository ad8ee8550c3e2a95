"""A file that is replaced whole: what could not be written leaves what was there."""

import os
from pathlib import Path

import pytest

from cultureops.durable_file import replace_file


def test_what_a_file_holds_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "cursor.json"
    for text in ("one\n", "été\n"):
        replace_file(file, text, mode=0o600)
        assert file.read_text(encoding="utf-8") == text
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_file_that_can_not_be_replaced_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    file = tmp_path / "cursor.json"
    replace_file(file, "before\n")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os if call == "fsync" else Path, call, fail)
        with pytest.raises(OSError, match="No space"):
            replace_file(file, "after\n")
    assert file.read_text() == "before\n"
    replace_file(file, "after\n")
    assert file.read_text() == "after\n"
