"""What a person was shown and may sign: for 60 real seconds, once, in the session in which it was shown. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cultureops.access.roles import Role
from cultureops.access.signature import Meaning, Shown
from cultureops.errors import AccessError

__all__ = ["OFFER_S", "Offer", "OfferRefused", "Offers"]

OFFER_S: Final = 60.0
MOST_OFFERS: Final = 1000
MOST_OF_ONE: Final = 20
"""Offers that one person has open: who asks for more gives up older ones of their own, and of nobody else."""


class OfferRefused(AccessError):
    """An offer is not there, not any more, or not for this session; ``offer`` says whose it is, where it is known."""

    def __init__(self, message: str, cause: str, offer: Offer | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.offer = offer


@dataclass(frozen=True, slots=True)
class Offer:
    """What one person may sign in one role with one meaning: exactly what was shown; ``made_s`` is real time [s]."""

    id: str
    username: str
    role: Role
    meaning: Meaning
    shown: Shown
    session_id: str | None
    made_s: float


class Offers:
    """The offers that are open, and those that were used or ran out, as far back as anybody may ask."""

    def __init__(self) -> None:
        self._open: dict[str, Offer] = {}
        self._used: dict[str, Offer] = {}

    def make(self, offer: Offer) -> Offer:
        """Keep an offer."""
        for name, one in tuple(self._open.items()):
            if offer.made_s - one.made_s > 10 * OFFER_S:
                del self._open[name]
        own = [name for name, one in self._open.items() if one.username == offer.username]
        for name in own[: max(0, len(own) + 1 - MOST_OF_ONE)]:
            del self._open[name]
        self._open[offer.id] = offer
        return offer

    def take(self, offer_id: str, session_id: str | None, now_s: float) -> Offer:
        """Return an open offer and use it up; raises OfferRefused."""
        if (used := self._used.get(offer_id)) is not None:
            raise OfferRefused("this was signed already; an offer to sign is for once", "used", used)
        offer = self._open.get(offer_id)
        if offer is None:
            raise OfferRefused("nothing was offered to be signed here; open the record again", "unknown")
        if offer.session_id != session_id:
            raise OfferRefused("this was offered in another session; open the record again", "other session", offer)
        del self._open[offer_id]
        if now_s - offer.made_s > OFFER_S:
            raise OfferRefused(
                f"shown more than {OFFER_S:.0f} s ago; look at the record again, then sign", "expired", offer
            )
        self._used[offer_id] = offer
        while len(self._used) > MOST_OFFERS:
            del self._used[next(iter(self._used))]
        return offer

    def give_back(self, offer: Offer) -> None:
        """Let an offer be tried again: its signature did not come about."""
        self._used.pop(offer.id, None)
        self._open[offer.id] = offer
