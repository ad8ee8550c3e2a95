#!/usr/bin/env python3
"""Verify an audit pack of cultureops: one file, the Python standard library, and one Ed25519 library.

    python3 verify_pack.py PACK.zip [--head SIZE:HASH] [--key KEY-ID] [--json]

PACK is the zip or the folder that it was unpacked to. The bytes are hashed as they are; nothing is believed that the
pack says of itself and that hashes or signatures can show. Signatures need ``cryptography`` or ``pynacl``; without one
everything else is checked.

Exit codes: 0 all is as it was written; 1 findings, each on a line, the first bad record first; 2 wrong use;
3 no finding, but something that was asked for could not be checked.

What is checked, and how, is written down in README.txt of the pack.
"""

from __future__ import annotations

import argparse
import binascii
import calendar
import hashlib
import json
import os
import re
import stat
import struct
import sys
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

__all__ = ["Checked", "Finding", "Folder", "Refused", "Zip", "check_pack", "main", "open_pack"]

FORMAT = "cultureops-pack"
VERSION = 1
MANIFEST, SEAL, EVENTS, PROOF = "manifest.json", "manifest.sig.json", "events.jsonl", "proof.json"
CHUNKS, ROOTS = "telemetry/chunks.bin", "telemetry/roots.json"
ATTACHMENTS = "attachments/"
SEAL_DOMAIN = b"cultureops pack manifest 1\x00"
HEAD_DOMAIN = b"cultureops signed head 1\x00"
KEY_DOMAIN = b"cultureops next key 1\x00"
GENESIS = hashlib.sha256(b"").hexdigest()

MOST_FILES = 100_000
MOST_BYTES = 64 * 2**30
MOST_JSON_BYTES = 2**30
MOST_RATIO = 250
SMALL_BYTES = 2**20
DAMAGES = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError, OverflowError,
    struct.error, MemoryError, KeyError, IndexError, TypeError, AttributeError, RecursionError,
)  # fmt: skip

EDITED, DELETED, INSERTED, REORDERED = "edited", "deleted", "inserted", "reordered"
TRUNCATED, REHASHED, UNREADABLE = "truncated", "re-hashed", "unreadable"
SIGNATURE, KEY = "signature", "key"


class Refused(Exception):
    """The pack can't be opened safely, or is none."""


class Finding:
    """One thing that is not as it was written: its kind, where, why; ``position`` is the ledger's.

    ``rank`` says how much it rests on: 1 on the ledger alone, 2 on the manifest's seal, 3 on what the manifest says.
    """

    def __init__(self, kind: str, where: str, detail: str, position: int | None = None, rank: int = 1) -> None:
        self.kind, self.where, self.detail, self.position, self.rank = kind, where, detail, position, rank

    def __str__(self) -> str:
        """Write it on one line."""
        return f"{self.where}: {self.kind}: {self.detail}"

    def data(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"kind": self.kind, "where": self.where, "detail": self.detail, "position": self.position}


class Checked:
    """What was looked at: findings, what could not be checked, what is only remarked, and what stands."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.unchecked: list[str] = []
        self.notes: list[str] = []
        self.facts: dict[str, Any] = {}

    def find(self, kind: str, where: str, detail: str, position: int | None = None, rank: int = 1) -> None:
        """Note a finding; the same one is noted once, for the better reason."""
        for one in self.findings:
            if (one.kind, one.where) == (kind, where):
                one.rank = min(one.rank, rank)
                return
        self.findings.append(Finding(kind, where, detail, position, rank))

    @property
    def exit_code(self) -> int:
        """What the program ends with."""
        return 1 if self.findings else 3 if self.unchecked else 0


# ---------------------------------------------------------------------------------------------------------------------
# Files: a zip or a folder, believed in nothing


NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
NAME_LENGTH = 200


def check_names(names: list[str]) -> None:
    """Raise Refused for a name that is a path elsewhere, or that another file system would take for another's."""
    for name in names:
        if len(name) > NAME_LENGTH or not NAME.fullmatch(name):
            raise Refused(f"{shown(name)} is no name of a file in a pack")
    folded = Counter(name.lower() for name in names)
    for name in names:
        if folded[name.lower()] > 1:
            raise Refused(f"{shown(name)} is there more than once")
    if len(names) > MOST_FILES:
        raise Refused(f"{len(names)} files; a pack has {MOST_FILES} at most")


