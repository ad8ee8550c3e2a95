"""What a scanned code leads to: a batch, a chamber, a device, a lot. Nothing of a scan is kept anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from cultureops.batch.containers import containers_of
from cultureops.web.context import WebContext

__all__ = ["LONGEST_CODE", "Found", "cleaned", "places_of"]

LONGEST_CODE: Final = 200
_AIM: Final = re.compile(r"^\][A-Za-z][0-9A-Za-z]")
"""The symbology identifier that a scanner may send first (ISO/IEC 15424); no part of the code."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page that a code leads to, and what the code stands on in words."""

    address: str
    words: str


def cleaned(typed: str) -> str:
    """Return a code without what scanners put around it: spaces, unseen characters, which symbology it was."""
    seen = "".join(character for character in typed if character.isprintable()).strip()
    return _AIM.sub("", seen).strip()[:LONGEST_CODE]


def places_of(context: WebContext, code: str) -> tuple[Found, ...]:
    """Return the pages that a code leads to, as it stands or, where nothing carries that, in other capitals.

    More than one: a patient has several batches, or a name stands for several things, and a person chooses.
    """
    exact = tuple(dict.fromkeys(_places(context, code)))
    return exact or tuple(dict.fromkeys(_in_other_capitals(context, code)))


def _places(context: WebContext, code: str) -> Iterator[Found]:
    if not code:
        return
    for batch in context.batches.batches():
        if (words := containers_of(batch).get(code)) is not None:
            yield Found(_batch(batch.id), words if code == batch.id else f"{words}, batch {batch.id}")
        elif code in (batch.id, batch.patient_token):
            stands = "open" if batch.ended_at is None else "ended"
            yield Found(_batch(batch.id), f"batch {batch.id}, {batch.stage.replace('_', ' ').lower()}, {stands}")
    if (chamber := context.chambers.get(code)) is not None:
        yield Found(_chamber(code), f"chamber {chamber.title}")
    if code not in context.chambers and (equipment := context.equipment.fact(code, context.clock.now())) is not None:
        yield Found(f"/equipment/{quote(code, safe='')}", f"equipment {equipment.title or code}")
    if context.lots.fact(code, context.clock.now()) is not None:
        yield Found(f"/lots/{quote(code, safe='')}", f"lot {code}")


def _in_other_capitals(context: WebContext, code: str) -> Iterator[Found]:
    """Find what a scanner with a stuck shift key has read; lots are found by their exact name only."""
    sought = code.casefold()
    known = [*context.chambers, *context.equipment.ids()]
    for batch in context.batches.batches():
        known += [batch.patient_token, *containers_of(batch)]
    for name in dict.fromkeys(name for name in known if name.casefold() == sought):
        yield from _places(context, name)


def _batch(batch_id: str) -> str:
    return f"/batches/{quote(batch_id, safe='')}"


def _chamber(chamber_id: str) -> str:
    return f"/chambers/{quote(chamber_id, safe='')}"
