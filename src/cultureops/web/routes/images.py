"""Images of a batch's cells: the gallery, an upload, and one image with its reading, of which a person makes a look."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, File, HTTPException, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from cultureops.batch.batch import Batch
from cultureops.batch.commands import ObserveConfluence
from cultureops.batch.looks import owners_of_image
from cultureops.batch.rules import RULES
from cultureops.errors import AccessError, AlreadyRecorded, BatchError, CultureOpsError, GateFailed
from cultureops.field import Unfit
from cultureops.ledger.event import Actor
from cultureops.web.batch.images import ImageEntry, gallery
from cultureops.web.batch.micrograph import Micrograph, Micrographs
from cultureops.web.door.visitor import needing, visitor_of
from cultureops.web.download import attachment, file_name
from cultureops.web.routes.batch import batch_named
from cultureops.web.step.entry import new_entry
from cultureops.web.step.page import Said
from cultureops.web.step.recording import identify, record
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(prefix="/batches/{batch_id}/images", include_in_schema=False)
_RULE: Final = RULES[ObserveConfluence]
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
UNCHANGED: Final = {"cache-control": "private, max-age=86400"}
"""What is called by its hash never becomes another."""


@router.get("")
async def gallery_page(request: Request, batch_id: str) -> Response:
    """Every image of the batch, and the place to add one."""
    return await _gallery(request, batch_named(request, batch_id))


@router.post("")
async def upload(request: Request, batch_id: str, image: Annotated[UploadFile | None, File()] = None) -> Response:
    """Keep an image that can be read, and go on to its reading; one line says why another can't."""
    batch, shelf = batch_named(request, batch_id), _shelf(request)
    actor = _observer(request, "")
    if image is None or not image.filename:
        return await _gallery(request, batch, "choose an image first", 400)
    contents, context = await image.read(shelf.most_bytes + 1), context_of(request)
    sha256 = await asyncio.to_thread(lambda: hashlib.sha256(contents).hexdigest())
    others = [one for one in context.batches.batches() if one.id != batch.id]
    if owners := await asyncio.to_thread(owners_of_image, others, sha256):
        said = f"this very picture is evidence of {', '.join(owners)}; choose the one of {batch.id}"
        return await _gallery(request, batch, said, 409)
    try:
        sha256 = await shelf.keep(contents, image.filename, actor, batch.id)
    except CultureOpsError as problem:
        return await _gallery(request, batch, str(problem), 400)
    return RedirectResponse(f"/batches/{batch.id}/images/{sha256}", 303)


async def _gallery(request: Request, batch: Batch, said: str = "", status: int = 200) -> Response:
    shelf = _shelf(request)
    values = {
        "batch": batch,
        "images": gallery(batch, await shelf.about(batch.id)),
        "may_add": _may_add(request, batch),
        "most_mib": shelf.most_bytes // 2**20,
        "said": said,
        "zone": context_of(request).zone,
    }
    return page(request, "batch_images.html", values, status)


@router.get("/{sha256}")
async def image_page(request: Request, batch_id: str, sha256: str) -> Response:
    """One image with its reading, and the form that makes a look of it."""
    batch, image = await _image(request, batch_id, sha256)
    return _form(request, ImageEntry(batch, ObserveConfluence, {}, context_of(request).zone, image))


@router.post("/{sha256}")
async def look(request: Request, batch_id: str, sha256: str) -> Response:
    """Record the look, or show the form again with everything that was typed, and why it was not recorded."""
    needing(request, _RULE.roles)
    batch, image = await _image(request, batch_id, sha256)
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    entry = ImageEntry(batch, ObserveConfluence, form, context_of(request).zone, image)
    try:
        actor = _observer(request, entry.text("role"))
        is_identified = await identify(request, entry, actor)
        if entry.text("act") == "identify":
            return _form(request, entry, Said(is_identified=is_identified))
        found = await record(request, entry, actor)
    except AlreadyRecorded as known:
        return RedirectResponse(f"/batches/{batch.id}/do?done={known.position}&again=true", 303)
    except Unfit as unfit:
        return _form(request, entry, Said(str(unfit), problems=unfit.problems), 400)
    except GateFailed as refusal:
        return _form(request, entry.without_scans(), Said(str(refusal), is_misidentified="G2: " in str(refusal)), 409)
    except AccessError as refusal:
        return _form(request, entry, Said(str(refusal)), 403)
    except BatchError as refusal:
        return _form(request, entry, Said(str(refusal)), 409)
    if isinstance(found, int):
        return RedirectResponse(f"/batches/{batch.id}/do?done={found}", 303)
    return _form(request, entry, Said(question=found), 409)


