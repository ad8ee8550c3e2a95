"""What the commands on the site file under change control do and show."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cultureops.clock import SystemClock, iso, local_text
from cultureops.conduct import shown_of
from cultureops.errors import ConfigError
from cultureops.field import printable
from cultureops.keeping.entry import Entry, entering, ledger_of, print_json
from cultureops.keeping.proof import RECORDS, proven
from cultureops.site_approval import (
    RULE,
    STREAM,
    ApproveSite,
    SiteText,
    approve_site,
    approving_site,
    named_files,
    text_in_force,
)
from cultureops.site_secrets import SiteKey

__all__ = ["approve_site_file", "diff_site", "show_site"]


def show_site(data_dir: Path, *, as_json: bool) -> None:
    """Print the text that the lab runs on, and since when and by whom; secrets in it are hidden."""
    known = asyncio.run(_in_force(data_dir))
    if as_json:
        print_json(_as_json(known) | {"text": known.text})
        return
    print(_line(known))
    print(printable(known.text, "\n\t"), end="" if known.text.endswith("\n") else "\n")


def diff_site(data_dir: Path, file: Path, *, as_json: bool) -> None:
    """Print how a site file differs from the text that the lab runs on, line by line; secrets in both are hidden."""
    known, text = asyncio.run(_in_force(data_dir)), _read(file)
    files = named_files(file, text)
    before = [*known.text.splitlines(), *_with_hashes(files if known.files is None else known.files)]
    now = [*SiteKey(data_dir).redacted(text).splitlines(), *_with_hashes(files)]
    lines = list(difflib.unified_diff(before, now, "in force", str(file), lineterm="", n=2))
    if as_json:
        print_json({"differs": bool(lines), "diff": lines})
        return
    print("\n".join(printable(line, "\t") for line in lines) or f"{file}: is what the lab runs on")


def approve_site_file(data_dir: Path, file: Path, entry: Entry, *, as_json: bool) -> None:
    """Let the lab run on a site file from its next start, signed by quality assurance."""
    person, clock = entry.person(), SystemClock()
    text, key = _read(file), SiteKey(data_dir)
    command = approving_site(data_dir, file, entry.reason)
    assert isinstance(command.details, ApproveSite)
    if command.details.commitment != key.commitment(text):
        raise ConfigError(f"{file}: is being changed just now; approve it when it is as it is to be")

    async def keep() -> SiteText:
        async with entering(data_dir, clock) as (ledger, desk):
            signed = await proven(
                desk, person, entry.secret, RECORDS, RULE.signed, lambda: shown_of(STREAM, ledger.read(STREAM), command)
            )
            approved = await approve_site(ledger, command, clock.now(), person, signed)
        await asyncio.to_thread(key.keep, text)
        return approved

    approved = asyncio.run(keep())
    if as_json:
        print_json(_as_json(approved))
    else:
        print(f"{_line(approved)}; it comes into force when cultureops is started again")


async def _in_force(data_dir: Path) -> SiteText:
    async with ledger_of(data_dir, SystemClock()) as ledger:
        known = text_in_force(ledger.read(STREAM))
    if known is None:
        raise ConfigError(f"{data_dir}: no site file was adopted here yet; the first `cultureops run` does")
    return known


def _with_hashes(files: Sequence[str]) -> list[str]:
    return [f"# names {one}" for one in files]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: can't be read as UTF-8 text: {error}; name the site file with --site") from None


def _line(text: SiteText) -> str:
    since = local_text(text.at, ZoneInfo("UTC"))
    if text.signature is None:
        return f"# adopted at the first start, {since}"
    return f"# approved by {text.signature.printed_name} ({text.signature.username}), {since}: {printable(text.reason)}"


def _as_json(text: SiteText) -> dict[str, Any]:
    return {
        "in_force_since": iso(text.at),
        "reason": text.reason,
        "commitment": text.commitment,
        "signature": None if text.signature is None else text.signature.data(),
    }
