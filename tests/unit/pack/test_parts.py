"""The parts of a pack, each by its own standard: the tree by RFC 6962, the schema, the crate, signatures of people."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.packing import BATCH_ID, RAW, written_pack
from tests.signing import signature

from cultureops.access import Meaning, Shown
from cultureops.access.signature import CLAIM, signed
from cultureops.attachments import Attachments
from cultureops.clock import SeededEntropy, SteppedClock, parse_iso
from cultureops.errors import StorageError
from cultureops.ledger import Actor, NewEvent, SqlLedger
from cultureops.ledger.event import Source as From
from cultureops.ledger.head import GENESIS
from cultureops.ledger.keys import KeyFolder
from cultureops.ledger.merkle import MerkleTree, leaf_hash, merkle_root
from cultureops.pack import verify_pack as verifier
from cultureops.pack.contents import Contents
from cultureops.pack.proof import Nodes, peaks
from cultureops.pack.reading import verify_pack
from cultureops.pack.readings import Window, merged
from cultureops.pack.schema import event_schema
from cultureops.pack.writing import Source, write_pack
from cultureops.telemetry.local_time import zone_named

NOW = parse_iso("2026-01-05T08:00:00Z")


def member(name: str) -> bytes:
    with zipfile.ZipFile(written_pack()) as file:
        return file.read(name)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.data())
def test_every_leaf_leads_to_the_root_by_the_nodes_of_the_proof(size: int, data: st.DataObject) -> None:
    leaves = [bytes([number % 251, number // 251]) for number in range(size)]
    chosen = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=8))
    nodes = Nodes(map(leaf_hash, leaves))
    assert nodes.root == merkle_root(leaves) and nodes.size == size
    proof = verifier.nodes_of(nodes.proving((0, index) for index in chosen))
    for index in chosen:
        assert verifier.root_by(proof, size, 0, index, leaf_hash(leaves[index])) == nodes.root
        assert verifier.root_by(proof, size, 0, index, leaf_hash(b"other")) != nodes.root


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.data())
def test_an_old_root_is_made_of_nodes_that_are_part_of_the_new_tree(size: int, data: st.DataObject) -> None:
    leaves = [bytes([number]) for number in range(size)]
    old = data.draw(st.integers(1, size))
    tree, nodes = MerkleTree.of(leaves), Nodes(map(leaf_hash, leaves))
    assert peaks(old) == verifier.peaks(old)
    found = b""
    for level, index in reversed(peaks(old)):
        node = nodes.hash(level, index)
        proof = verifier.nodes_of(nodes.proving([(level, index)]))
        assert verifier.root_by(proof, size, level, index, node) == nodes.root
        found = hashlib.sha256(b"\1" + node + found).digest() if found else node
    assert found == tree.root(old)


def test_windows_that_touch_become_one() -> None:
    windows = [Window("b", 5, 9), Window("a", 10, 20), Window("a", 0, 10), Window("a", 30, 30), Window("a", 25, 28)]
    assert merged(windows) == (Window("a", 0, 20), Window("a", 25, 28), Window("b", 5, 9))


@pytest.mark.requirement("R16")
def test_every_event_of_a_pack_is_as_the_schema_in_it_says() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(member("schema.json"))
    assert schema == json.loads(json.dumps(event_schema()))
    check = jsonschema.Draft202012Validator(schema)
    events = [json.loads(line) for line in member("events.jsonl").splitlines()]
    for event in {event["type"]: event for event in events}.values():
        check.validate(event)
    for changes in ({"position": 0}, {"occurred_at": "yesterday"}, {"more": 1}, {"data": []}):
        assert list(check.iter_errors(events[5] | changes)), changes
    marrow = next(event for event in events if event["type"] == "marrow_received")
    assert list(check.iter_errors(marrow | {"data": marrow["data"] | {"marrow_ml": "much"}}))


def test_the_crate_lists_every_file_of_the_pack_once() -> None:
    crate = json.loads(member("ro-crate-metadata.json"))
    assert crate["@context"] == "https://w3id.org/ro/crate/1.1/context"
    by_id = {entity["@id"]: entity for entity in crate["@graph"]}
    assert len(by_id) == len(crate["@graph"])
    about = by_id["ro-crate-metadata.json"]
    assert about["@type"] == "CreativeWork" and about["conformsTo"]["@id"].startswith("https://w3id.org/ro/crate/1.1")
    root = by_id[about["about"]["@id"]]
    assert root["@type"] == "Dataset" and {"name", "description", "datePublished", "license"} <= set(root)
    assert by_id[root["license"]["@id"]]["@type"] == "CreativeWork"
    listed = {part["@id"] for part in root["hasPart"]}
    with zipfile.ZipFile(written_pack()) as file:
        inside = set(file.namelist())
    assert listed == inside - {"ro-crate-metadata.json", "manifest.json", "manifest.sig.json"}
    for path in listed:
        entity = by_id[path]
        assert entity["@type"] == "File" and entity["sha256"] == hashlib.sha256(member(path)).hexdigest()
        assert entity["contentSize"] == str(len(member(path)))


def test_the_readme_says_how_to_verify_and_what_is_not_proven() -> None:
    text = member("README.txt").decode()
    assert BATCH_ID in text and "verify_pack.py" in text and "NOT PROVEN" in text
    head = json.loads(member("proof.json"))["head"]
    assert head["root"] in text and head["key_id"] in text
    assert "{" not in text.replace('{"data"', "")


def test_the_raw_file_is_in_the_pack_under_its_hash_and_its_name_is_nowhere_a_path() -> None:
    assert member(f"attachments/{hashlib.sha256(RAW).hexdigest()}") == RAW
    with zipfile.ZipFile(written_pack()) as file:
        verifier.check_names(file.namelist())
        assert not [name for name in file.namelist() if "harvest" in name]


HOSTILE_IDS = ["../../etc/passwd", "a/b\\c", "\u05d0\u05d1.exe", "B" * 190, "-rf %s%n{} =1+1 Ä ß 細胞"]


@pytest.mark.parametrize("batch_id", HOSTILE_IDS)
async def test_a_batch_of_any_name_has_a_pack_that_verifies(batch_id: str, tmp_path: Path) -> None:
    found = await _packed(tmp_path, batch_id, [])
    assert found.exit_code == 0 and found.facts["batch"] == batch_id
    assert all(line.isprintable() for line in verifier.summary(found, "pack.zip"))
    with zipfile.ZipFile(tmp_path / "pack.zip") as file:
        verifier.check_names(file.namelist())


async def test_a_name_that_turns_text_around_never_gets_into_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="printable"):
        await _packed(tmp_path, "\u202egpj.exe", [])


def _signed(actor: str, shown: Shown, **changes: Any) -> Any:
    return signature(shown, Actor(actor, "QA"), Meaning.APPROVED, NOW, id=f"S-{actor}", **changes)


def _noted(text: str) -> NewEvent:
    return NewEvent("noted", {"text": text}, Actor("qa-1", "QA"), From.HUMAN)


@pytest.mark.requirement("R6")
@pytest.mark.parametrize("deed", ["none", "other content", "other record", "shown another", "used twice", "no claim"])
async def test_r6_a_signature_fits_one_event_of_one_record_and_no_other(deed: str, tmp_path: Path) -> None:
    """What a person with the ledger's key could append is told by the signature itself."""
    stream = "batch:B-1"
    shown = Shown(stream, 0, GENESIS.hex(), "Note", "ab" * 32)
    if deed == "other record":
        shown = Shown("batch:B-2", 0, GENESIS.hex(), "Note", "ab" * 32)
    if deed == "shown another":
        shown = Shown(stream, 0, "cd" * 32, "Note", "ab" * 32)
    new = signed(_noted("as agreed"), stream, [_signed("qa-1", shown)])
    if deed == "other content":
        new = NewEvent(new.type, {**new.data, "text": "another"}, new.actor, new.source, claims=new.claims)
    if deed == "no claim":
        new = NewEvent(new.type, new.data, new.actor, new.source)
    events = [new]
    if deed == "used twice":
        release = NewEvent("noted", {"text": "x"}, new.actor, new.source, releases=(CLAIM + "S-qa-1",))
        events = [new, release, new]
    found = await _packed(tmp_path, "B-1", events)
    assert [one.kind for one in found.findings] == ([] if deed == "none" else [verifier.SIGNATURE])
    if deed == "other content":
        assert "UNSIGNED" in found.findings[0].detail