class Zip:
    """A pack in a zip file; raises Refused for what is hostile or no zip."""

    def __init__(self, path: str) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
            infos = self._zip.infolist()
        except DAMAGES as error:
            raise Refused(f"no zip file, or a damaged one: {shown(str(error))}") from None
        self._infos = {info.filename: info for info in infos}
        try:
            check_names([info.filename for info in infos])
            self._check(infos)
        except Refused:
            self._zip.close()
            raise

    def _check(self, infos: list[zipfile.ZipInfo]) -> None:
        end = 0
        for info in sorted(infos, key=lambda one: one.header_offset):
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                raise Refused(f"{shown(info.filename)} is no regular file (a link or the like)")
            if info.flag_bits & 0x1:
                raise Refused(f"{shown(info.filename)} is encrypted")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Refused(f"{shown(info.filename)} is packed by a method that packs do not use")
            if info.file_size > MOST_RATIO * info.compress_size + SMALL_BYTES:
                raise Refused(f"{shown(info.filename)} unpacks to {info.file_size} bytes: a zip bomb")
            if info.header_offset < end:
                raise Refused(f"{shown(info.filename)} overlaps another file: a zip bomb")
            end = info.header_offset + 30 + len(info.filename) + info.compress_size
        if sum(info.file_size for info in infos) > MOST_BYTES:
            raise Refused(f"unpacks to more than {MOST_BYTES} bytes")

    def names(self) -> list[str]:
        """Return the names of all files."""
        return sorted(self._infos)

    def size(self, name: str) -> int:
        """Return a file's size [bytes]."""
        return self._infos[name].file_size

    def parts(self, name: str) -> Iterator[bytes]:
        """Yield a file's bytes piece by piece; damage raises one of DAMAGES."""
        with self._zip.open(self._infos[name]) as file:
            while True:
                part = file.read(1 << 20)
                if not part:
                    return
                yield part

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()


class Folder:
    """A pack that was unpacked; links are not followed."""

    def __init__(self, path: str) -> None:
        self._path = path
        found = []
        for folder, folders, files in os.walk(path):
            for name in folders + files:
                full = os.path.join(folder, name)
                inside = os.path.relpath(full, path).replace(os.sep, "/")
                kind = os.lstat(full).st_mode
                if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                    raise Refused(f"{shown(inside)} is no regular file (a link or the like)")
                if stat.S_ISREG(kind):
                    found.append(inside)
        check_names(found)
        self._names = sorted(found)

    def names(self) -> list[str]:
        """Return the names of all files."""
        return self._names

    def size(self, name: str) -> int:
        """Return a file's size [bytes]."""
        return os.path.getsize(os.path.join(self._path, *name.split("/")))

    def parts(self, name: str) -> Iterator[bytes]:
        """Yield a file's bytes piece by piece."""
        with open(os.path.join(self._path, *name.split("/")), "rb") as file:
            while True:
                part = file.read(1 << 20)
                if not part:
                    return
                yield part

    def close(self) -> None:
        """Do nothing: no file is held open."""


def open_pack(path: str) -> Any:
    """Return the pack at a path as Zip or Folder; raises Refused."""
    if os.path.isdir(path):
        return Folder(path)
    if os.path.isfile(path):
        return Zip(path)
    raise Refused("no such file or folder")


def contents(pack: Any, name: str) -> bytes:
    """Return a file's bytes; raises one of DAMAGES."""
    if pack.size(name) > MOST_JSON_BYTES:
        raise ValueError("larger than a file of its kind can be")
    return b"".join(pack.parts(name))


def json_of(data: bytes) -> Any:
    """Read JSON; raises ValueError, also for NaN and for a key that stands twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a key stands twice")
        return found

    def never(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=never)


def shown(text: str) -> str:
    """Return text of unknown origin fit for a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:120])


# ---------------------------------------------------------------------------------------------------------------------
# Hashes and signatures


def sha256(*parts: bytes) -> bytes:
    """Return the SHA-256 of bytes one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def siblings(size: int, level: int, index: int) -> Iterator[tuple[int, int, bool]]:
    """Yield (level, index, is on the left) of what a node is hashed with on its way to the root of ``size`` leaves."""
    for _ in range(level):
        size = (size + 1) // 2
    while size > 1:
        beside = index ^ 1
        if beside < size:  # an odd last one goes up as it is
            yield level, beside, bool(index & 1)
        level, index, size = level + 1, index // 2, (size + 1) // 2


def root_by(nodes: dict[tuple[int, int], bytes], size: int, level: int, index: int, node: bytes) -> bytes:
    """Return the root that a node leads to (RFC 6962 section 2.1); raises KeyError where the proof lacks a node."""
    for above, beside, is_left in siblings(size, level, index):
        other = nodes[above, beside]
        node = sha256(b"\x01", other, node) if is_left else sha256(b"\x01", node, other)
    return node


def peaks(size: int) -> list[tuple[int, int]]:
    """Return (level, index) of the full subtrees that a tree of ``size`` leaves consists of, from the left."""
    found, at = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            found.append((level, at >> level))
            at += 1 << level
    return found


def nodes_of(rows: Any) -> dict[tuple[int, int], bytes]:
    """Read the nodes of a proof."""
    return {(int(level), int(index)): bytes32(node) for level, index, node in rows}


def bytes32(text: Any) -> bytes:
    """Read a hash of 64 hex digits; raises ValueError."""
    if not isinstance(text, str) or len(text) != 64 or text != text.lower():
        raise ValueError("a hash has 64 hex digits in lower case")
    return binascii.unhexlify(text)


def ed25519() -> Any | None:
    """Return ``check(public key, signature, message) -> bool`` of the library at hand, None where there is none."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        def by_cryptography(key: bytes, signature: bytes, message: bytes) -> bool:
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
            except (InvalidSignature, ValueError):
                return False
            return True

        return by_cryptography
    except ImportError:
        pass
    try:
        from nacl.exceptions import BadSignatureError  # type: ignore[import-not-found,unused-ignore]
        from nacl.signing import VerifyKey  # type: ignore[import-not-found,unused-ignore]

        def by_nacl(key: bytes, signature: bytes, message: bytes) -> bool:
            try:
                VerifyKey(key).verify(message, signature)
            except (BadSignatureError, ValueError, TypeError):
                return False
            return True

        return by_nacl
    except ImportError:
        return None


