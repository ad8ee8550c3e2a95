"""Codes of six digits that change every 30 s (RFC 6238): made by a phone, each taken once."""

from __future__ import annotations

import hmac
from typing import Final

import pyotp

__all__ = ["STEP_S", "new_totp_secret", "provisioning_uri", "totp_step"]

STEP_S: Final = 30
WINDOW: Final = 1
"""Steps that a phone's clock may be early or late."""


def new_totp_secret() -> str:
    """Return a new secret of 160 bits [base32], as phones take it."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, username: str, site: str) -> str:
    """Return what a phone scans (otpauth://)."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=username, issuer_name=f"cultureops {site}".strip())


def totp_step(secret: str, code: str, now_s: float, last_step: int) -> int | None:
    """Return the step that a code is of, if that is near ``now_s`` [s UTC] and after the last one used; None if not."""
    typed = "".join(code.split())
    generator = pyotp.TOTP(secret, interval=STEP_S)
    now = int(now_s // STEP_S)
    found = None
    for step in range(now - WINDOW, now + WINDOW + 1):
        matches = hmac.compare_digest(generator.generate_otp(step).encode(), typed.encode("utf-8", "replace"))
        if matches and step > last_step:
            found = step
    return found
