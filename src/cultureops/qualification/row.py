"""One line of a qualification: what was expected, what was found, and whether that is well."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import structlog

from cultureops.ledger.event import JsonValue

__all__ = ["Check", "Found", "Outcome", "Row", "fail", "not_applicable", "ok", "run_checks"]

log = structlog.get_logger(__name__)

T = TypeVar("T")
_DEADLINE_S = 600.0


class Outcome(StrEnum):
    """How a check ended."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found."""

    outcome: Outcome
    text: str


def ok(text: str) -> Found:
    """Say what was found, and that it is as expected."""
    return Found(Outcome.PASS, text)


def fail(text: str) -> Found:
    """Say what was found, and that it is not as expected."""
    return Found(Outcome.FAIL, text)


def not_applicable(text: str) -> Found:
    """Say why there is nothing to look at."""
    return Found(Outcome.NOT_APPLICABLE, text)


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """What is looked at, for which requirements, what is expected, and the function that looks."""

    id: str
    title: str
    requirements: tuple[str, ...]
    expected: str
    look: Callable[[T], Found | Awaitable[Found]]


@dataclass(frozen=True, slots=True)
class Row:
    """A check that was made."""

    id: str
    title: str
    requirements: tuple[str, ...]
    expected: str
    found: str
    outcome: Outcome

    def data(self) -> dict[str, JsonValue]:
        """Return it as JSON values."""
        return {
            "id": self.id,
            "title": self.title,
            "requirements": list(self.requirements),
            "expected": self.expected,
            "found": self.found,
            "outcome": self.outcome.value,
        }


def run_checks(checks: Iterable[Check[T]], of: T, show: Callable[[], None]) -> tuple[Row, ...]:
    """Make checks one after the other; one that breaks down has failed, and costs none of the others anything."""
    rows = []
    for check in checks:
        found = _found(check, of)
        rows.append(Row(check.id, check.title, check.requirements, check.expected, found.text, found.outcome))
        show()
    return tuple(rows)


def _found(check: Check[T], of: T) -> Found:
    async def look() -> Found:
        async with asyncio.timeout(_DEADLINE_S):
            found = check.look(of)
            return await found if inspect.isawaitable(found) else found

    try:
        return asyncio.run(look())
    except Exception as error:
        log.warning("a check broke down", check=check.id, error=repr(error))
        return fail(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")
