"""What the commands on paper do: the batch record, and forms for the time when there is no lab to type into."""

from __future__ import annotations

import asyncio
import getpass
import re
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.batch.batch import stream_of
from cultureops.batch.evolve import fold
from cultureops.batch.field import BATCH_ID
from cultureops.batch.recipe import load_recipe
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.shelf import RECIPES, RecipeShelf
from cultureops.clock import Clock, SystemClock
from cultureops.errors import ConfigError
from cultureops.keeping.dossiers import FolderRecords, dossier_of
from cultureops.keeping.entry import print_json
from cultureops.ledger.head import Head
from cultureops.ledger.signed_head import SignedHead
from cultureops.progress import patience
from cultureops.recording import SITE_FILE, has_ledger, ledger_in
from cultureops.report.batch_record import batch_record, record_pdf
from cultureops.report.document import Imprint
from cultureops.report.step_forms import FormsFor, forms_pdf, step_forms
from cultureops.site import read_site
from cultureops.telemetry.whole_file import whole_file

__all__ = ["printer", "write_forms", "write_record"]

_LONGEST_NAME: Final = 200
_ID: Final = re.compile(BATCH_ID)


def printer(actor: str | None) -> str:
    """Return who prints, the account on this machine where nobody is named; raises ConfigError for what is no name."""
    name = getpass.getuser() if actor is None else actor
    if not name.strip() or len(name) > _LONGEST_NAME:
        raise ConfigError(f"--actor: {name[:40]!r} is no account name; use 1 to {_LONGEST_NAME} characters")
    return name


def write_record(
    data_dir: Path,
    batch_id: str,
    out: Path | None,
    actor: str | None,
    site: Path | None,
    *,
    as_json: bool,
    clock: Clock | None = None,
) -> None:
    """Write the record of a batch as a PDF, as JSON, or both; the two hold the same.

    Raises ConfigError for a batch, folder or name that is none, or a file that is there already, ChainBroken for a
    ledger that is not as it was written: nobody hands that out as a record.
    """
    name = printer(actor)
    if out is None and not as_json:
        raise ConfigError("nothing to write: name a file with --out, or ask for --json")
    if out is not None and (out.exists() or not out.name):
        raise ConfigError(f"{out}: is there already; name a new file")
    with patience(f"gathering {batch_id}"):
        dossier = asyncio.run(dossier_of(data_dir, batch_id, site, clock))
        record = batch_record(dossier, name, dossier.now)
    if out is not None:
        with patience(f"setting {out}"):
            document = record_pdf(record, dossier.place.zone)
        with whole_file(out) as file:
            file.write(document)
    if as_json:
        print_json(record)
    elif out is not None:
        print(f"{out}: the record of {batch_id} up to event {dossier.head.position}, {len(document)} bytes")


def write_forms(
    data_dir: Path,
    what: str,
    out: Path,
    actor: str | None,
    site: Path | None,
    *,
    as_json: bool,
    clock: Clock | None = None,
) -> None:
    """Write paper forms for the steps of a recipe or of a batch; needs no running lab, for a recipe no data folder.

    Raises ConfigError for a name that is neither, or a file that is there already.
    """
    name = printer(actor)
    file = data_dir / SITE_FILE if site is None else site
    known = read_site(file) if file.is_file() else None
    chosen, head, signed_head = _chosen(data_dir, what, () if known is None else known.recipes)
    place, zone = ("not named", ZoneInfo("UTC")) if known is None else (known.name, known.zone)
    title = f"Forms for {chosen.batch_id or chosen.recipe.label}"
    imprint = Imprint(title, place, name, (clock or SystemClock()).now(), zone, head, signed_head)
    forms = step_forms(chosen, imprint)
    document = forms_pdf(forms)
    with whole_file(out) as target:
        target.write(document)
    if as_json:
        print_json(forms)
    else:
        print(f"{out}: {title}; print them now, not when the power is gone")


def _chosen(data_dir: Path, what: str, own: tuple[Recipe, ...]) -> tuple[FormsFor, Head | None, SignedHead | None]:
    """Return what forms are asked for, with the head of the ledger where there is one."""
    if not has_ledger(data_dir):
        return FormsFor(_recipe(what, own)), None, None
    batch_id = what if _ID.fullmatch(what) else None
    records = FolderRecords(ledger_in(data_dir), batch_id)
    batch = None if batch_id is None else fold(records.read(stream_of(batch_id)))
    if batch is None:
        return FormsFor(_recipe(what, own)), records.head(), records.signed_head
    recipes = RecipeShelf(own)
    for event in records.read(RECIPES + batch.recipe.name):
        recipes.apply(event)
    forms = FormsFor(recipes.of(batch), batch.id, batch.patient_token, batch.stage)
    return forms, records.head(), records.signed_head


def _recipe(what: str, own: tuple[Recipe, ...]) -> Recipe:
    """Return a recipe by name, the site's own first, or from a file; raises ConfigError for what is none."""
    found = next((recipe for recipe in own if recipe.name == what), None)
    if found is not None:
        return found
    try:
        return load_recipe(what)
    except ConfigError as error:
        raise ConfigError(f"{what[:60]!r} is neither a batch of this ledger nor a recipe: {error}") from None
