"""Random single-bit flips over the bytes of a pack, and what has to be said of each."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

from cultureops.pack import verify_pack as verifier
from cultureops.pack.reading import verify_pack

__all__ = ["flip_and_check", "flip_in_folder"]

NAMED = (verifier.EDITED, verifier.UNREADABLE)


def flip_and_check(pack: Path, scratch: Path, count: int, seed: int) -> dict[str, int]:
    """Flip one bit after the other; return how many were named, and how many left every file as it was.

    Fails for a flip that is called something else, or that changed a file and was not found.
    """
    chance = random.Random(seed)
    data = bytearray(pack.read_bytes())
    whole = _files(pack)
    outcomes = dict.fromkeys((*NAMED, "harmless"), 0)
    for _ in range(count):
        bit = chance.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
        scratch.write_bytes(data)
        checked = verify_pack(scratch)
        if checked.findings:
            first = checked.findings[0]
            assert first.kind in NAMED, f"bit {bit}: {first}"
            outcomes[first.kind] += 1
        else:
            assert _files(scratch) == whole, f"bit {bit} changed a file and was not found"
            outcomes["harmless"] += 1
        data[bit // 8] ^= 1 << bit % 8
    return outcomes


def flip_in_folder(folder: Path, count: int, seed: int) -> dict[str, int]:
    """Do the same to an unpacked pack, a file at random and then a bit: every one of them has to be named."""
    chance = random.Random(seed)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    outcomes = dict.fromkeys(NAMED, 0)
    for _ in range(count):
        path = chance.choice(files)
        whole = path.read_bytes()
        data, bit = bytearray(whole), chance.randrange(len(whole) * 8)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        checked = verify_pack(folder)
        assert checked.findings, f"{path.name}, bit {bit}: not found"
        assert checked.findings[0].kind in NAMED, f"{path.name}, bit {bit}: {checked.findings[0]}"
        outcomes[checked.findings[0].kind] += 1
        path.write_bytes(whole)
    assert not verify_pack(folder).findings
    return outcomes


def _files(pack: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(pack) as file:
        return {name: file.read(name) for name in file.namelist()}