# ---------------------------------------------------------------------------------------------------------------------
# Events: their bytes, their order, the tree


class Record:
    """One event as it stands on its line."""

    def __init__(self, line: bytes) -> None:
        fields = json_of(line)
        self.canonical = line
        self.fields: dict[str, Any] = fields
        self.position, self.stream, self.version = fields["position"], fields["stream"], fields["version"]
        self.type, self.data, self.previous = fields["type"], fields["data"], fields["previous_stream_hash"]
        sound = isinstance(self.position, int) and isinstance(self.version, int) and isinstance(self.stream, str)
        if not (sound and isinstance(self.type, str) and isinstance(self.data, dict)):
            raise ValueError("not the fields of an event")
        self.hash = b""

    @property
    def where(self) -> str:
        """Which event this is, in words."""
        return f"position {self.position} ({shown(self.stream)}, version {self.version}, {shown(self.type)})"


class Proof:
    """What ``proof.json`` says: the signed head, and by position each event's chain hashes; and the tree's nodes."""

    def __init__(self, data: bytes) -> None:
        found = json_of(data)
        if found["version"] != VERSION:
            raise ValueError("a proof of another version")
        self.head: dict[str, Any] = found["head"]
        self.size = int(self.head["size"])
        self.root = bytes32(self.head["root"])
        self.chain = {int(at): (bytes32(before), bytes32(after)) for at, before, after in found["chain"]}
        self.positions = [int(row[0]) for row in found["chain"]]
        if self.positions != sorted(set(self.positions)) or any(not 1 <= at <= self.size for at in self.positions):
            raise ValueError("positions that are not in order or beyond the head")
        self.nodes = nodes_of(found["nodes"])
        self.heads: list[dict[str, Any]] = found["heads"]
        self.anchors: list[dict[str, Any]] = found["anchors"]

    def root_of(self, position: int, canonical: bytes) -> bytes | None:
        """Return the root that an event leads to, None where the proof lacks a node."""
        try:
            return root_by(self.nodes, self.size, 0, position - 1, sha256(b"\x00", canonical))
        except KeyError:
            return None

    def old_root(self, size: int) -> bytes:
        """Return the root that the tree had at ``size`` leaves, its parts proven against the head; raises ValueError.

        (RFC 9162 section 2.1.4.2: what an old root consists of has to be part of the new one.)
        """
        found = b""
        for level, index in reversed(peaks(size)):
            node = self.nodes.get((level, index))
            if node is None or root_by(self.nodes, self.size, level, index, node) != self.root:
                raise ValueError("not part of the tree that the head signs")
            found = sha256(b"\x01", node, found) if found else node
        return found or sha256()


def read_records(checked: Checked, data: bytes, proof: Proof | None) -> list[Record]:
    """Return the events that can be read; name the first line that is not where it belongs."""
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    else:
        checked.find(UNREADABLE, EVENTS, "its last line was cut off")
    records: list[Record | None] = []
    for line in lines:
        try:
            records.append(Record(line))
        except DAMAGES:
            records.append(None)
    found = [None if record is None else record.position for record in records]
    if proof is None:
        if None in found:
            checked.find(UNREADABLE, f"{EVENTS}, line {found.index(None) + 1}", "is no event")
        elif found != sorted(set(found)):  # type: ignore[type-var]
            checked.find(REORDERED, EVENTS, "positions do not ascend")
    elif found != proof.positions:
        checked.findings.append(misplaced(found, proof.positions))
    return [record for record in records if record is not None]


def misplaced(found: list[int | None], expected: list[int]) -> Finding:
    """Name the first line that is not the event that belongs there."""
    at = 0
    while at < min(len(found), len(expected)) and found[at] == expected[at]:
        at += 1
    if at == len(expected):
        return Finding(INSERTED, f"{EVENTS}, line {at + 1}", "an event too many", found[at])
    right = expected[at]
    where = f"position {right}"
    if at == len(found):
        return Finding(TRUNCATED, where, "this event and all after it are missing", right)
    wrong, counts = found[at], Counter(found)
    line = f"line {at + 1} of {EVENTS}"
    if wrong is None:
        return Finding(UNREADABLE, where, f"{line} is no event", right)
    if counts[wrong] > 1 and len(found) > len(expected):
        return Finding(INSERTED, where, f"a copy of position {wrong} stands at {line}", right)
    if right in counts:
        if wrong in expected:
            return Finding(REORDERED, where, f"position {wrong} stands in its place", right)
        return Finding(INSERTED, where, f"{line} holds an event of position {wrong}, which was not here", right)
    if len(found) == len(expected):
        return Finding(EDITED, where, f"{line} calls itself position {wrong}", right)
    return Finding(DELETED, where, f"this event is missing, position {wrong} follows", right)