def _form(request: Request, entry: ImageEntry, said: Said | None = None, status: int = 200) -> Response:
    identity, batch, image = visitor_of(request).identity, entry.batch, entry.image
    values: dict[str, Any] = {
        "batch": batch,
        "image": image,
        "looks": next((one.looks for one in gallery(batch, {}) if one.sha256 == image.sha256), ()),
        "may_add": _may_add(request, batch),
        "roles": () if identity is None else sorted(identity.roles & _RULE.roles),
        "typed": entry.form,
        "entry": entry.text("entry")[:64] or new_entry(),
        "said": said or Said(),
        "recipe": context_of(request).recipes.of(batch),
        "zone": context_of(request).zone,
    }
    return page(request, "batch_image.html", values, status)


@router.get("/{sha256}/picture.jpg")
async def picture(request: Request, batch_id: str, sha256: str) -> Response:
    """The image for a page, made anew from its pixels."""
    _, image = await _image(request, batch_id, sha256)
    return Response(image.picture, media_type="image/jpeg", headers=UNCHANGED)


@router.get("/{sha256}/mask.png")
async def mask(request: Request, batch_id: str, sha256: str) -> Response:
    """What was taken for cells, to lie over the image."""
    _, image = await _image(request, batch_id, sha256)
    return Response(image.mask, media_type="image/png", headers=UNCHANGED)


@router.get("/{sha256}/original")
async def original(request: Request, batch_id: str, sha256: str) -> Response:
    """The file as it was uploaded, to be saved and never shown."""
    await _known(request, batch_named(request, batch_id), sha256)
    contents, name = await _shelf(request).original(sha256)
    stem, _, ending = name.rpartition(".")
    return attachment(contents, file_name(stem or ending, f".{file_name(ending, '')}"), "application/octet-stream")


async def _image(request: Request, batch_id: str, sha256: str) -> tuple[Batch, Micrograph]:
    batch = batch_named(request, batch_id)
    await _known(request, batch, sha256)
    return batch, await _shelf(request).read(sha256)


async def _known(request: Request, batch: Batch, sha256: str) -> None:
    """Refuse the name of any kept file that is no image of this batch."""
    is_hash = _SHA256.fullmatch(sha256) is not None
    if is_hash and (owners_of_image([batch], sha256) or sha256 in await _shelf(request).about(batch.id)):
        return
    raise HTTPException(
        404, f"{batch.id} has no image {sha256[:20]!r}; its images are listed at /batches/{batch.id}/images"
    )


def _shelf(request: Request) -> Micrographs:
    shelf = context_of(request).micrographs
    if shelf is None:
        raise HTTPException(404, "images are not read here; use `cultureops confluence` on the files")
    return shelf


def _observer(request: Request, role: str) -> Actor:
    """Return the person in a role that may look at cells; raises NotInThisRole or AccessError."""
    person = needing(request, _RULE.roles)
    return person.acting(role or min(person.roles & _RULE.roles))


def _may_add(request: Request, batch: Batch) -> str:
    """Say why nobody can add an image or a look now, empty where this person can."""
    visitor = visitor_of(request)
    if batch.state not in _RULE.states:
        return f"a look belongs to a culture, and {batch.id} is {str(batch.state).lower().replace('_', ' ')}"
    if visitor.identity is None or visitor.is_display or not visitor.identity.roles & _RULE.roles:
        return f"adding one is for {', '.join(sorted(_RULE.roles))}"
    return ""
