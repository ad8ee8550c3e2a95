"""What the commands `qualify` and `sbom` do: check an installed site, and write report and bill of materials."""

from __future__ import annotations

import getpass
import json
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

from cultureops.clock import Clock, SystemClock, iso
from cultureops.errors import ConfigError, CultureOpsError
from cultureops.keeping.entry import print_grid, print_json
from cultureops.ledger.generation import program_versions
from cultureops.ledger.verify import verify
from cultureops.progress import steps
from cultureops.qualification import installation, operation
from cultureops.qualification.installation import Installation
from cultureops.qualification.row import Outcome, Row, run_checks
from cultureops.qualification.sbom import sbom_json, write_sbom
from cultureops.qualification.scratch import Scratch
from cultureops.report.document import Imprint, render
from cultureops.report.qualification import TEMPLATE, TITLE, qualification_report
from cultureops.site import read_site
from cultureops.telemetry.whole_file import whole_file

__all__ = ["qualify_site", "write_bill"]

_NAMES: Final = ("qualification.pdf", "qualification.json", "sbom.cdx.json")


def write_bill(out: Path, *, as_json: bool) -> None:
    """Write the bill of materials of the running environment to a new file."""
    write_sbom(out)
    count = len(json.loads(out.read_bytes())["components"])
    if as_json:
        print_json({"file": str(out), "components": count})
    else:
        print(f"{out}: {count} components, CycloneDX 1.6")


def qualify_site(site_file: Path, data_dir: Path, out: Path, *, as_json: bool, clock: Clock | None = None) -> None:
    """Check an installed site, write report and bill of materials into a folder, and fail when a check has failed.

    Raises ConfigError for a site file or a folder that is not there, CultureOpsError, once all is written, when a check
    has failed.
    """
    site, now = read_site(site_file), (clock or SystemClock()).now()
    for folder in (data_dir, out):
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder; make it first")
    if taken := [name for name in _NAMES if (out / name).exists()]:
        raise ConfigError(f"{out / taken[0]}: exists; name an empty folder, earlier reports are kept")
    total = len(installation.CHECKS) + len(operation.CHECKS)
    done = 0
    with steps("checking") as show, tempfile.TemporaryDirectory(prefix="cultureops-qualify-") as scratch:

        def note() -> None:
            nonlocal done
            done += 1
            show(done, total)

        place = Installation(site, site_file, data_dir, now)
        installed = run_checks(installation.CHECKS, place, note)
        operated = run_checks(operation.CHECKS, Scratch(Path(scratch), site.zone), note)
    head = None
    if place.is_begun:
        try:
            head = verify(place.ledger)
        except CultureOpsError:
            head = None  # its row says so
    bill = sbom_json()
    facts = {
        **program_versions(),
        "data folder": str(data_dir.absolute()),
        "bill of materials": f"{_NAMES[2]}, SHA-256 {sha256(bill.encode()).hexdigest()}",
    }
    imprint = Imprint(TITLE, site.name, getpass.getuser(), now, site.zone, head)
    report = qualification_report(
        imprint, [row.data() for row in installed], [row.data() for row in operated], facts
    )  # fmt: skip
    contents = (
        render(TEMPLATE, report), json.dumps(report, ensure_ascii=False, indent=1).encode() + b"\n", bill.encode(),
    )  # fmt: skip
    for name, content in zip(_NAMES, contents, strict=True):
        with whole_file(out / name) as file:
            file.write(content)
    if as_json:
        print_json(report | {"files": [str(out / name) for name in _NAMES]})
    else:
        _print((*installed, *operated), out, iso(now))
    failed = [row.id for row in (*installed, *operated) if row.outcome is Outcome.FAIL]
    if failed:
        raise CultureOpsError(f"{len(failed)} checks failed: {', '.join(failed)}; see {out / _NAMES[0]}")


def _print(rows: tuple[Row, ...], out: Path, made_at: str) -> None:
    print_grid(
        ("check", "what", "outcome", "found"),
        [(row.id, row.title, row.outcome.value, row.found[:160]) for row in rows],
        "",
    )
    print(f"made {made_at}; written to {out}: {', '.join(_NAMES)}")
