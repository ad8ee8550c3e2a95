"""The site file under change control: a lab runs on the text that was adopted or approved last, not on any other.

The first start adopts the file, and by their hashes the profiles and mappings that it names. From then on a changed
file comes into force when quality assurance has signed it; until then the lab goes on with the text before, and an
alarm of its own says that the file, or one that it names, differs. The ledger keeps every text but for the secrets in
it (``site_secrets.py``). Recipes are approved by themselves (``batch/approval.py``).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import structlog
from pydantic import Field

from cultureops.access.signature import Meaning, Signature, content_sha256, signatures_in
from cultureops.backup.site_folder import toml_named_in
from cultureops.clock import MINUTE_MS, Clock, Instant
from cultureops.conduct import ABSENT, Command, Rule, carry_out, permit
from cultureops.config import parse
from cultureops.errors import ConfigError, SignatureInvalid, TransitionRefused
from cultureops.field import Details, data_of
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.pointer import pointed
from cultureops.ledger.store import Ledger
from cultureops.recording import has_ledger, open_ledger_beside, settle_ledger
from cultureops.site import Site, site_from
from cultureops.site_secrets import SiteKey

__all__ = [
    "RULE",
    "STREAM",
    "ApproveSite",
    "SiteInForce",
    "SiteText",
    "SiteWatch",
    "adopt_site",
    "approve_site",
    "approving_site",
    "named_files",
    "text_in_force",
]

log = structlog.get_logger(__name__)

STREAM: Final = "site"
ADOPTED, APPROVED = "site_adopted", "site_approved"
RULE: Final = Rule(
    frozenset({"adopted"}), frozenset({"QA"}), needs_reason=True, in_order=False, signed=Meaning.APPROVED
)
_SYSTEM: Final = Actor("cultureops", "system")
_LOOK_EVERY_MS: Final = MINUTE_MS


class ApproveSite(Details):
    """Let the lab run on this text of the site file; ``commitment`` is the keyed hash [hex] of the whole text.

    ``files`` are the files that it names, each as "name SHA-256", None where nobody looked at them.
    """

    text: Annotated[str, Field(strict=True, max_length=1_000_000)]
    commitment: Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{64}$")]
    files: Annotated[tuple[Annotated[str, Field(max_length=1_200)], ...], Field(max_length=1_000)] | None = None


@dataclass(frozen=True, slots=True)
class SiteText:
    """A text that came into force, as the ledger keeps it; ``signature`` is None for the one of the first start."""

    text: str
    commitment: str
    at: Instant
    reason: str
    signature: Signature | None
    files: tuple[str, ...] | None = None

    def names(self, files: tuple[str, ...]) -> bool:
        """Whether the named files are those that came into force with it; true where they were not looked at then."""
        return self.files is None or self.files == files


@dataclass(frozen=True, slots=True)
class SiteInForce:
    """The site that the lab runs on; ``differs`` is whether its file says something else by now.

    ``sha256`` is that of the whole text that is run on [hex].
    """

    site: Site
    text: SiteText
    differs: bool
    sha256: str = ""


def text_in_force(events: Sequence[Event]) -> SiteText | None:
    """Return the text that the stream ``site`` says is in force; None before the first start."""
    return next((text for event in reversed(events) if (text := _text_in(event)) is not None), None)


def _text_in(event: Event) -> SiteText | None:
    if event.type not in (ADOPTED, APPROVED):
        return None
    signature = None
    if event.type == APPROVED:
        try:
            (signature, *_) = signatures_in(event) or (None,)
        except SignatureInvalid:
            return None
        if signature is None or signature.role != "QA" or signature.content_sha256 != content_sha256(event):
            return None
    text, commitment, found = str(event.data["text"]), str(event.data["commitment"]), event.data.get("files")
    files = tuple(map(str, found)) if isinstance(found, Sequence) and not isinstance(found, str) else None
    return SiteText(text, commitment, event.occurred_at, event.reason, signature, files)


async def adopt_site(
    data_dir: Path,
    file: Path,
    clock: Clock,
    approved_elsewhere: str | None = None,
    *,
    check: Callable[[Site], object] = lambda _: None,
) -> SiteInForce:
    """Return the site that a data folder's lab runs on; the first start adopts the file.

    A gateway's is approved at its hub: a changed file is adopted that has the SHA-256 ``approved_elsewhere`` [hex].
    ``check`` raises ConfigError for a site that is not this program's: nothing is adopted or written then.
    Raises Unreadable where a ledger was and is no more, ConfigError for a file that can't be read, and where it differs
    and the text in force is not whole any more.
    """
    text, key = await asyncio.to_thread(_read, file), SiteKey(data_dir)
    if has_ledger(data_dir):
        origin = None
    else:
        new = site_from(parse(text, str(file)), file)
        check(new)
        origin = new.origin
        await asyncio.to_thread(settle_ledger, data_dir, new.ledger)
    async with open_ledger_beside(data_dir, clock, origin=origin) as ledger:
        known = text_in_force(ledger.read(STREAM))
        file_sha256 = await asyncio.to_thread(_file_sha256, file)
        is_new = known is not None and not hmac.compare_digest(key.commitment(text), known.commitment)
        if known is None or (is_new and file_sha256 == approved_elsewhere):
            site = site_from(parse(text, str(file)), file)  # what can't be read is not adopted
            check(site)
            details = await asyncio.to_thread(_details, key, text, file)
            reason = "approved at the hub" if is_new else "first start"
            adopted = NewEvent(ADOPTED, dict(data_of(details)), _SYSTEM, Source.SYSTEM, reason=reason)
            (event,) = await ledger.append(STREAM, [adopted], None if is_new else 0)
            await asyncio.to_thread(key.keep, text)
            known = _text_in(event)
            assert known is not None
            return SiteInForce(site, known, differs=False, sha256=file_sha256)
    if hmac.compare_digest(await asyncio.to_thread(key.commitment, text), known.commitment):
        await asyncio.to_thread(key.keep, text)
        differs = not known.names(await asyncio.to_thread(named_files, file, text))
        if differs:
            log.warning("a file that the site file names is not what was approved with it", file=str(file))
        return SiteInForce(site_from(parse(text, str(file)), file), known, differs, file_sha256)
    whole = await asyncio.to_thread(key.kept)
    if whole is None or not hmac.compare_digest(key.commitment(whole), known.commitment):
        raise ConfigError(
            f"{file}: is not what quality assurance approved, and the approved text is not in {key.folder} any more; "
            "put the approved file back, or have this one approved: `cultureops site approve`"
        )
    log.warning("the site file differs from what is approved; the lab runs on the approved text", file=str(file))
    sha256 = hashlib.sha256(whole.encode()).hexdigest()
    site = site_from(parse(whole, f"{file} as approved"), file)
    # Where the ledger is stands in the folder: a lab that was moved watches its chambers before that is approved, too.
    here = replace(site.ledger, postgresql=await asyncio.to_thread(pointed, data_dir))
    return SiteInForce(replace(site, ledger=here), known, differs=True, sha256=sha256)


def _file_sha256(file: Path) -> str:
    """Return the SHA-256 [hex] of a file as it lies there; of none for one that is gone by now."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return hashlib.sha256().hexdigest()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: can't be read as UTF-8 text: {error}") from None


