"""Commands for gateways and their hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, command_group, finish

__all__ = ["group"]

group = command_group("How gateways and their hub know each other.")


@group.command("certificate")
def sync_certificate(
    name: Annotated[str, typer.Argument(help="The gateway's name, or `hub`; the files are called so.")],
    folder: Annotated[Path, typer.Option(help="Where NAME.key and NAME.pem are written.")] = Path(),
    host: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="A name or address by which a hub is reached; repeat it.")
    ] = None,
    valid_days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid.")] = 730,
    as_json: AsJson = False,
) -> None:
    """Make a key and a self-signed certificate; never writes over a file."""
    from cultureops.keeping.certificates import write_certificate

    finish(lambda: write_certificate(name, folder, host or (), valid_days, as_json=as_json))


@group.command("fingerprint")
def sync_fingerprint(certificate: Path, as_json: AsJson = False) -> None:
    """Print a certificate's fingerprint and until when it is valid, to compare the two by telephone."""
    from cultureops.keeping.certificates import print_certificate

    finish(lambda: print_certificate(certificate, as_json=as_json))