def check_records(checked: Checked, records: list[Record], proof: Proof) -> None:
    """Hash every event along its chain link and its way to the signed root; name the first that does not fit."""
    previous: Record | None = None
    for record in sorted(records, key=lambda one: one.position):
        before, after = proof.chain.get(record.position, (b"", b""))
        record.hash = after
        if sha256(b"\x00", before, record.canonical) != after:
            checked.find(EDITED, record.where, "its bytes do not give its hash", record.position)
            return
        if proof.root_of(record.position, record.canonical) != proof.root:
            rest = "written anew with fitting hashes: it does not lead to the root that the head signs"
            checked.find(REHASHED, record.where, rest, record.position)
            return
        if previous is not None and previous.position + 1 == record.position and previous.hash != before:
            rest = f"position {record.position} remembers another hash of it"
            checked.find(REHASHED, previous.where, rest, previous.position)
            return
        previous = record


def check_streams(checked: Checked, records: list[Record], batch_stream: str, batch_version: int | None) -> None:
    """Follow every stream: what an event remembers of the one before, and the batch's own stream without a gap."""
    tips: dict[str, Record] = {}
    for record in records:
        before = tips.get(record.stream)
        tips[record.stream] = record
        version = 0 if before is None else before.version
        if record.version <= version:
            checked.find(INSERTED, record.where, f"comes after version {version} of its stream", record.position)
        elif record.version == version + 1:
            remembered = GENESIS if before is None else before.hash.hex()
            if remembered and record.previous != remembered:
                at = record if before is None else before
                rest = "the next event of its stream remembers another hash of it"
                checked.find(REHASHED, at.where, rest, at.position)
        elif record.stream == batch_stream:
            rest = f"version {version + 1} of the batch's record is missing before it"
            checked.find(DELETED, record.where, rest, record.position)
    last = tips.get(batch_stream)
    reached = 0 if last is None else last.version
    if batch_version is not None and reached < batch_version:
        rest = f"the batch's record ends at version {reached}, it had {batch_version}"
        checked.find(TRUNCATED, EVENTS, rest, rank=3)


# ---------------------------------------------------------------------------------------------------------------------
# Signatures of people (they stand inside the event that they sign)


DECODER = json.JSONDecoder()


def members(text: str) -> dict[str, tuple[str, str]]:
    """Take an object in canonical form apart: by key, key and value as they are written (RFC 8785: no white space)."""
    found, at = {}, 1
    while text[at] != "}":
        key, end = DECODER.raw_decode(text, at)
        _, stop = DECODER.raw_decode(text, end + 1)
        found[key] = text[at:end], text[end + 1 : stop]
        at = stop + (text[stop] == ",")
    return found


def items(text: str) -> list[str]:
    """Take an array in canonical form apart: its values as they are written."""
    found, at = [], 1
    while text[at] != "]":
        _, stop = DECODER.raw_decode(text, at)
        found.append(text[at:stop])
        at = stop + (text[stop] == ",")
    return found


def check_people(checked: Checked, records: list[Record]) -> int:
    """Compare every signature with the event it stands in and the record that was shown; return how many there are."""
    hashes = {(record.stream, record.version): record.hash.hex() for record in records if record.hash}
    known: dict[str, int] = {}
    count = 0
    for record in records:
        if "signatures" not in record.data:
            continue
        try:
            count += check_signed(checked, record, hashes, known)
        except DAMAGES:
            checked.find(SIGNATURE, record.where, "holds what is no signature", record.position)
    return count


def check_signed(checked: Checked, record: Record, hashes: dict[tuple[str, int], str], known: dict[str, int]) -> int:
    """Check the signatures of one event; return how many there are."""
    raw = members(record.canonical.decode())
    data = members(raw["data"][1])
    kept = ",".join("{}:{}".format(*pair) for key, pair in data.items() if key != "signatures")
    content = '{{"data":{{{}}},"reason":{},"stream":{},"type":{}}}'.format(
        kept, raw["reason"][1], raw["stream"][1], raw["type"][1]
    )  # fmt: skip
    content_sha256 = sha256(content.encode()).hex()
    claims = record.fields.get("claims", [])
    signed = items(data["signatures"][1])
    for text in signed:
        one, seen = json.loads(text), members(text)["shown"][1]
        what, who = one["shown"], shown(str(one["username"]))
        version, claim = what["version"], "signature:{}".format(one["id"])
        wrong = ""
        if one["content_sha256"] != content_sha256:
            wrong = f"the signature of {who} is of another content: UNSIGNED"
        elif one["shown_sha256"] != sha256(seen.encode()).hex():
            wrong = f"the hashes in the signature of {who} contradict each other"
        elif what["stream"] != record.stream or not 0 <= version < record.version:
            wrong = f"the signature of {who} is of another record"
        elif claim not in claims or known.setdefault(claim, record.position) != record.position:
            wrong = f"the signature of {who} was used twice"
        else:
            before = GENESIS if version == 0 else hashes.get((record.stream, version))
            if before is None and version == record.version - 1:
                before = record.previous
            if before is None:
                checked.notes.append(f"{record.where}: what {who} was shown is not in this pack")
            elif before != what["stream_hash"]:
                wrong = f"{who} was shown another record"
        if wrong:
            checked.find(SIGNATURE, record.where, wrong, record.position)
    return len(signed)


