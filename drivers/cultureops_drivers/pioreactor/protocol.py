"""What a Pioreactor publishes, without any I/O.

Topics are ``pioreactor/<unit>/<experiment>/<job>/<setting>``. Most settings are JSON objects with a ``timestamp`` (ISO
8601 with its zone), the volume is a bare number. What has become of a job stands in ``<job>/$state``: ``init``,
``ready``, ``sleeping``, ``disconnected``, or ``lost``, which the broker says in the job's stead (its last will).

Source: Pioreactor, core/pioreactor/background_jobs/leader/mqtt_to_db_streaming.py and structs.py @140d443; the job
states and the last will in background_jobs/base.py, the volume in bioreactor.py. A topic that ends in ``/set`` changes
a job; nothing is published by this driver.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from cultureops.errors import ProtocolError

__all__ = ["JobState", "Number", "Setting", "filter_of", "is_name", "number_of", "state_of", "state_topic", "topic_of"]

_FORBIDDEN: Final = frozenset("+#/\x00")


class JobState(StrEnum):
    """What has become of a job."""

    INIT = "init"
    READY = "ready"
    SLEEPING = "sleeping"
    DISCONNECTED = "disconnected"
    LOST = "lost"

    @property
    def is_gone(self) -> bool:
        """Whether nobody is there to publish."""
        return self in (JobState.DISCONNECTED, JobState.LOST)


@dataclass(frozen=True, slots=True)
class Setting:
    """One published quantity: the field of a JSON object, or a bare number where ``field`` is empty.

    ``has_state`` is False for what is published by no job of its own.
    """

    job: str
    name: str
    field: str
    has_state: bool = True


@dataclass(frozen=True, slots=True)
class Number:
    """A published number, and when the Pioreactor says that it was so; None where it does not say."""

    value: float
    at: datetime | None


def is_name(text: str) -> bool:
    """Return whether a unit or an experiment can bear this name in a topic."""
    return bool(text) and not _FORBIDDEN & set(text)


def filter_of(unit: str, experiment: str) -> str:
    """Return what to subscribe to: every setting of every job of a unit in an experiment."""
    return f"pioreactor/{unit}/{experiment}/+/+"


def topic_of(unit: str, experiment: str, setting: Setting) -> str:
    """Return the topic of a quantity."""
    return f"pioreactor/{unit}/{experiment}/{setting.job}/{setting.name}"


def state_topic(unit: str, experiment: str, job: str) -> str:
    """Return the topic in which a job's state stands."""
    return f"pioreactor/{unit}/{experiment}/{job}/$state"


def state_of(payload: bytes) -> JobState:
    """Return a job's state; raises ProtocolError for a word that is none."""
    try:
        return JobState(payload.decode("ascii"))
    except ValueError:
        raise ProtocolError(f"$state: expected one of {', '.join(JobState)}, got {payload[:40]!r}") from None


def number_of(payload: bytes, field: str) -> Number | None:
    """Return what a payload says, None for an empty one, which takes a value back.

    Raises ProtocolError where the field is missing or no number, or the timestamp is none with a zone.
    """
    if payload in (b"", b"null"):
        return None
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        raise ProtocolError(f"{field or 'value'}: not JSON: {payload[:40]!r}") from None
    at = None
    if field:
        if not isinstance(said, dict):
            raise ProtocolError(f"{field}: expected a JSON object, got {payload[:40]!r}")
        at = _instant(said.get("timestamp"))
        said = said.get(field)
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise ProtocolError(f"{field or 'value'}: expected a number, got {payload[:80]!r}")
    try:
        return Number(float(said), at)
    except OverflowError:
        raise ProtocolError(f"{field or 'value'}: too large: {payload[:40]!r}") from None


def _instant(text: object) -> datetime:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ProtocolError(f"timestamp: expected ISO 8601 with its zone, got {text!r:.60}")
    return at
