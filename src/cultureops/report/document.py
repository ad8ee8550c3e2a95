"""A thin shell around Typst: a template of this package and data in, a PDF out.

Data travels as one JSON text and is never put into markup, so that no name can become a command. Only the fonts that
come with Typst are used: a report looks the same on every machine.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from cultureops.clock import Instant, iso, local_text
from cultureops.errors import CultureOpsError
from cultureops.ledger.event import JsonValue
from cultureops.ledger.head import Head
from cultureops.ledger.signed_head import SignedHead

if TYPE_CHECKING:
    import typst

__all__ = ["Imprint", "render"]

_TEMPLATES: Final = Path(__file__).parent
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_UNSHOWN: Final = re.compile(r'the text `"(.*?)"` could not be displayed', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\u\{([0-9a-f]+)\}")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True)
class Imprint:
    """What every report says of itself, for ``frame.typ``; ``printed_at`` is ms UTC, shown in ``zone``.

    ``head`` is the last event of the ledger that the report is made from; None where there is none. ``signed_head`` is
    the newest Merkle tree head that the ledger's key has signed; None where nobody has.
    """

    title: str
    site: str
    printed_by: str
    printed_at: Instant
    zone: ZoneInfo
    head: Head | None
    signed_head: SignedHead | None = None

    def data(self) -> dict[str, JsonValue]:
        """Return it as the template's data."""
        return {
            "title": self.title,
            "site": self.site,
            "printed_by": self.printed_by,
            "printed_at": iso(self.printed_at),
            "printed_at_text": local_text(self.printed_at, self.zone),
            "ledger": None if self.head is None else {"position": self.head.position, "hash": self.head.hash},
            "signed_head": None
            if self.signed_head is None
            else self.signed_head.data() | {"printed": str(self.signed_head.printed)},
        }


def render(template_name: str, data: Mapping[str, JsonValue]) -> bytes:
    """Set a template of this package with data and return a PDF/A-2b (ISO 19005-2), the same bytes for the same data.

    ``template_name`` is the file's name without ``.typ``; the template reads the data by
    ``json(bytes(sys.inputs.data))`` and wraps itself in ``report`` of ``frame.typ``, which needs what ``Imprint.data``
    returns. Characters that can't be seen, or that no font at hand can show, are written as ``<U+202E>``, so that
    nothing is lost or misleads. Raises CultureOpsError for an unknown template, data that is not JSON, or a document
    that can't be set.
    """
    import typst

    template = _TEMPLATES / f"{template_name}.typ"
    if not _NAME.fullmatch(template_name) or not template.is_file():
        known = ", ".join(sorted(file.stem for file in _TEMPLATES.glob("*.typ")))
        raise CultureOpsError(f"report {template_name[:40]!r}: no such template; use one of {known}")
    try:
        # No escapes: a character stands for itself, so that it can be replaced by name below.
        text = json.dumps(_seen(data), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CultureOpsError(f"report {template_name}: its data is not JSON: {error}; mend the caller") from None
    for _ in range(_ROUNDS):
        try:
            return _set(template, text)
        except typst.TypstError as error:
            if not (unshown := _unshown(error.diagnostic) & set(text)):
                said = " ".join(error.message.split())[:200]
                raise CultureOpsError(f"report {template_name}: can't be set: {said}; mend {template.name}") from None
            text = text.translate({ord(character): _named(character) for character in unshown})
    raise CultureOpsError(f"report {template_name}: too many characters that no font can show; see its data")


def _set(template: Path, text: str) -> bytes:
    import typst

    return typst.compile(
        str(template),
        root=str(_TEMPLATES),
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"data": text},
        pdf_standards="a-2b",
    )


@cache
def _fonts() -> typst.Fonts:
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)


def _seen(value: JsonValue) -> JsonValue:
    """Return data in which every character that has no look of its own is named, in keys too."""
    if isinstance(value, str):
        return "".join(_visible(character) for character in value) if not value.isprintable() else value
    if isinstance(value, Mapping):
        return {str(_seen(str(key))): _seen(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_seen(entry) for entry in value]
    return value


def _visible(character: str) -> str:
    if character in "\n\t":
        return " " if character == "\t" else character
    return _named(character) if unicodedata.category(character) in _INVISIBLE else character


def _named(character: str) -> str:
    return f"<U+{ord(character):04X}>"


def _unshown(diagnostic: str) -> set[str]:
    """Return the characters, beyond ASCII, of the texts that Typst says it has no glyphs for."""
    texts = (_ESCAPED.sub(lambda code: chr(int(code[1], 16)), text) for text in _UNSHOWN.findall(diagnostic))
    return {character for text in texts for character in text if not character.isascii()}