def named_files(file: Path, text: str) -> tuple[str, ...]:
    """Return the TOML files that a site file's text names, recipes left out, each as "name SHA-256"; blocks."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return ()
    named = set(toml_named_in({section: value for section, value in said.items() if section != "recipe"}))
    for row in said.get("gateway", ()):  # what the copies of gateways' site files name is approved with them
        try:
            named |= set(toml_named_in(tomllib.loads((file.parent / row["site"]).read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # reading the site tells what is wrong with it
    return tuple(f"{name} {_sha256(file, name)}" for name in sorted(named))


def _sha256(file: Path, name: str) -> str:
    found = next((one for one in (Path(name), file.parent / name) if one.is_file()), None)  # as drivers look for it
    try:
        return "absent" if found is None else hashlib.sha256(found.read_bytes()).hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _details(key: SiteKey, text: str, file: Path) -> ApproveSite:
    return ApproveSite(text=key.fit_for_ledger(text), commitment=key.commitment(text), files=named_files(file, text))


def approving_site(data_dir: Path, file: Path, reason: str) -> Command:
    """Return the command that approves a site file as it is; raises ConfigError for one that no lab could run on."""
    text = _read(file)
    site_from(parse(text, str(file)), file)
    return Command(STREAM, _details(SiteKey(data_dir), text, file), None, reason)


async def approve_site(
    ledger: Ledger, command: Command, now: Instant, actor: Actor, signatures: Sequence[Signature]
) -> SiteText:
    """Approve a site file by a command of ``approving_site``, signed by who gives it; the next start runs on it.

    A refusal is itself recorded, then raised: TransitionRefused.
    """

    def decided(events: Sequence[Event]) -> NewEvent:
        known, details = text_in_force(events), command.details
        assert isinstance(details, ApproveSite)
        state = ABSENT if known is None else "adopted"
        at = permit(RULE, command, what="site file", state=state, since=None, now=now, actor=actor)
        if known is not None and (known.commitment, known.files) == (details.commitment, details.files):
            raise TransitionRefused("site file: this text is in force already")
        return NewEvent(APPROVED, dict(data_of(details)), actor, Source.HUMAN, at, command.reason)

    events = await carry_out(ledger, STREAM, decided, command, now, actor, None, RULE.signed, signatures)
    text = _text_in(events[-1])
    assert text is not None
    return text


class SiteWatch:
    """Looks once a minute whether the site file still says what the lab runs on; ``differs`` is what it found."""

    def __init__(self, data_dir: Path, file: Path, in_force: SiteInForce, read: Callable[[Path], str] = _read) -> None:
        self._key, self._file, self._read = SiteKey(data_dir), file, read
        self._in_force = in_force.text
        self._looked_at: Instant | None = None
        self.differs = in_force.differs

    def is_due(self, now: Instant) -> bool:
        """Whether it is time to look again."""
        return self._looked_at is None or not 0 <= now - self._looked_at < _LOOK_EVERY_MS

    async def settle(self, now: Instant) -> None:
        """Look; a file that is gone or can't be read differs."""
        self._looked_at = now
        self.differs = await asyncio.to_thread(self._look)

    def _look(self) -> bool:
        try:
            text = self._read(self._file)
            is_text = hmac.compare_digest(self._key.commitment(text), self._in_force.commitment)
            return not (is_text and self._in_force.names(named_files(self._file, text)))
        except ConfigError:
            return True
