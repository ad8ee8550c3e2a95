"""Installed packages against what they say of themselves: the SHA-256 of each file, and what each needs of others."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from importlib import metadata
from typing import Final

from cultureops.qualification.row import Found, fail, not_applicable, ok
from cultureops.qualification.sbom import NAME, installed, normal

__all__ = ["compare", "library_files", "program_files", "versions"]

_MOST_NAMED: Final = 5


def program_files(_: object) -> Found:
    """Compare the program's own files with its RECORD; a working copy has none to compare with."""
    own = installed().get(NAME)
    if own is None:
        return fail("cultureops is not installed as a package")
    said = json.loads(own.read_text("direct_url.json") or "{}")
    if said.get("dir_info", {}).get("editable"):
        return fail(f"{own.version}, a working copy that anybody may edit; install a released package")
    return compare([own])


def library_files(_: object) -> Found:
    """Compare the files of all other packages with their RECORDs."""
    return compare(one for name, one in installed().items() if name != NAME)


def versions(_: object) -> Found:
    """Ask of each package whether what it requires is there in a version that it allows."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return not_applicable("the package `packaging`, which reads requirements, is not installed")
    found, wrong = installed(), []
    for name, one in found.items():
        for text in one.requires or ():
            requirement = Requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            needed = found.get(normal(requirement.name))
            if needed is None or not requirement.specifier.contains(needed.version, prereleases=True):
                wrong.append(f"{name} needs {requirement}, has {None if needed is None else needed.version}")
    return fail("; ".join(wrong[:_MOST_NAMED])) if wrong else ok(f"{len(found)} packages")


def compare(distributions: Iterable[metadata.Distribution]) -> Found:
    """Read every file of packages that has a SHA-256 in its RECORD, and name the first that differ."""
    packages = files = 0
    wrong: list[str] = []
    for one in distributions:
        packages += 1
        for file in one.files or ():
            if file.hash is None or file.hash.mode != "sha256":
                continue
            files += 1
            try:
                digest = hashlib.sha256(one.locate_file(file).read_bytes()).digest()  # type: ignore[attr-defined]
            except OSError as error:
                wrong.append(f"{file}: {error.strerror}")
                continue
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                wrong.append(f"{file}: is not as released")
    if wrong:
        return fail(f"{len(wrong)} of {files} files differ: {'; '.join(wrong[:_MOST_NAMED])}")
    return ok(f"{files} files of {packages} packages") if files else fail("no file has a hash to compare with")