async def _packed(folder: Path, batch_id: str, events: list[NewEvent]) -> verifier.Checked:
    """Pack a batch of a few events, and verify the pack."""
    keys, stream = KeyFolder(folder / "keys"), f"batch:{batch_id}"
    ledger = SqlLedger.open(folder / "ledger.sqlite", SteppedClock(NOW), SeededEntropy(3), keys=keys)
    await ledger.introduce_key()
    await ledger.append(stream, events or [_noted("one"), _noted("\u202e <script> =1+1")], 0)
    await ledger.append("elsewhere", [_noted("between")], 0)
    head = await ledger.sign_head()
    assert head is not None
    key = keys.load(head.key_id)
    assert key is not None
    chosen = tuple(event for event in ledger.read_all() if event.stream != "elsewhere")
    await ledger.close()
    contents = Contents(batch_id, ledger_version(chosen, stream), f"batch {batch_id!r}", chosen, (), {})
    source = Source(folder / "ledger.sqlite", folder / "telemetry", Attachments(folder), zone_named("Europe/Berlin"))
    with (folder / "pack.zip").open("xb") as out:
        write_pack(contents, source, [head], key, {}, NOW, out, folder)
    return verify_pack(folder / "pack.zip")


def ledger_version(events: tuple[Any, ...], stream: str) -> int:
    return max(event.version for event in events if event.stream == stream)
