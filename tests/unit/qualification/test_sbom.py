"""The bill of materials is valid CycloneDX, complete, and the same for the same environment."""

import json
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from cultureops.errors import ConfigError
from cultureops.qualification.sbom import installed, sbom_json, write_sbom


@pytest.fixture(scope="module")
def bill() -> dict:  # type: ignore[type-arg]
    return json.loads(sbom_json())


@pytest.mark.requirement("R25")
def test_every_package_of_the_environment_is_in_it_with_version_licence_and_files(bill: dict) -> None:  # type: ignore[type-arg]
    assert bill["metadata"]["component"]["name"] == "cultureops"
    found = {component["purl"]: component for component in bill["components"]}
    assert set(found) == {f"pkg:pypi/{name}@{one.version}" for name, one in installed().items() if name != "cultureops"}
    typst = found[f"pkg:pypi/typst@{distribution('typst').version}"]
    record = distribution("typst").read_text("RECORD")
    assert record is not None
    assert {"name": "cultureops:record-sha256", "value": sha256(record.encode()).hexdigest()} in typst["properties"]
    assert sum("licenses" in component for component in found.values()) > 0.9 * len(found)
    (own,) = [row for row in bill["dependencies"] if row["ref"] == "cultureops"]
    assert any(ref.startswith("sqlalchemy@") for ref in own["dependsOn"])


def test_it_is_valid_by_its_own_schema(bill: dict) -> None:  # type: ignore[type-arg]
    jsonschema = pytest.importorskip("jsonschema")
    import cyclonedx.schema

    folder = Path(cyclonedx.schema.__file__).parent / "_res"
    schema = json.loads((folder / "bom-1.6.SNAPSHOT.schema.json").read_text())
    beside = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    store = {f"http://cyclonedx.org/schema/{name}": json.loads((folder / name).read_text()) for name in beside}
    resolver = jsonschema.RefResolver.from_schema(schema, store=store, handlers={"http": pytest.fail})

    def more_items(_: object, allowed: object, found: list[object], part: dict[str, Any]) -> Iterator[Exception]:
        """Say that there are too many; the library's own words can't be made of items that are objects."""
        if allowed is False and isinstance(part.get("items"), list) and len(found) > len(part["items"]):
            yield jsonschema.ValidationError("more items")

    kind = jsonschema.validators.extend(jsonschema.Draft7Validator, {"additionalItems": more_items})
    validator = kind(schema, resolver=resolver)
    assert [error.message for error in validator.iter_errors(bill)] == []
    assert list(validator.iter_errors(bill | {"components": [{"name": "nameless"}]}))


def test_the_same_environment_gives_the_same_bill_and_no_file_is_written_over(tmp_path: Path) -> None:
    found = installed()
    one = {name: found[name] for name in ("cultureops", "typst", "webauthn")}
    write_sbom(tmp_path / "sbom.json", one)
    assert (tmp_path / "sbom.json").read_text() == sbom_json(one)
    with pytest.raises(ConfigError, match="exists"):
        write_sbom(tmp_path / "sbom.json", one)
    other = {name: one[name] for name in ("cultureops", "typst")}
    assert json.loads(sbom_json(other))["serialNumber"] != json.loads(sbom_json(one))["serialNumber"]
