"""The steps that people do on pages: their names in addresses and in words, and who may do them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cultureops.access import Identity, Role
from cultureops.batch.batch import Batch
from cultureops.batch.commands import Count, HoldCount, RejectResultFile
from cultureops.batch.field import Details
from cultureops.batch.rules import RULES
from cultureops.batch.state import State

__all__ = [
    "BY_INSTRUMENT",
    "DOABLE",
    "LEFT_OUT",
    "NEEDS_REASON",
    "about_of",
    "closed_because",
    "is_signed",
    "roles_for",
    "stage_of",
    "words_of",
]

BY_INSTRUMENT: Final[frozenset[type[Details]]] = frozenset({Count, HoldCount, RejectResultFile})
"""What the instrument's own file says, with its hash: nobody types it."""

DOABLE: Final[Mapping[str, type[Details]]] = {
    details.__name__: details for details in RULES if details not in BY_INSTRUMENT
}
"""Every step by the name of its command."""

LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    "ObserveConfluence": frozenset({"evidence", "image_sha256"}),
}
"""Fields that nobody fills in on the form of a step: an image's reading comes with the image, on its own page."""

NEEDS_REASON: Final = frozenset({"Discard", "DiscardVials", "Correct", "AcceptCount"})
"""Steps that nobody records without saying why."""

_FEW: Final = 3
_WORDS: Final[Mapping[str, str]] = {
    "ReceiveMarrow": "Receive the marrow",
    "RecordConsent": "Record the consent",
    "Isolate": "Isolate the cells",
    "Seed": "Seed the primary culture",
    "ChangeMedium": "Change the medium",
    "ObserveConfluence": "Observe the confluence",
    "Move": "Move vessels",
    "Split": "Split a group of vessels",
    "Pool": "Pool groups of vessels",
    "Discard": "Discard vessels",
    "Passage": "Passage the cells",
    "Harvest": "Harvest the cells",
    "Freeze": "Freeze the cells",
    "CheckStorage": "Check the cold store",
    "TransferOut": "Pack the vials",
    "TransferIn": "Take the vials in",
    "Thaw": "Thaw the vials",
    "Wash": "Wash the cells",
    "Resuspend": "Resuspend the cells",
    "Formulate": "Fill the containers",
    "Ship": "Hand over to the transport",
    "ReceiveAtSite": "Receive at the hospital",
    "Administer": "Give a dose",
    "SampleQc": "Take a sample",
    "RecordQcResult": "Enter a test's result",
    "AcceptCount": "Accept a held count",
    "HandOver": "Hand the material over",
    "Correct": "Correct an entry",
    "Note": "Write a note",
    "CreateBatch": "Open a batch",
    "OpenDeviation": "Open a deviation",
}


def words_of(step: str) -> str:
    """Write a step's name as people do: ``ReleaseConditionally`` is Release conditionally."""
    if step in _WORDS:
        return _WORDS[step]
    return "".join(f" {char.lower()}" if char.isupper() and at else char for at, char in enumerate(step))


def about_of(step: type[Details]) -> str:
    """Say in one sentence what a step is."""
    first = (step.__doc__ or "").partition("\n")[0].partition(";")[0]
    return f"{first.rstrip('.')}."


def is_signed(step: str) -> bool:
    """Whether a step is signed, on pages of its own."""
    return RULES[DOABLE[step]].signed is not None


def roles_for(identity: Identity, step: str) -> tuple[Role, ...]:
    """Return in which of their roles somebody may do a step."""
    return tuple(sorted(identity.roles & RULES[DOABLE[step]].roles))


def closed_because(batch: Batch, step: str) -> str:
    """Say why a step is not open in the batch's state; empty where it is."""
    states = RULES[DOABLE[step]].states
    if batch.state in states:
        return ""
    expected = [str(state).lower().replace("_", " ") for state in State if state in states]
    when = " or ".join(expected) if len(expected) <= _FEW else f"{expected[0]} and some later ones"
    return f"the batch is {stage_of(batch)}; this is for the state {when}"


def stage_of(batch: Batch) -> str:
    """Write where a batch is as people say it: ``CULTURE(P1)`` is culture P1."""
    words = str(batch.stage).replace("_", " ").replace("(", " ").replace(")", "").lower()
    return words.replace(" p", " P") if batch.state is State.CULTURE else words