# ---------------------------------------------------------------------------------------------------------------------
# Keys, heads, the manifest's seal


class Keys:
    """The keys that sign heads, by the ledger's own events: which one signs from which position on.

    ``replacements`` says, by position, of each key that took the place of another without its signature, who did it.
    """

    def __init__(self, checked: Checked, records: list[Record], verify: Any) -> None:
        self.entries: list[tuple[int, str, bytes]] = []
        self.replacements: dict[int, str] = {}
        for record in records:
            if record.stream == "ledger" and record.type in ("key_introduced", "key_rotated"):
                try:
                    wrong = self._take(record, verify)
                except DAMAGES:
                    wrong = "holds no key"
                if wrong:
                    checked.find(KEY, record.where, wrong, record.position)

    def _take(self, record: Record, verify: Any) -> str:
        raw = bytes32(record.data["public_key"])
        name = sha256(raw).hex()[:16]
        if record.data["key_id"] != name or any(raw == one for _, _, one in self.entries):
            return "its id is not that of its key, or the key was there before"
        if record.type == "key_rotated":
            if not self.entries:
                return "follows on no key"
            before = self.entries[-1][2]
            message = KEY_DOMAIN + before + raw + record.fields["origin"].encode()
            if verify is not None and not verify(before, binascii.unhexlify(record.data["signature"]), message):
                return "the key before it did not sign it"
        elif self.entries and (record.fields["actor"]["role"] == "system" or not record.fields["reason"].strip()):
            return "takes the place of another key without a person's name and reason"
        elif self.entries:
            who, why = shown(str(record.fields["actor"]["id"])), shown(record.fields["reason"])
            told = f"took the place of key {self.entries[-1][1]}, which did not sign it: {who}, {why}"
            self.replacements[record.position] = f"key {name}, position {record.position}: {told}"
        self.entries.append((record.position, name, raw))
        return ""

    def at(self, size: int) -> tuple[str, bytes] | None:
        """Return id and key that sign a ledger of so many events."""
        found = [(name, raw) for position, name, raw in self.entries if position <= size]
        return found[-1] if found else None

    def vouch(self, known: str, size: int) -> bool:
        """Whether a key signs a ledger of so many events, itself or by those that signed one another after it.

        That a key is named in the ledger shows nothing: everybody knows it who has seen a pack.
        """
        vouched = False
        for position, name, raw in self.entries:
            if position <= size:
                vouched = known in (name, raw.hex()) or (vouched and position not in self.replacements)
        return vouched


