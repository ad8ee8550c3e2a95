"""Zips that somebody made to harm: refused before a byte is written anywhere, with the reason."""

import io
import json
import os
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.packing import written_pack

from cultureops.errors import ChainBroken, ConfigError, CultureOpsError, StorageError
from cultureops.pack import verify_pack as verifier
from cultureops.pack.reading import open_pack, verify_pack


def _plain(file: zipfile.ZipFile) -> None:
    file.writestr("manifest.json", "{}")


def _named(name: str) -> Callable[[zipfile.ZipFile], None]:
    def fill(file: zipfile.ZipFile) -> None:
        _plain(file)
        file.writestr(zipfile.ZipInfo(name), "x")

    return fill


def _twice(file: zipfile.ZipFile) -> None:
    _plain(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _plain(file)


def _link(file: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("attachments/abc")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    file.writestr(info, "/etc/passwd")


def _bomb(file: zipfile.ZipFile) -> None:
    file.writestr("events.jsonl", b"\0" * 20_000_000, zipfile.ZIP_DEFLATED)


def _bzip2(file: zipfile.ZipFile) -> None:
    file.writestr("events.jsonl", b"x" * 100, zipfile.ZIP_BZIP2)


HOSTILE = {
    "parent": _named("../evil"),
    "deep parent": _named("telemetry/../../evil"),
    "absolute": _named("/etc/cron.d/evil"),
    "drive": _named("C:/evil"),
    "backslash": _named("..\\evil"),
    "folder": _named("attachments/"),
    "hidden": _named(".bashrc"),
    "control": _named("a\nb"),
    "right to left": _named("a\u202egpj.exe"),
    "long": _named("a" * 300),
    "other case": _named("Manifest.json"),
    "twice": _twice,
    "symbolic link": _link,
    "bomb": _bomb,
    "method": _bzip2,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_refused_and_nothing_is_written(kind: str, tmp_path: Path) -> None:
    source, target = tmp_path / "pack.zip", tmp_path / "new"
    with zipfile.ZipFile(source, "w") as file:
        HOSTILE[kind](file)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StorageError, match="refused"):
        open_pack(source, target)
    assert sorted(tmp_path.rglob("*")) == before and not (tmp_path.parent / "evil").exists()
    (finding,) = verify_pack(source).findings
    assert finding.kind == verifier.UNREADABLE


def test_files_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """One block of bytes under many names unpacks to any size."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in "abc":
            file.writestr(name, "x" * 1000)
        first = file.infolist()[0]
        for info in file.infolist()[1:]:
            info.header_offset = first.header_offset
    (tmp_path / "pack.zip").write_bytes(out.getvalue())
    with pytest.raises(StorageError, match="overlaps"):
        open_pack(tmp_path / "pack.zip", tmp_path / "new")


def test_a_zip_that_says_less_than_it_holds_is_not_taken_out(tmp_path: Path) -> None:
    data = bytearray(written_pack().read_bytes())
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 5)  # size unpacked, of the last file in the directory
    (tmp_path / "pack.zip").write_bytes(data)
    with pytest.raises(CultureOpsError):
        open_pack(tmp_path / "pack.zip", tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack.zip"]


@pytest.mark.parametrize("contents", [b"", b"PK", b"PK\x05\x06" + b"\0" * 18, b"\0" * 5_000, b"{}"])
def test_what_is_no_zip_is_refused(contents: bytes, tmp_path: Path) -> None:
    (tmp_path / "pack.zip").write_bytes(contents)
    with pytest.raises((StorageError, ChainBroken)):
        open_pack(tmp_path / "pack.zip", tmp_path / "new")
    assert verify_pack(tmp_path / "pack.zip").exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack.zip"]


def test_a_pack_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    whole = written_pack().read_bytes()
    for part in (10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "pack.zip").write_bytes(whole[:part])
        assert verify_pack(tmp_path / "pack.zip").findings[0].kind == verifier.UNREADABLE


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    os.symlink("/etc/passwd", tmp_path / "pack" / "events.jsonl")
    (finding,) = verify_pack(tmp_path / "pack").findings
    assert finding.kind == verifier.UNREADABLE and "link" in finding.detail


@pytest.mark.parametrize("text", ["null", "[]", "{", '{"a":NaN}', '{"a":1,"a":2}', '"\\ud800"', "1e999", "[" * 100_000])
@pytest.mark.parametrize(
    "name", ["manifest.json", "manifest.sig.json", "proof.json", "events.jsonl", "telemetry/roots.json"]
)
def test_garbage_in_any_file_is_found_and_never_raises(name: str, text: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(written_pack()) as source, zipfile.ZipFile(tmp_path / "pack.zip", "w") as file:
        for info in source.infolist():
            file.writestr(info.filename, text if info.filename == name else source.read(info))
    checked = verify_pack(tmp_path / "pack.zip")
    assert checked.exit_code == 1
    json.dumps([one.data() for one in checked.findings])


def test_a_name_that_is_taken_and_a_file_that_is_not_there_are_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name a new folder"):
        open_pack(written_pack(), tmp_path)
    with pytest.raises(ConfigError, match="no such file"):
        open_pack(tmp_path / "none.zip", tmp_path / "new")
    with pytest.raises(ConfigError, match="can't be made"):
        open_pack(written_pack(), tmp_path / "nowhere" / "new")
