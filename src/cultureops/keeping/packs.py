"""What the commands on audit packs do: write one of a batch, verify one, open one on another host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cultureops.attachments import Attachments
from cultureops.clock import Clock, SystemClock
from cultureops.dossier import Dossier
from cultureops.errors import ConfigError
from cultureops.keeping.dossiers import dossier_of
from cultureops.keeping.entry import print_json
from cultureops.label import KINDS, labels_of, page
from cultureops.ledger.keys import SigningKey
from cultureops.ledger.signed_head import SignedHead
from cultureops.ledger.time_stamp import stamped
from cultureops.pack.contents import Contents, contents_of
from cultureops.pack.ledger import is_pack
from cultureops.pack.place import SITE, place_text
from cultureops.pack.reading import open_pack, verify_pack
from cultureops.pack.verify_pack import summary
from cultureops.pack.writing import Source, Stamp, Written, write_pack
from cultureops.progress import steps
from cultureops.recording import SITE_FILE, TELEMETRY_FOLDER, ledger_in, open_ledger_beside
from cultureops.site import read_site
from cultureops.telemetry.whole_file import whole_file

__all__ = ["check_audit_pack", "make_pack", "open_audit_pack", "write_audit_pack"]


def write_audit_pack(data_dir: Path, batch_id: str, out: Path, site: Path | None, *, as_json: bool) -> None:
    """Write the pack of a batch as it stands, beside a running lab or without one; its head is signed for the purpose.

    Raises ConfigError for a folder, batch or site file that is not there, or a ledger without a key.
    """
    if is_pack(data_dir):
        raise ConfigError(f"{data_dir}: is an opened pack; copy the zip that it came from")
    if out.suffix.lower() != ".zip":
        raise ConfigError(f"{out}: expected a name that ends in .zip")
    with steps(f"packing {batch_id}") as show:
        written = asyncio.run(make_pack(data_dir, batch_id, out, site, SystemClock(), show))
    if as_json:
        told = {name: value for name, value in asdict(written.readings).items() if name not in ("months", "anchors")}
        counts = {"events": written.events, "files": written.files, "missing_files": written.missing_files}
        print_json({"file": str(out), "head": written.head.data(), **counts, **told})
        return
    print(f"{out}: {written.events} events, {written.files} files, Merkle root {written.head.root}")
    print(f"  head {written.head.head}, key {written.head.key_id}; note both elsewhere, verification asks for them")
    if written.missing_files:
        print(f"  {len(written.missing_files)} raw files that were kept once are gone; run `cultureops verify`")


@dataclass(frozen=True, slots=True)
class _Gathered:
    """What a pack is made of, read at one moment."""

    contents: Contents
    heads: tuple[SignedHead, ...]
    key: SigningKey
    stamps: tuple[Stamp, ...]
    dossier: Dossier


async def make_pack(
    data_dir: Path, batch_id: str, out: Path, site: Path | None, clock: Clock, show: Callable[[int, int], None]
) -> Written:
    """Write the pack of a batch as it stands; ``show`` is told, from any thread, how many steps of how many are done.

    Raises as ``write_audit_pack``.
    """
    found = await _gathered(data_dir, batch_id, site, clock)
    now, zone = clock.now(), found.dossier.place.zone
    source = Source(ledger_in(data_dir), data_dir / TELEMETRY_FOLDER, Attachments(data_dir), zone)

    def write() -> Written:
        with whole_file(out) as file:
            papers = _papers(replace(found.dossier, signed_head=found.heads[-1]))
            return write_pack(
                *(found.contents, source, found.heads, found.key, papers, now, file, out.absolute().parent),
                stamps=found.stamps,
                show=show,
            )

    return await asyncio.to_thread(write)


async def _gathered(data_dir: Path, batch_id: str, site: Path | None, clock: Clock) -> _Gathered:
    dossier = await dossier_of(data_dir, batch_id, site, clock)
    settings = read_site(data_dir / SITE_FILE if site is None else site).ledger
    keys = settings.key_folder(data_dir)
    async with open_ledger_beside(data_dir, clock, keys) as ledger:
        await ledger.introduce_key()
        await ledger.sign_head()
        heads = ledger.signed_heads()
        key = await asyncio.to_thread(keys.load, heads[-1].key_id) if heads else None
        if key is None:
            raise ConfigError(f"{keys.path}: the ledger's key is not here, and a pack is sealed with it; put it back")
        by_size = {head.size: head for head in heads}
        stamps = tuple(
            Stamp(stamp.size, stamp.authority, stamp.token, stamped(by_size[stamp.size]))
            for stamp in ledger.stamps()
            if stamp.size in by_size
        )
        return _Gathered(contents_of(dossier, ledger.read), heads, key, stamps, dossier)


def _papers(dossier: Dossier) -> dict[str, bytes]:
    """Return what people read: the batch record as PDF and JSON, labels, and the site as far as the record needs it."""
    from cultureops.report.batch_record import batch_record, record_pdf

    record = batch_record(dossier, "cultureops pack write", dossier.now)
    papers = {
        SITE: place_text(dossier.place),
        "record.json": json.dumps(record, ensure_ascii=False, indent=1).encode(),
        "record.pdf": record_pdf(record, dossier.place.zone),
    }
    for kind in KINDS:
        if labels := labels_of(dossier.batch, kind, dossier.place.zone):
            papers[f"labels/{kind}.html"] = page(labels, f"{dossier.batch.id}: {kind}").encode()
    return papers


def check_audit_pack(path: Path, head: str | None, key: str | None, *, as_json: bool) -> int:
    """Verify a pack as its own verifier does and print the same; return that program's exit code.

    Raises ConfigError where there is no such file.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such file or folder; name a pack that `pack write` wrote")
    checked = verify_pack(path, head, key)
    if as_json:
        told = {"findings": [one.data() for one in checked.findings], "unchecked": checked.unchecked}
        print_json({"ok": checked.exit_code == 0, **told, "notes": checked.notes, **checked.facts})
    else:
        print("\n".join(summary(checked, str(path))))
    return checked.exit_code


def open_audit_pack(source: Path, target: Path, head: str | None, key: str | None, *, as_json: bool) -> None:
    """Make a read-only data folder of a pack that verifies; raises ConfigError, ChainBroken or StorageError."""
    with steps(f"opening {source}") as show:
        opened = open_pack(source, target, head, key, show)
    if as_json:
        print_json({"folder": str(target), **asdict(opened)})
        return
    print(f"{target}: batch {opened.batch_id}, {opened.events} events, {opened.readings} readings, to be read only")
    print(f"  ledger of {opened.size} events, Merkle root {opened.root}")
    print(f"  {opened.compared_readings} readings compared with the sealed chunks that the ledger anchors")
    for note in opened.notes:
        print(f"  note: {note}")