def signed_bytes(head: dict[str, Any]) -> bytes:
    """Return what is signed of a head: domain, size, time [ms], root, chain hash, key id, origin."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})Z", head["signed_at"])
    if match is None:
        raise ValueError("not a time in UTC")
    signed_ms = calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S")) * 1000 + int(match[2])
    numbers = struct.pack(">QQ", head["size"], signed_ms)
    hashes = bytes32(head["root"]) + bytes32(head["chain_hash"]) + binascii.unhexlify(head["key_id"])
    return HEAD_DOMAIN + numbers + hashes + str(head["origin"]).encode()


def check_head(head: dict[str, Any], keys: Keys, verify: Any) -> str:
    """Return what is wrong with a signed head, or nothing."""
    try:
        message, key = signed_bytes(head), keys.at(head["size"])
        if key is None or key[0] != head["key_id"]:
            return "its key is not the one that signed then"
        if verify is not None and not verify(key[1], binascii.unhexlify(head["signature"]), message):
            return f"key {key[0]} did not sign it"
    except DAMAGES:
        return "is no signed head"
    return ""


def check_heads(checked: Checked, proof: Proof, keys: Keys, verify: Any) -> list[dict[str, Any]]:
    """Check the head, and the older ones with their place in its tree; return those that hold."""
    wrong = check_head(proof.head, keys, verify)
    if wrong:
        checked.find(SIGNATURE, f"{PROOF}, head of position {proof.size}", wrong)
    sound = [proof.head]
    for head in proof.heads:
        where = f"{PROOF}, head of position {shown(str(head.get('size')))}"
        wrong = check_head(head, keys, verify)
        try:
            if not wrong and proof.old_root(head["size"]).hex() != head["root"]:
                wrong = "the tree was another one then"
        except DAMAGES:
            wrong = wrong or "is not part of the tree that the last head signs"
        if wrong:
            checked.find(SIGNATURE, where, wrong)
        else:
            sound.append(head)
    return sound


def check_stamps(checked: Checked, proof: Proof, heads: list[dict[str, Any]], pack: Any) -> None:
    """Compare what others stamped with the heads; who stamped it is for an RFC 3161 tool to say."""
    by_size = {head["size"]: head for head in heads}
    for row in proof.anchors:
        where = shown(str(row.get("token")))
        try:
            head = by_size[row["size"]]
            covers, token = contents(pack, row["covers"]), contents(pack, row["token"])
            fits = covers == signed_bytes(head) + binascii.unhexlify(head["signature"]) and sha256(covers) in token
        except DAMAGES:
            fits = False
        if fits:
            whose = f"time stamp by {shown(str(row['authority']))} on the head of {row['size']} events"
            checked.notes.append(f"{where}: {whose}; see README.txt for how to check that it is theirs")
        else:
            checked.find(SIGNATURE, where, "is not a time stamp on a head of this pack")


def check_manifest(checked: Checked, pack: Any, kept: dict[str, bytes], hashes: dict[str, str], verify: Any) -> Any:
    """Compare the files with the manifest and the manifest with its signature; return it, None where it can't be read.

    ``checked.facts`` gets ``sealed_by``, and ``intact``: the names of the files that are as the manifest says.
    """
    checked.facts["intact"] = set()
    for name in (MANIFEST, SEAL, EVENTS, PROOF):
        if name not in hashes and all(one.where != name for one in checked.findings):
            checked.find(DELETED, name, "is missing")
    try:
        manifest = json_of(kept[MANIFEST])
        if manifest["format"] != FORMAT or not isinstance(manifest["batch_version"], int):
            raise ValueError("not the manifest of a pack")
        if manifest["version"] != VERSION:
            raise ValueError(f"a pack of version {manifest['version']}; use the verify_pack.py that came with it")
        listed = {str(row["path"]): (int(row["size"]), str(row["sha256"])) for row in manifest["files"]}
    except KeyError:
        if MANIFEST in kept:
            checked.find(UNREADABLE, MANIFEST, "is not the manifest of a pack")
        return None
    except DAMAGES as error:
        checked.find(UNREADABLE, MANIFEST, shown(str(error)))
        return None
    check_seal(checked, kept, verify)
    for name, (size, sha256_hex) in sorted(listed.items()):
        if name not in hashes:
            checked.find(DELETED, name, "the manifest lists it and it is not there", rank=3)
        elif hashes[name] != sha256_hex or pack.size(name) != size:
            checked.find(EDITED, name, "its bytes are not those that the manifest lists", rank=3)
        else:
            checked.facts["intact"].add(name)
    for name in sorted(set(hashes) - set(listed) - {MANIFEST, SEAL}):
        checked.find(INSERTED, name, "the manifest does not list it", rank=3)
    return manifest


def check_seal(checked: Checked, kept: dict[str, bytes], verify: Any) -> None:
    """Check the signature of the manifest as a whole."""
    if SEAL not in kept:
        return
    try:
        seal = json_of(kept[SEAL])
        raw, signature = bytes32(seal["public_key"]), binascii.unhexlify(seal["signature"])
        seal = {"algorithm": "Ed25519", "key_id": sha256(raw).hex()[:16], "public_key": raw.hex()}
        seal["signature"] = signature.hex()
        if kept[SEAL] != (json.dumps(seal, indent=1) + "\n").encode():
            raise ValueError("not written as a seal is")
    except DAMAGES as error:
        checked.find(UNREADABLE, SEAL, f"is no signature: {shown(str(error))}")
        return
    checked.facts["sealed_by"] = seal["key_id"], raw
    if verify is not None and not verify(raw, signature, SEAL_DOMAIN + sha256(kept[MANIFEST])):
        checked.find(EDITED, MANIFEST, f"is not what key {seal['key_id']} signed", rank=2)
        checked.facts["sealed_by"] = None


# ---------------------------------------------------------------------------------------------------------------------
# Readings and attachments


def check_readings(checked: Checked, kept: dict[str, bytes], records: list[Record]) -> None:
    """Lead every sealed chunk of readings to the root that the ledger holds of its hour."""
    if ROOTS not in kept or CHUNKS not in kept:
        return
    events = {record.position: record for record in records}
    try:
        chunks = chunks_of(kept[CHUNKS])
        for row in json_of(kept[ROOTS])["roots"]:
            event = events.get(row["position"])
            if event is None or event.type != "telemetry_sealed":
                checked.find(DELETED, f"position {row['position']}", "the root of sealed readings is missing")
                continue
            nodes, leaves = nodes_of(row["nodes"]), int(row["leaves"])
            for index, number, _ in row["chunks"]:
                found, digest = next(chunks)
                leaf = sha256(b"\x00", struct.pack(">q", int(number)), digest)
                if found != int(number) or root_by(nodes, leaves, 0, index, leaf).hex() != event.data["merkle_root"]:
                    rest = f"does not lead to the root in the ledger at position {row['position']}"
                    checked.find(EDITED, f"{CHUNKS}, chunk {shown(str(number))}", rest, None)
                    return
                checked.facts["chunks"] = checked.facts.get("chunks", 0) + 1
        if next(chunks, None) is not None:
            checked.find(INSERTED, CHUNKS, "holds more chunks than the ledger's roots stand for")
    except StopIteration:
        checked.find(TRUNCATED, CHUNKS, "chunks at its end are missing")
    except DAMAGES:
        checked.find(UNREADABLE, CHUNKS, f"its chunks or {ROOTS} can't be read")


def chunks_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and SHA-256 of every chunk: number (8 bytes), then stamps and values, each behind its length."""
    at = 0
    while at < len(data):
        number = data[at : at + 8]
        (stamps,) = struct.unpack_from("<I", data, at + 8)
        (values,) = struct.unpack_from("<I", data, at + 12 + stamps)
        end = at + 16 + stamps + values
        if end > len(data):
            raise ValueError("cut short")
        yield struct.unpack(">q", number)[0], sha256(data[at : at + 12 + stamps], data[at + 16 + stamps : end])
        at = end


