"""What an instrument's folder holds is read once, and lies at hand until it is on record."""

import os
from pathlib import Path

import pytest

from cultureops.device.driver import ImageResult, RejectedFile, Result
from cultureops.device.folder import Folder
from cultureops.errors import NotConnected


def parse(contents: bytes, name: str) -> tuple[Result, ...]:
    """One result for each line; refuses a file that says bad."""
    if contents == b"bad":
        raise ValueError(f"{name} is bad")
    return tuple(ImageResult(line.decode(), None, "", None, name, "00") for line in contents.splitlines())


def opened(path: Path) -> Folder:
    return Folder(path, parse, atomic=True)


def names(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*") if found.is_file())


def test_what_was_not_recorded_is_handed_over_again_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"A1\nB2")
    (tmp_path / "b.txt").write_bytes(b"bad")
    folder = opened(tmp_path)
    found = folder.take()
    assert len(found) == 3 and folder.take() == ()
    folder.release(found[0])
    assert [name.split("/")[0] for name in names(tmp_path)] == ["taken", "taken"]
    killed = opened(tmp_path)
    assert killed.take() == found
    for result in found:
        killed.release(result)
    assert names(tmp_path) == ["done/a.txt", "rejected/b.txt", "rejected/b.txt.error.txt"]
    assert "ValueError: b.txt is bad" in (tmp_path / "rejected/b.txt.error.txt").read_text()
    assert opened(tmp_path).take() == () and not list((tmp_path / "taken").iterdir())


def test_a_file_of_the_same_name_replaces_nothing_that_waits(tmp_path: Path) -> None:
    folder, found = opened(tmp_path), list[Result]()
    for contents in (b"A1", b"A2", b"bad"):
        (tmp_path / "a.txt").write_bytes(contents)
        found += folder.take()
    for result in reversed(found):
        folder.release(result)
    rejected = found[2]
    assert isinstance(rejected, RejectedFile) and (tmp_path / rejected.moved_to).read_bytes() == b"bad"
    assert sorted(path.read_bytes() for path in (tmp_path / "done").iterdir()) == [b"A1", b"A2"]


@pytest.mark.parametrize("name", [b"Z\xe4hlung.txt", b"two\nlines.txt", b"\xe2\x80\xaetxt.exe", b"x" * 250])
@pytest.mark.parametrize("contents", [b"A1", b"bad"])
def test_no_name_of_a_file_harms_its_neighbours(tmp_path: Path, name: bytes, contents: bytes) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(contents)
    (tmp_path / "zz.txt").write_bytes(b"B2")
    folder = opened(tmp_path)
    strange, neighbour = sorted(folder.take(), key=lambda result: result.source_file == "zz.txt")
    assert strange.source_file.isprintable() and strange.source_file.encode() and neighbour.source_file == "zz.txt"
    folder.release(strange)
    folder.release(neighbour)
    assert len(list((tmp_path / "done").iterdir())) == (2 if contents == b"A1" else 1)
    assert folder.take() == () == opened(tmp_path).take()


def test_a_file_without_results_is_put_away(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    folder = opened(tmp_path)
    assert folder.take() == () == folder.take() and names(tmp_path) == ["done/a.txt"]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotConnected, match="check that the folder is shared"):
        opened(tmp_path / "absent").take()
