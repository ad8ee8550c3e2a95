"""Material on the shelf of a test's lab: lots received and released."""

from tests.signing import keep_lot

from cultureops.clock import DAY_MS, Instant
from cultureops.conduct import Command
from cultureops.ledger import Actor
from cultureops.ledger.store import Ledger
from cultureops.material.events import LotReceived, LotReleased

__all__ = ["put_on_shelf"]


async def put_on_shelf(ledger: Ledger, now: Instant, *lots: str) -> None:
    """Receive and release lots that may be used for a year."""
    for lot in lots:
        received = LotReceived(
            material="medium", supplier="house supplier", quantity=1.0, unit="L", expires_at=now + 365 * DAY_MS,
            certificate="COA",
        )  # fmt: skip
        await keep_lot(ledger, Command(lot, received), now, Actor("stores-1", "OP"))
        await keep_lot(ledger, Command(lot, LotReleased()), now, Actor("qa-1", "QA"))
