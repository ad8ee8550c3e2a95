"""The software bill of materials: what runs here, as CycloneDX 1.6 JSON (ECMA-424).

A distribution's own hash is not known where it is installed. What is known is the list of its files with their SHA-256
(``RECORD``); the hash of that list stands for all of them, as a property under our own name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import cultureops

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

__all__ = ["NAME", "installed", "normal", "sbom_json", "write_sbom"]

NAME: Final = "cultureops"
_RECORD: Final = "cultureops:record-sha256"
_FILES: Final = "cultureops:files"
_NOT_A_NAME: Final = re.compile(r"[-_.]+")
_LICENCE: Final = "License :: OSI Approved :: "
_LONGEST: Final = 100


def installed() -> dict[str, metadata.Distribution]:
    """Return the distributions of the running environment by normalised name (PyPA name normalisation), sorted."""
    found = {normal(one.metadata["Name"]): one for one in metadata.distributions() if one.metadata["Name"]}
    return dict(sorted(found.items()))


def sbom_json(distributions: dict[str, metadata.Distribution] | None = None) -> str:
    """Return the bill of materials of the running environment; the same text for the same environment."""
    from cyclonedx.contrib.this.builders import this_component
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    found = installed() if distributions is None else distributions
    records = {name: one.read_text("RECORD") for name, one in found.items()}
    root = Component(
        name=NAME, version=cultureops.__version__, type=ComponentType.APPLICATION, bom_ref=NAME,
        licenses=_licences(found[NAME]) if NAME in found else (),
    )  # fmt: skip
    components = {name: _component(name, one, records[name]) for name, one in found.items() if name != NAME}
    bom = Bom(components=components.values())
    bom.metadata.component = root
    bom.metadata.tools.components.add(this_component())
    for name, one in found.items():
        wanted = [components[needed] for needed in _needs(one) if needed in components]
        bom.register_dependency(root if name == NAME else components[name], wanted)
    # The standard wants a number of its own for each bill; taken from the content, so that two alike are one.
    bom.serial_number = UUID(bytes=_digest(found, records), version=4)
    bom.metadata.timestamp = None  # type: ignore[assignment]
    text: str = JsonV1Dot6(bom).output_as_string(indent=1)
    return text


def _component(name: str, one: metadata.Distribution, record: str | None) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    properties = [] if record is None else [
        Property(name=_RECORD, value=hashlib.sha256(record.encode()).hexdigest()),
        Property(name=_FILES, value=str(record.count("\n"))),
    ]  # fmt: skip
    return Component(
        name=one.metadata["Name"], version=one.version, type=ComponentType.LIBRARY, bom_ref=f"{name}@{one.version}",
        purl=PackageURL("pypi", None, name, one.version), licenses=_licences(one), properties=properties,
    )  # fmt: skip


def _licences(one: metadata.Distribution) -> list[Any]:
    """Return what a distribution says of its licence: an expression, else the names of its classifiers, else words."""
    from cyclonedx.contrib.license.factories import LicenseFactory

    make = LicenseFactory()
    if expression := one.metadata.get_all("License-Expression"):
        return [make.make_from_string(expression[0])]
    classes = [text.removeprefix(_LICENCE) for text in one.metadata.get_all("Classifier") or () if _LICENCE in text]
    if classes:
        return [make.make_with_name(text) for text in sorted(set(classes))]
    words = (one.metadata.get_all("License") or [""])[0].strip()
    return [make.make_with_name(words.splitlines()[0][:_LONGEST])] if words else []


def _needs(one: metadata.Distribution) -> Iterator[str]:
    """Yield the normalised names of what a distribution requires, whatever the conditions."""
    for requirement in one.requires or ():
        if (found := re.match(r"[A-Za-z0-9._-]+", requirement)) is not None:
            yield normal(found[0])


def normal(name: str) -> str:
    """Return a package's name in its one form (PyPA, name normalisation)."""
    return _NOT_A_NAME.sub("-", name).lower()


def _digest(found: dict[str, metadata.Distribution], records: dict[str, str | None]) -> bytes:
    lines = (f"{name}=={one.version} {records[name] or ''}" for name, one in found.items())
    return hashlib.sha256("\n".join(lines).encode()).digest()[:16]


def write_sbom(target: Path, distributions: dict[str, metadata.Distribution] | None = None) -> None:
    """Write it to a new file, durable when it returns; raises ConfigError when it can't be."""
    from cultureops.telemetry.whole_file import whole_file

    text = sbom_json(distributions)
    with whole_file(target) as file:
        file.write(text.encode())
