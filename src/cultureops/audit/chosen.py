"""Which events a reviewer wants to see."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cultureops.access.signature import SIGNATURES
from cultureops.batch.batch import stream_of
from cultureops.clock import Instant, iso, parse_iso
from cultureops.conduct import is_late
from cultureops.errors import BatchError, ConfigError
from cultureops.ledger.event import Event, JsonValue
from cultureops.ledger.search import Search

__all__ = ["Chosen", "Only", "persons_of"]

LONGEST: Final = 200


class Only(StrEnum):
    """What to leave all else out for; several add up."""

    CORRECTIONS = "corrections"
    LATE_ENTRIES = "late-entries"
    REFUSALS = "refusals"
    SIGNATURES = "signatures"


def persons_of(event: Event) -> frozenset[str]:
    """Return everybody who had a hand in an event: who did it, who witnessed it, who signed it."""
    signed = event.data.get(SIGNATURES, ())
    signers = (
        [str(one.get("username", "")) for one in signed if isinstance(one, Mapping)]
        if isinstance(signed, list | tuple)
        else []
    )
    witness = event.data.get("witness_id")
    return frozenset({event.actor.id, *signers, *([witness] if isinstance(witness, str) and witness else [])})


def _is_refusal(event: Event) -> bool:
    return event.type.endswith("refused")


_KINDS: Final[Mapping[Only, Callable[[Event], bool]]] = {
    Only.CORRECTIONS: lambda event: event.type == "corrected",
    Only.LATE_ENTRIES: is_late,
    Only.REFUSALS: _is_refusal,
    Only.SIGNATURES: lambda event: bool(event.data.get(SIGNATURES)),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A choice of events; what is left empty chooses all.

    ``stream`` is the beginning of a stream's name, such as ``lot:``. ``since`` (included) and ``until`` (not included)
    are times of recording [ms UTC]. ``text`` is looked for in the whole event, ASCII letters without regard to case.
    """

    batch: str = ""
    person: str = ""
    role: str = ""
    kind: str = ""
    stream: str = ""
    since: Instant | None = None
    until: Instant | None = None
    text: str = ""
    only: frozenset[Only] = frozenset()

    def __post_init__(self) -> None:
        """Refuse what can't be looked for; raises ConfigError that names the field."""
        for name in ("batch", "person", "role", "kind", "stream", "text"):
            value = getattr(self, name)
            if len(value) > LONGEST or not _is_text(value):
                raise ConfigError(f"{name}: expected at most {LONGEST} characters of text")
        if self.batch:
            try:
                stream_of(self.batch)
            except BatchError as error:
                raise ConfigError(str(error)) from None
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise ConfigError(f"{iso(self.since)} to {iso(self.until)}: the end must lie after the start")

    def matches(self, event: Event) -> bool:
        """Whether an event is among them."""
        return (
            (not self.batch or event.stream == stream_of(self.batch))
            and (not self.person or self.person in persons_of(event))
            and (not self.role or self.role == event.actor.role)
            and (not self.kind or self.kind == event.type)
            and event.stream.startswith(self.stream)
            and (self.since is None or event.recorded_at >= self.since)
            and (self.until is None or event.recorded_at < self.until)
            and (not self.only or any(_KINDS[only](event) for only in self.only))
            and (not self.text or _lower(_escaped(self.text)) in _lower(event.canonical.decode()))
        )

    @property
    def search(self) -> Search:
        """What the store can look for by itself: no event that matches is without it."""
        found = [_quoted(self.person)] if self.person else []
        found += [f'"role":{_quoted(self.role)}'] if self.role else []
        found += [f'"type":{_quoted(self.kind)}'] if self.kind else []
        found += [_NEEDLES[next(iter(self.only))]] if len(self.only) == 1 else []
        return Search(
            streams=(stream_of(self.batch),) if self.batch else (),
            prefix=self.stream,
            needles=tuple(needle.encode() for needle in found if needle),
            text=_lower(_escaped(self.text)),
            since="" if self.since is None else iso(self.since),
            until="" if self.until is None else iso(self.until),
        )

    def data(self) -> dict[str, JsonValue]:
        """Return it as JSON values, without what is empty."""
        every: dict[str, JsonValue] = {
            "batch": self.batch,
            "person": self.person,
            "role": self.role,
            "kind": self.kind,
            "stream": self.stream,
            "since": None if self.since is None else iso(self.since),
            "until": None if self.until is None else iso(self.until),
            "text": self.text,
            "only": sorted(self.only),
        }
        return {name: value for name, value in every.items() if value}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Chosen:
        """Read what ``data`` returned, or what a form sent; raises ConfigError for anything else."""
        fields: dict[str, Any] = {name: value for name, value in data.items() if value}
        if unknown := sorted(fields.keys() - set(cls.__dataclass_fields__)):
            raise ConfigError(f"{unknown[0][:40]!r} is nothing to choose by")
        for name in ("since", "until"):
            if isinstance(text := fields.get(name), str):
                fields[name] = parse_iso(text)
        try:
            fields["only"] = frozenset(Only(one) for one in fields.get("only", ()))
        except (ValueError, TypeError):
            raise ConfigError(f"only: expected some of {', '.join(Only)}") from None
        if not all(
            isinstance(fields.get(name, ""), str) for name in ("batch", "person", "role", "kind", "stream", "text")
        ):
            raise ConfigError("expected texts to choose by")
        return cls(**fields)


_NEEDLES: Final = {
    Only.CORRECTIONS: '"type":"corrected"',
    Only.LATE_ENTRIES: '"source":"human"',
    Only.REFUSALS: 'refused"',
    Only.SIGNATURES: f'"{SIGNATURES}":[',
}


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in value


def _quoted(text: str) -> str:
    """Write a text as it stands in an event's canonical bytes."""
    return json.dumps(text, ensure_ascii=False)


def _escaped(text: str) -> str:
    return _quoted(text)[1:-1]


def _lower(text: str) -> str:
    """Lower ASCII letters alone, as the store does."""
    return text.translate(_ASCII_LOWER)


_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