def check_attachments(checked: Checked, hashes: dict[str, str], records: list[Record]) -> None:
    """Compare raw files with their names, and with the events that say that they were kept."""
    files = {name[len(ATTACHMENTS) :]: found for name, found in hashes.items() if name.startswith(ATTACHMENTS)}
    for name, found in files.items():
        if name != found:
            checked.find(EDITED, ATTACHMENTS + name, "holds other bytes than the hash that it is named after")
    named: set[str] = set()
    for record in records:
        named.update(named_files(record.data))
        if record.type == "attachment_kept" and record.data.get("sha256") not in files:
            where = ATTACHMENTS + shown(str(record.data.get("sha256")))
            checked.find(DELETED, where, f"was kept, says position {record.position}, and is missing", None)
    for name in sorted(set(files) - named):
        checked.find(INSERTED, ATTACHMENTS + shown(name), "no event names it")
    if missing := len(named - set(files)):
        checked.notes.append(f"{missing} raw files that events name by SHA-256 were not kept and are not in this pack")
    checked.facts["attachments"] = len(files)


def named_files(data: Any) -> Iterator[str]:
    """Yield the SHA-256 of every raw file that an event's data name."""
    for key, value in data.items():
        if key in ("source_sha256", "image_sha256", "trace_sha256") and isinstance(value, str):
            yield value
    if {"sha256", "size_bytes", "source_file"} <= set(data):
        yield str(data["sha256"])


# ---------------------------------------------------------------------------------------------------------------------
# What was noted elsewhere


PRINTED = re.compile(r"(\d{1,16})-([0-9A-Z]{5})-([0-9A-Z]{5})-([0-9A-Z]{5})-([0-9A-Z]{5})")
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def read_head(text: str) -> tuple[int, str | None, int | None]:
    """Read ``position:hash`` or the printed ``position-XXXXX-XXXXX-XXXXX-XXXXX``; raises ValueError for anything else.

    Returns position, hash [hex] or None, the first 95 bits of the root or None.
    """
    plain = re.fullmatch(r"(\d{1,16}):([0-9a-f]{64})", text.strip())
    if plain:
        return int(plain[1]), plain[2], None
    printed = PRINTED.fullmatch(text.strip().upper())
    if not printed:
        raise ValueError("write it as position:hash or 1234-XXXXX-XXXXX-XXXXX-XXXXX")
    number = 0
    for letter in "".join(printed.groups()[1:]).translate(str.maketrans("ILO", "110")):
        number = number << 5 | ALPHABET.index(letter)
    position, bits = int(printed[1]), number >> 5
    if hashlib.sha256(f"{position}:{bits}".encode()).digest()[0] >> 3 != number & 31:
        raise ValueError("mistyped: the last letter does not fit the rest; compare it with the paper")
    return position, None, bits


def compare_head(checked: Checked, text: str, proof: Proof, heads: list[dict[str, Any]]) -> None:
    """Compare a head that was noted elsewhere with what this pack proves."""
    position, known, bits = read_head(text)
    if position > proof.size:
        rest = f"the pack ends at position {proof.size} of the ledger, which had {position} when the head was noted"
        checked.find(TRUNCATED, PROOF, rest)
        return
    found = {head["size"]: (head["root"], head["chain_hash"]) for head in heads}
    if position not in found:
        after = proof.chain.get(position)
        if known is None or after is None:
            rest = "this pack does not hold that position; ask for a pack or a consistency proof that does"
            checked.unchecked.append(f"the head {text}: {rest}")
            return
        found[position] = after[1].hex(), after[1].hex()
    root, chain_hash = found[position]
    fits = int(root, 16) >> (256 - 95) == bits if known is None else known in (root, chain_hash)
    if not fits:
        checked.find(REHASHED, f"position {position}", "what was noted elsewhere is another history", position)
    else:
        checked.facts["known_head"] = text


# ---------------------------------------------------------------------------------------------------------------------
# All together


