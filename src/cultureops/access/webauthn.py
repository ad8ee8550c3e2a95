"""Security keys and passkeys (W3C WebAuthn) as second factor; checked by the library ``webauthn``, imported on use.

Challenges are kept in memory for some minutes and taken once. Relying party is the host of the site's own origin.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any, Final

from cultureops.errors import AccessError

__all__ = ["Challenges", "Credential", "authentication_options", "check_answer", "check_new", "registration_options"]

CHALLENGE_S: Final = 120.0
MOST_CHALLENGES: Final = 1000


@dataclass(frozen=True, slots=True)
class Credential:
    """The public part of an authenticator's key: its id and its COSE key; ``factor_id`` is ours."""

    factor_id: str
    credential_id: bytes
    public_key: bytes

    def dumps(self) -> bytes:
        """Return it as bytes to be kept."""
        return json.dumps({"id": self.credential_id.hex(), "key": self.public_key.hex()}).encode()

    @classmethod
    def loads(cls, factor_id: str, kept: bytes) -> Credential:
        """Read what was kept."""
        fields = json.loads(kept)
        return cls(factor_id, bytes.fromhex(fields["id"]), bytes.fromhex(fields["key"]))


class Challenges:
    """What browsers were asked to sign, by purpose; each is answered once, within two minutes."""

    def __init__(self) -> None:
        self._open: dict[bytes, tuple[str, float]] = {}

    def make(self, purpose: str, now_s: float) -> bytes:
        """Return a new challenge for a purpose."""
        for challenge, (_, made_s) in tuple(self._open.items()):
            if now_s - made_s > CHALLENGE_S or len(self._open) >= MOST_CHALLENGES:
                del self._open[challenge]
        challenge = secrets.token_bytes(32)
        self._open[challenge] = (purpose, now_s)
        return challenge

    def take(self, answer: str, purpose: str, now_s: float) -> bytes | None:
        """Return the challenge that an answer is to and use it up; None where none was made for this purpose."""
        challenge = _challenge_in(answer)
        if challenge is None or self._open.get(challenge, ("", 0.0))[0] != purpose:
            return None
        _, made_s = self._open.pop(challenge)
        return challenge if now_s - made_s <= CHALLENGE_S else None


def registration_options(origin: str, username: str, printed_name: str, challenge: bytes, known: list[bytes]) -> str:
    """Return what a browser needs to make a key for this site [JSON]; ``known`` are keys the person has already."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    options = generate_registration_options(
        rp_id=_host(origin), rp_name="cultureops", user_name=username, user_display_name=printed_name,
        challenge=challenge, exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
    )  # fmt: skip
    return options_to_json(options)


def authentication_options(origin: str, challenge: bytes, known: list[bytes]) -> str:
    """Return what a browser needs to answer with one of the person's keys [JSON]."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    options = generate_authentication_options(
        rp_id=_host(origin),
        challenge=challenge,
        allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
    )
    return options_to_json(options)


def check_new(origin: str, factor_id: str, answer: str, challenge: bytes) -> tuple[Credential, int]:
    """Return the key that a browser has made and its sign count; raises AccessError for what is none."""
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        found = verify_registration_response(
            credential=answer, expected_challenge=challenge, expected_rp_id=_host(origin), expected_origin=origin
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise AccessError(f"the security key's answer does not fit: {_one_line(error)}; try it again") from None
    return Credential(factor_id, found.credential_id, found.credential_public_key), found.sign_count


def check_answer(origin: str, credential: Credential, answer: str, challenge: bytes, count: int) -> int | None:
    """Return the new sign count when an answer is of this key and to this challenge, None when it is not."""
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        found = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=_host(origin),
            expected_origin=origin,
            credential_public_key=credential.public_key,
            credential_current_sign_count=count,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        return None
    return found.new_sign_count if found.credential_id == credential.credential_id else None


def _host(origin: str) -> str:
    if not origin:
        raise AccessError("no security keys here: the site file states no webauthn_origin in [access]")
    return origin.partition("://")[2].partition(":")[0]


def _challenge_in(answer: str) -> bytes | None:
    from webauthn import base64url_to_bytes

    try:
        client: Any = json.loads(base64url_to_bytes(json.loads(answer)["response"]["clientDataJSON"]))
        return base64url_to_bytes(client["challenge"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
