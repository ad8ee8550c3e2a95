"""The command: a site file, or the demo's own lab, in; a report for QA and the challenge's own ledger out."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
import logging
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cultureops.challenge import challenging
from cultureops.challenge.challenging import Outcome, challenge_site
from cultureops.challenge.loopback import loopback_only
from cultureops.challenge.report import Circumstances, as_json, as_pdf, is_good
from cultureops.challenge.result import Result
from cultureops.clock import SystemClock
from cultureops.demo.lab import fleet_devices
from cultureops.demo.site_file import site_text
from cultureops.device.registry import driver_folder
from cultureops.errors import ConfigError, CultureOpsError
from cultureops.logs import log_to_stderr
from cultureops.site import read_site
from cultureops.telemetry.whole_file import whole_file

__all__ = ["EVIDENCE", "JSON_FILE", "PDF_FILE", "ChallengeFailed", "challenge_alarms", "demo_site_text"]

EVIDENCE: Final = "evidence"
"""The folder with the challenge's own ledger, readings and simulators."""
JSON_FILE: Final = "alarm_challenge.json"
PDF_FILE: Final = "alarm_challenge.pdf"
_DEMO_SITE: Final = "site.toml"
_PAGES_PORT: Final = 8080


class ChallengeFailed(CultureOpsError):
    """An alarm did not do what its rule says, or was not challenged."""


def challenge_alarms(
    site_file: Path | None,
    out: Path,
    only: Sequence[str],
    seed: int,
    actor: str | None,
    *,
    allow_unchallenged: bool,
    json_to_stdout: bool,
) -> None:
    """Challenge the alarms of a site file, of the demo's lab where there is none, and write the report to ``out``.

    Raises ConfigError for a wrong site file, a folder in use or a pattern that matches nothing, and ChallengeFailed,
    once everything is written, when an alarm failed, or was not challenged and need be.
    """
    _log_nothing()
    started = SystemClock().now()
    with _evidence(out) as evidence:
        source = site_file if site_file is not None else _demo_site(evidence)
        content = _content(source)
        site = read_site(source)
        print(f"{site.name}: SIMULATED SOURCES on this machine only; no instrument is asked", file=sys.stderr)
        with _progress() as show, loopback_only():
            outcome = asyncio.run(challenge_site(site, evidence, seed, only, show))
    said = Circumstances(
        site=site.name,
        site_file=str(site_file) if site_file is not None else "the demo's own",
        site_file_sha256=hashlib.sha256(content).hexdigest(),
        zone=site.zone,
        program_version=version("cultureops"),
        seed=seed,
        performed_by=actor or getpass.getuser(),
        performed_at=started,
        devices=site.devices,
    )
    text = json.dumps(as_json(outcome, said), indent=1, ensure_ascii=False)
    _write(out / JSON_FILE, text.encode("utf-8"))
    _write(out / PDF_FILE, as_pdf(outcome, said))
    if json_to_stdout:
        print(text)
    else:
        _print_summary(outcome, out)
    if not is_good(outcome, allow_unchallenged=allow_unchallenged):
        raise ChallengeFailed(f"not every alarm passed; see {out / PDF_FILE}")


def demo_site_text(folder: Path) -> str:
    """Return the demo's own site file; its links lead nowhere, for a challenge replaces them."""
    devices = fleet_devices(driver_folder("modbus") / "profiles", folder)
    nowhere = {
        str(row["name"]): {"tcp": f"127.0.0.1:{number}", "pty": f"/nowhere/line_{number}"}
        for number, row in enumerate(devices, start=1)
    }
    return site_text(nowhere, folder, _PAGES_PORT)


def _demo_site(folder: Path) -> Path:
    file = folder / _DEMO_SITE
    file.write_text(demo_site_text(folder), encoding="utf-8")
    return file


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}; name a site file that can be read") from None


@contextmanager
def _evidence(out: Path) -> Iterator[Path]:
    """Make the folder of a report and of its evidence; after an error nothing is left of it.

    Raises ConfigError for a folder that holds anything: what was filed is never written over.
    """
    was_there = out.exists()
    if was_there and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is already in use; name an empty or a new folder for --out")
    folder = out.resolve() / EVIDENCE
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"{out}: can't be made: {error}") from None
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if not was_there:
            out.rmdir()
        raise


def _write(path: Path, content: bytes) -> None:
    with whole_file(path) as file:
        file.write(content)


def _print_summary(outcome: Outcome, out: Path) -> None:
    for row in outcome.rows:
        reason = f": {row.reason}" if row.reason else ""
        rule = row.stimulus.rule if isinstance(row, Result) else row.rule
        print(f"{row.verdict:15} {rule.id}{reason}")
    print(f"{len(outcome.rows)} alarms, simulated sources; report in {out / PDF_FILE} and {out / JSON_FILE}")


@contextmanager
def _progress() -> Iterator[challenging.Progress]:
    """Show on standard error, where somebody watches it, how many alarms are done."""
    columns = (TextColumn("challenging alarms"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("alarms", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _log_nothing() -> None:
    """Keep lost links out of sight: they are what is being tried."""
    log_to_stderr(logging.CRITICAL)
