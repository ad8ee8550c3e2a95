"""The site's people, roster and routes in a challenge: messages are composed and handed over, and go nowhere.

So the report can say when somebody would have been told; who that is, and by which route, stands in the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from cultureops.alarms.rule import Rule
from cultureops.clock import SeededEntropy
from cultureops.lab import Lab
from cultureops.notify.message import Message
from cultureops.notify.notifier import Notifier
from cultureops.notify.route import Outcome, Route
from cultureops.site import Site

__all__ = ["is_told_at_once", "telling"]


def is_told_at_once(site: Site, rule: Rule) -> bool:
    """Whether somebody must hear of an alarm as soon as it is raised, whatever else is raised at the time.

    That holds for GMP-critical alarms whose first level waits for nothing; others may wait for a digest.
    """
    if site.notify is None or not site.notify.routes or not rule.gmp_critical:
        return False
    levels = site.notify.policies.critical.levels
    return bool(levels) and levels[0].delay_s == 0


async def _hand_over(_route: Route, _message: Message) -> Outcome:
    """Take a message where its route would; nothing is sent."""
    return Outcome(True, "handed over in a challenge, and not sent")


@asynccontextmanager
async def telling(site: Site, lab: Lab, folder: Path, seed: int) -> AsyncIterator[Notifier | None]:
    """Let the lab tell the site's people, by routes that go nowhere; None where the site tells nobody."""
    if site.notify is None or not site.notify.routes:
        yield None
        return
    notifier = Notifier(
        site.notify,
        lab.clock,
        lab.ledger,
        lab.batches.exposed,
        folder,
        SeededEntropy(seed),
        is_simulated=lambda _: True,
        send=_hand_over,
    )
    lab.alarming.notifier = notifier
    running = asyncio.create_task(notifier.run())
    try:
        yield notifier
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