def check_pack(pack: Any, known_head: str | None = None, known_key: str | None = None) -> Checked:
    """Check everything that there is to check in an opened pack; raises ValueError for a head that is none."""
    checked, verify = Checked(), ed25519()
    if known_head is not None:
        read_head(known_head)
    if verify is None:
        checked.unchecked.append("signatures: neither cryptography nor pynacl is installed (pip install cryptography)")
    hashes: dict[str, str] = {}
    kept: dict[str, bytes] = {}
    for name in pack.names():
        try:
            if name in (MANIFEST, SEAL, EVENTS, PROOF, CHUNKS, ROOTS):
                kept[name] = contents(pack, name)
                hashes[name] = sha256(kept[name]).hex()
            else:
                found = hashlib.sha256()
                for part in pack.parts(name):
                    found.update(part)
                hashes[name] = found.hexdigest()
        except DAMAGES as error:
            kept.pop(name, None)
            hashes[name] = ""
            checked.find(UNREADABLE, name, f"can't be read: {shown(str(error))}")
    damaged = {one.where for one in checked.findings}
    manifest = check_manifest(checked, pack, kept, hashes, verify)
    checked.findings = [one for one in checked.findings if one.where not in damaged or one.kind == UNREADABLE]
    intact = checked.facts.pop("intact")
    proof = None
    try:
        # A proof that is not what was signed says nothing about events that are.
        if PROOF in kept and (PROOF in intact or EVENTS not in intact):
            proof = Proof(kept[PROOF])
    except DAMAGES:
        checked.find(UNREADABLE, PROOF, "is no proof")
    sealed_by = checked.facts.pop("sealed_by", None)
    before = len(checked.findings)
    records = read_records(checked, kept[EVENTS], proof) if EVENTS in kept else []
    if proof is not None and len(checked.findings) == before:
        check_records(checked, records, proof)
    if manifest is not None:
        checked.facts["batch"] = manifest["batch_id"]
        if EVENTS in kept and len(checked.findings) == before:
            check_streams(checked, records, f"batch:{manifest['batch_id']}", manifest["batch_version"])
    checked.facts["signatures"] = check_people(checked, records)
    keys = Keys(checked, records, verify)
    if proof is not None:
        heads = check_heads(checked, proof, keys, verify)
        check_stamps(checked, proof, heads, pack)
        check_keys(checked, keys, sealed_by, proof, known_key)
        checked.facts["head"] = {name: proof.head.get(name) for name in ("size", "root", "chain_hash", "signed_at")}
        if known_head is not None:
            compare_head(checked, known_head, proof, heads)
    if ROOTS in intact or CHUNKS not in intact:
        check_readings(checked, kept, records)
    check_attachments(checked, {name: found for name, found in hashes.items() if found}, records)
    checked.facts["events"] = len(records)
    checked.findings.sort(key=lambda one: (one.position is None, one.position or 0, one.rank))
    return checked


def check_keys(checked: Checked, keys: Keys, sealed_by: Any, proof: Proof, known_key: str | None) -> None:
    """Compare the keys with one another and with the one that is known from elsewhere."""
    names = [name for _, name, _ in keys.entries]
    checked.facts["keys"] = names
    checked.notes += keys.replacements.values()
    current = keys.at(proof.size)
    if sealed_by is not None and (current is None or current[1] != sealed_by[1]):
        checked.find(KEY, SEAL, f"key {sealed_by[0]} is not the one that signs the ledger's head")
    if known_key is None:
        checked.notes.append(
            f"whoever made this pack chose its keys: compare {', '.join(names)} with the key ids that the laboratory "
            "has given you elsewhere, or give one with --key"
        )
    elif not keys.vouch(known_key.strip().lower(), proof.size):
        checked.find(
            KEY, f"{PROOF}, head of position {proof.size}", f"not signed by key {shown(known_key)}, nor by one after it"
        )


def summary(checked: Checked, path: str) -> list[str]:
    """Return what a person reads."""
    facts = checked.facts
    lines = [f"{path}: audit pack of batch {shown(str(facts.get('batch', '?')))}"]
    if "head" in facts:
        head = facts["head"]
        lines.append(f"  {facts['events']} events, proven against the ledger's head of {head['size']} events")
        lines.append(f"  Merkle root {head['root']}")
        lines.append(f"  chain hash  {head['chain_hash']}, signed {head['signed_at']}")
        lines.append(f"  keys {', '.join(facts.get('keys', []))}; {facts['signatures']} signatures of people")
    lines.append(f"  {facts.get('chunks', 0)} sealed chunks of readings, {facts.get('attachments', 0)} attachments")
    lines += [f"  note: {note}" for note in checked.notes]
    lines += [f"  NOT CHECKED: {text}" for text in checked.unchecked]
    lines += [f"  FOUND: {finding}" for finding in checked.findings]
    ends = {0: "all of it is as it was written", 1: f"{len(checked.findings)} findings", 3: "not all could be checked"}
    return [*lines, f"  {ends[checked.exit_code]}"]


def main(arguments: list[str] | None = None) -> int:
    """Check the pack named on the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="verify_pack.py", description="Verify an audit pack of cultureops.")
    parser.add_argument("pack", help="the zip, or the folder that it was unpacked to")
    parser.add_argument("--head", help="a head noted elsewhere: position:hash, or as printed in a batch record")
    parser.add_argument("--key", help="id or public key of the laboratory, known from elsewhere")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    given = parser.parse_args(arguments)
    if not os.path.exists(given.pack):
        print(f"{given.pack}: no such file or folder", file=sys.stderr)
        return 2
    try:
        pack = open_pack(given.pack)
        try:
            checked = check_pack(pack, given.head, given.key)
        finally:
            pack.close()
    except Refused as error:
        checked = Checked()
        checked.find(UNREADABLE, given.pack, str(error))
    except ValueError as error:
        print(f"--head: {error}", file=sys.stderr)
        return 2
    if given.json:
        told = {"findings": [one.data() for one in checked.findings], "unchecked": checked.unchecked}
        print(json.dumps({"ok": checked.exit_code == 0, **told, "notes": checked.notes, **checked.facts}, indent=1))
    else:
        print("\n".join(summary(checked, given.pack)))
    return checked.exit_code


if __name__ == "__main__":
    sys.exit(main())
