"""Commands on audit packs: a batch with everything that proves it, for a reader without cultureops."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, DataDir, command_group, finish

__all__ = ["group"]

group = command_group("Audit packs: a batch with everything that proves it, for a reader without cultureops.")

Head = Annotated[str | None, typer.Option(metavar="HEAD", help="A head noted elsewhere: position:hash, or as printed.")]
Key = Annotated[str | None, typer.Option(metavar="ID", help="The laboratory's key id, known from elsewhere.")]


@group.command("write")
def pack_write(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")],
    out: Annotated[Path, typer.Option(metavar="FILE.zip", help="File to write.")],
    data_dir: DataDir = Path("data"),
    site: Annotated[Path | None, typer.Option(help="The site file; site.toml in the data folder by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the pack of a batch: events with their proof, readings, raw files, the record, and a verifier."""
    from cultureops.keeping.packs import write_audit_pack

    finish(lambda: write_audit_pack(data_dir, batch, out, site, as_json=as_json))


@group.command("verify")
def pack_verify(
    pack: Annotated[Path, typer.Argument(metavar="PACK", help="The zip, or the folder that it was unpacked to.")],
    head: Head = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Verify a pack as its own verifier does; ends with 1 where anything is not as it was written."""
    from cultureops.keeping.packs import check_audit_pack

    code = 0

    def work() -> None:
        nonlocal code
        code = check_audit_pack(pack, head, key, as_json=as_json)

    finish(work)
    raise SystemExit(code)


@group.command("open")
def pack_open(
    pack: Annotated[Path, typer.Argument(metavar="PACK.zip", help="The pack.")],
    data_dir: Annotated[Path, typer.Option("--data-dir", metavar="NEW", help="New folder to make of it.")],
    head: Head = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a read-only data folder of a pack that verifies, for `batch show | history | record` and the audit trail."""
    from cultureops.keeping.packs import open_audit_pack

    finish(lambda: open_audit_pack(pack, data_dir, head, key, as_json=as_json))
