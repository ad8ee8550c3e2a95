"""Whether what a person gave as second factor is one of theirs, for the first time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from cultureops.access.account import Account, Factor
from cultureops.access.totp import totp_step
from cultureops.access.vault import Vault
from cultureops.access.webauthn import Challenges, Credential, authentication_options, check_answer

__all__ = ["PROOF", "TOTP", "WEBAUTHN", "SecondFactors"]

TOTP: Final = "totp"
WEBAUTHN: Final = "webauthn"
PROOF: Final = "proof:"
"""What a challenge is for: to prove to be somebody."""
_LONGEST_CODE: Final = 8_000


class SecondFactors:
    """Checks codes and answers of security keys; ``wall_s`` gives real time [s UTC], ``real_s`` monotonic time [s]."""

    def __init__(
        self, vault: Callable[[], Vault], origin: str, wall_s: Callable[[], float], real_s: Callable[[], float]
    ) -> None:
        self.challenges = Challenges()
        self._vault, self._origin, self._wall_s, self._real_s = vault, origin, wall_s, real_s

    async def check(self, account: Account, given: str) -> Factor | None:
        """Return the factor that what was given proves, used up; None when it proves none.

        ``given`` are the digits of a code, or what a security key answered [JSON].
        """
        text = given.strip()
        if not text or len(text) > _LONGEST_CODE:
            return None
        if text.startswith("{"):
            return await self._check_key(account, text)
        for factor in account.factors:
            if factor.kind == TOTP and await asyncio.to_thread(self._check_code, account.username, factor.id, text):
                return factor
        return None

    async def options(self, username: str, account: Account | None) -> str:
        """Return what a browser needs to answer with a person's key [JSON], also for a name that nobody has."""
        challenge = self.challenges.make(PROOF + (username if account is None else account.username), self._real_s())
        known = [] if account is None else await asyncio.to_thread(self.credentials, account)
        return authentication_options(self._origin, challenge, [one.credential_id for one in known])

    def credentials(self, account: Account) -> list[Credential]:
        """Return the person's security keys; blocks."""
        kept = (
            (factor.id, self._vault().get(factor.id, WEBAUTHN, account.username))
            for factor in account.factors
            if factor.kind == WEBAUTHN
        )
        return [Credential.loads(factor_id, value) for factor_id, value in kept if value is not None]

    def _check_code(self, username: str, factor_id: str, code: str) -> bool:
        vault = self._vault()
        secret = vault.get(factor_id, TOTP, username)
        if secret is None:
            return False
        step = totp_step(secret.decode(), code, self._wall_s(), vault.counter(factor_id))
        return step is not None and vault.advance(factor_id, step)

    async def _check_key(self, account: Account, answer: str) -> Factor | None:
        challenge = self.challenges.take(answer, PROOF + account.username, self._real_s())
        if challenge is None:
            return None
        factor_id = await asyncio.to_thread(self._answered_by, account, answer, challenge)
        return next((factor for factor in account.factors if factor.id == factor_id), None)

    def _answered_by(self, account: Account, answer: str, challenge: bytes) -> str | None:
        for credential in self.credentials(account):
            count = self._vault().counter(credential.factor_id)
            new_count = check_answer(self._origin, credential, answer, challenge, count)
            if new_count is not None:
                # Authenticators without a counter always say 0; the challenge is for once anyhow.
                has_moved = new_count == 0 or self._vault().advance(credential.factor_id, new_count)
                return credential.factor_id if has_moved else None
        return None
