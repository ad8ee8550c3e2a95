"""What comes back from the form of a step: the command as it was typed, with who and what stands beside it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from cultureops.batch.batch import Batch
from cultureops.batch.commands import Collected, Command, Correct, Identified, Seed
from cultureops.batch.field import Details
from cultureops.batch.identification import HANDS_ON, misidentified, named_in
from cultureops.clock import Instant, parse_iso
from cultureops.errors import BatchError, ConfigError
from cultureops.field import Unfit
from cultureops.web.board.scanned import cleaned
from cultureops.web.form.details_filled import details_from, in_one_line, instant_text, number_of
from cultureops.web.step.correcting import correction_from
from cultureops.web.step.table import LEFT_OUT, NEEDS_REASON

__all__ = ["SecondPerson", "StepEntry", "new_entry"]

SCANS: Final = "scans"
_FROM: Final = "collected."


def new_entry() -> str:
    """Return the id of a new entry; a form carries it, and what carries it is recorded once."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class SecondPerson:
    """Who confirms a step beside the one who does it, and how they prove to be themselves."""

    name: str
    role: str
    password: str
    code: str


@dataclass(frozen=True)
class StepEntry:
    """One filled form of one step; nothing of it is believed yet. Properties raise Unfit or BatchError."""

    batch: Batch
    step: type[Details]
    form: Mapping[str, Any]
    zone: ZoneInfo

    def text(self, name: str) -> str:
        """Return what was typed into a field, without blanks around."""
        return str(self.form.get(name, "")).strip()

    def _scan(self, name: str) -> str:
        return cleaned(self.text(name))[:200]

    @property
    def id(self) -> str:
        """The entry's id; a form that brings none gets one."""
        return self.text("entry") or new_entry()

    @property
    def identified(self) -> Identified | None:
        """What was scanned before the step; None where the step needs no scan and nothing was scanned."""
        container, token = self._scan("scan_container"), self._scan("scan_token") or self._scan(f"{SCANS}.0")
        if self.step not in HANDS_ON and not (container and token):
            return None
        asked_for = f"{SCANS}.0" if SCANS in self.step.model_fields else "scan_token"
        missing = {"scan_container": container, asked_for: token}
        if problems := {name: "scan this first" for name, scanned in missing.items() if not scanned}:
            raise Unfit("scan container and patient before the step", problems)
        return Identified(container=container, token=token)

    @property
    def wrong_pair(self) -> str:
        """What is wrong with the scans, empty where nothing is or they are not both there yet."""
        try:
            scanned = self.identified
        except Unfit:
            return ""
        return "" if scanned is None else misidentified(self.batch, scanned, self.named)

    @property
    def named(self) -> tuple[str, ...]:
        """The containers that the step would be about, as far as that is typed."""
        try:
            return named_in(self.batch, self.details)
        except BatchError:
            typed = self.text("container") if "container" in self.step.model_fields else self.text("vessels")
            return (typed,) if typed and self.step is not Seed else ()

    @property
    def second(self) -> SecondPerson | None:
        """The second person, None where nobody was named."""
        if not (name := self.text("witness")):
            return None
        return SecondPerson(
            name[:200], self.text("witness_role")[:20], str(self.form.get("witness_password", ""))[:1_000],
            self.text("witness_code")[:8_000],
        )  # fmt: skip

    @property
    def occurred_at(self) -> Instant | None:
        """When the step happened [ms UTC], None for now."""
        if not (text := self.text("occurred_at")):
            return None
        try:
            return parse_iso(instant_text(text, self.zone))
        except (ValueError, ConfigError) as problem:
            raise Unfit(f"when it happened: {problem}", {"occurred_at": str(problem)}) from None

    @property
    def collected(self) -> tuple[Collected, ...]:
        """The fields that are said to hold what an instrument gave; the lab asks its store before it believes that."""
        found: list[Collected] = []
        for key, origin in self.form.items():
            if not key.startswith(_FROM) or not str(origin).strip():
                continue
            field = key.removeprefix(_FROM)
            channel, _, at = str(origin).strip().rpartition("@")
            try:
                found.append(Collected(field=field, channel=channel, at=int(at), value=number_of(self.text(field))))
            except (ValueError, BatchError):
                raise Unfit(f"{field[:40]}: take it anew, or type it", {field: "take it anew, or type it"}) from None
        return tuple(found)

    @property
    def details(self) -> Details:
        """The step's own fields."""
        if self.step is Correct:
            return correction_from(self.batch, self.form)
        scanned = {name: self._scan(name) for name in (f"{SCANS}.0", f"{SCANS}.1") if name in self.form}
        first = {f"{SCANS}.0": self._scan("scan_token")} if not scanned.get(f"{SCANS}.0") else {}
        left_out = LEFT_OUT.get(self.step.__name__, frozenset())
        asked = {name: text for name, text in self.form.items() if name.partition(".")[0] not in left_out}
        return details_from(self.step, {**asked, **scanned, **first}, self.zone)

    def command(self) -> Command:
        """Return the whole command; raises Unfit or BatchError."""
        problems: dict[str, str] = {}
        read: dict[str, Any] = {}
        for name in ("details", "identified", "occurred_at", "collected"):
            try:
                read[name] = getattr(self, name)
            except Unfit as unfit:
                problems |= unfit.problems
        reason = str(self.form.get("reason", "")).strip().replace("\r\n", "\n")
        if self.step.__name__ in NEEDS_REASON and not reason:
            problems["reason"] = "say why"
        if problems:
            raise Unfit(in_one_line(problems), problems)
        return Command(self.batch.id, reason=reason, entry=self.id, **read)
