"""What somebody with every right on the files may do to an unpacked pack, and what it has to be called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cultureops.ledger.chain import link
from cultureops.ledger.merkle import MerkleTree, leaf_hash
from cultureops.pack.proof import Nodes

__all__ = ["FORGERIES", "Forgery", "lines_of", "put_lines", "reseal", "rewrite_manifest"]


@dataclass(frozen=True)
class Forgery:
    """One deed; ``position`` is the event that must be named, None where a file must be (``where``)."""

    name: str
    do: Callable[[Path], None]
    kind: str
    position: int | None = None
    where: str = ""
    arguments: tuple[str, ...] = ()


def lines_of(folder: Path) -> list[bytes]:
    return (folder / "events.jsonl").read_bytes().splitlines()


def put_lines(folder: Path, lines: list[bytes]) -> None:
    (folder / "events.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


def at(folder: Path, position: int) -> int:
    return next(n for n, line in enumerate(lines_of(folder)) if json.loads(line)["position"] == position)


def rewrite_manifest(folder: Path) -> None:
    """List every file as it is now: what anybody can do who has no key."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    files = [one for one in sorted(folder.rglob("*")) if one.is_file() and not one.name.startswith("manifest.")]
    manifest["files"] = [
        {"path": one.relative_to(folder).as_posix(), "size": one.stat().st_size, "sha256": sha256(one.read_bytes())}
        for one in files
    ]
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def reseal(folder: Path, key: Ed25519PrivateKey) -> None:
    """Sign the manifest with a key of one's own."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).digest()
    seal = {
        "algorithm": "Ed25519",
        "key_id": sha256(raw)[:16],
        "public_key": raw.hex(),
        "signature": key.sign(b"cultureops pack manifest 1\0" + digest).hex(),
    }
    (folder / "manifest.sig.json").write_text(json.dumps(seal, indent=1) + "\n")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _with_lines(change: Callable[[list[bytes], int], None], position: int) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        lines = lines_of(folder)
        change(lines, at(folder, position))
        put_lines(folder, lines)

    return do


def _edit(lines: list[bytes], n: int) -> None:
    lines[n] = lines[n].replace(b'"occurred_at":"2026-01-', b'"occurred_at":"2026-02-', 1)


def _rename(lines: list[bytes], n: int) -> None:
    lines[n] = lines[n].replace(b'"position":', b'"position":9', 1)


def _delete(lines: list[bytes], n: int) -> None:
    del lines[n]


def _copy(lines: list[bytes], n: int) -> None:
    lines.insert(n, lines[n + 2])


def _invent(lines: list[bytes], n: int) -> None:
    fields = json.loads(lines[n]) | {"position": 9_999}
    lines.insert(n, json.dumps(fields, separators=(",", ":"), sort_keys=True).encode())


def _swap(lines: list[bytes], n: int) -> None:
    lines[n], lines[n + 3] = lines[n + 3], lines[n]


def _cut(lines: list[bytes], n: int) -> None:
    del lines[n:]


def _garble(lines: list[bytes], n: int) -> None:
    lines[n] = lines[n][:-1] + b"\xff"


def _rehash(position: int) -> Callable[[Path], None]:
    """Rewrite an event, its chain hash and the manifest, so that all fits but the signed root."""

    def do(folder: Path) -> None:
        lines, n = lines_of(folder), at(folder, position)
        _edit(lines, n)
        put_lines(folder, lines)
        _with_proof(folder, lambda proof: _relink(proof, position, lines[n]))
        rewrite_manifest(folder)

    return do


def _with_proof(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    proof = json.loads((folder / "proof.json").read_text())
    change(proof)
    (folder / "proof.json").write_text(json.dumps(proof))


def _relink(proof: dict[str, Any], position: int, canonical: bytes) -> None:
    row = next(row for row in proof["chain"] if row[0] == position)
    row[2] = link(bytes.fromhex(row[1]), canonical).hex()


def _drop_everywhere(position: int) -> Callable[[Path], None]:
    """Take an event out of the events, the proof and the manifest."""

    def do(folder: Path) -> None:
        _with_lines(_delete, position)(folder)
        _with_proof(folder, lambda proof: proof["chain"].remove(next(r for r in proof["chain"] if r[0] == position)))
        rewrite_manifest(folder)

    return do


def _flip(name: str, offset: int) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        (path,) = folder.glob(name)
        data = bytearray(path.read_bytes())
        data[offset] ^= 0x10
        path.write_bytes(data)

    return do


def _remove(name: str) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        (path,) = folder.glob(name)
        path.unlink()

    return do


def _then_list(do: Callable[[Path], None]) -> Callable[[Path], None]:
    def both(folder: Path) -> None:
        do(folder)
        rewrite_manifest(folder)

    return both


def _put_in(folder: Path) -> None:
    (folder / "more.txt").write_text("x")


def _foreign_key(folder: Path) -> None:
    (folder / "record.json").write_text("{}")
    rewrite_manifest(folder)
    reseal(folder, Ed25519PrivateKey.from_private_bytes(b"\7" * 32))


def whole_new_history(folder: Path, *, keeps_key: bool = False) -> None:
    """Write everything anew with a key of one's own, which anybody can: only what is noted elsewhere tells.

    ``keeps_key`` leaves the laboratory's key in it, which is no secret, and says that one's own took its place.
    """
    from cultureops.clock import parse_iso
    from cultureops.ledger.keys import SigningKey
    from cultureops.ledger.signed_head import sign_head

    private = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    key = SigningKey(private)
    proof = json.loads((folder / "proof.json").read_text())
    tips: dict[str, str] = {}
    leaves: list[bytes] = []
    lines, chain = [], []
    previous = hashlib.sha256(b"").digest()
    told = [json.loads(line) for line in lines_of(folder)]
    if keeps_key:
        mine = json.loads(json.dumps(next(one for one in told if one["type"] == "key_introduced")))
        mine |= {"version": 2, "actor": {"id": "operator-9", "role": "AD"}, "reason": "the disk broke"}
        told.insert(1 + next(n for n, one in enumerate(told) if one["type"] == "key_introduced"), mine)
    for number, fields in enumerate(told, 1):
        fields["position"] = number
        fields["previous_stream_hash"] = tips.get(fields["stream"], hashlib.sha256(b"").hexdigest())
        if fields["type"] == "key_introduced" and (fields["reason"] or not keeps_key):
            fields["data"] |= {"key_id": key.public.id, "public_key": key.public.raw.hex()}
        if fields["type"] == "marrow_received":
            fields["data"]["marrow_ml"] = 99.5
        canonical = json.dumps(fields, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
        after = link(previous, canonical)
        chain.append([number, previous.hex(), after.hex()])
        previous = after
        tips[fields["stream"]] = after.hex()
        lines.append(canonical)
        leaves.append(canonical)
    put_lines(folder, lines)
    nodes = Nodes(leaf_hash(leaf) for leaf in leaves)
    assert nodes.root == MerkleTree.of(leaves).root()
    signed_at = parse_iso(proof["head"]["signed_at"])
    head = sign_head(key, len(lines), nodes.root, previous, signed_at, "local")
    rows = nodes.proving((0, index) for index in range(len(lines)))
    proof |= {"head": head.data(), "chain": chain, "nodes": rows, "heads": []}
    (folder / "proof.json").write_text(json.dumps(proof))
    rewrite_manifest(folder)
    reseal(folder, private)


FORGERIES = [
    Forgery("a time is edited", _with_lines(_edit, 12), "edited", 12),
    Forgery("a position is edited", _with_lines(_rename, 12), "edited", 12),
    Forgery("an event is deleted", _with_lines(_delete, 20), "deleted", 20),
    Forgery("an event is copied", _with_lines(_copy, 20), "inserted", 20),
    Forgery("an event is invented", _with_lines(_invent, 20), "inserted", 20),
    Forgery("two events are swapped", _with_lines(_swap, 30), "reordered", 30),
    Forgery("the last events are cut off", _with_lines(_cut, 40), "truncated", 40),
    Forgery("an event is garbage", _with_lines(_garble, 12), "unreadable", 12),
    Forgery("an event is written anew with fitting hashes", _rehash(25), "re-hashed", 25),
    Forgery("an event is deleted everywhere", _drop_everywhere(25), "deleted", 26),
    Forgery("a sealed chunk is edited", _flip("telemetry/chunks.bin", 60), "edited", None, "telemetry/chunks.bin"),
    Forgery(
        "a sealed chunk is edited and listed anew",
        _then_list(_flip("telemetry/chunks.bin", 60)),
        "edited", None, "telemetry/chunks.bin, chunk",
    ),
    Forgery("a Parquet file is edited", _flip("telemetry/2026-01.parquet", 100), "edited", None, "telemetry/2026-01"),
    Forgery("a raw file is edited", _flip("attachments/*", 3), "edited", None, "attachments/"),
    Forgery("a raw file is taken out", _then_list(_remove("attachments/*")), "deleted", None, "attachments/"),
    Forgery("the record is edited", _flip("record.pdf", 3), "edited", None, "record.pdf"),
    Forgery("the record is listed anew", _then_list(_flip("record.pdf", 3)), "edited", None, "manifest.json"),
    Forgery("the proof is edited", _flip("proof.json", 700), "edited", None, "proof.json"),
    Forgery("the manifest's seal is taken off", _remove("manifest.sig.json"), "deleted", None, "manifest.sig.json"),
    Forgery("the manifest is sealed by a stranger", _foreign_key, "key", None, "manifest.sig.json"),
    Forgery("a file is put in", _put_in, "inserted", None, "more.txt"),
]  # fmt: skip
