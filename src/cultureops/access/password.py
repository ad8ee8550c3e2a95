"""Passwords: which a site accepts, and how one is kept: as argon2id (RFC 9106), never as itself."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from cultureops.access.policy import LONGEST_PASSWORD, Policy
from cultureops.errors import AccessError

__all__ = ["check_password", "hash_password", "needs_rehash", "password_matches"]

_WORST: Final = """
    password passwort passw0rd motdepasse contrasena qwertyuiop qwerty qwertz azerty asdfgh asdfghjkl zxcvbnm yxcvbnm
    letmein welcome willkommen iloveyou admin administrator monkey dragon sunshine princess football baseball superman
    batman trustno1 master login secret geheim changeme default starwars whatever computer internet hello hallo shadow
    michael jordan summer sommer winter autumn spring frühling herbst monday montag friday january december
    correcthorsebatterystaple laboratory labor incubator quality operator cultureops stemcell cells abc abcdef abcdefg
    abcdefgh abcdefghijklmnopqrstuvwxyz test guest user
"""
"""What lists of broken passwords begin with, and words of this place; a password must not be made of them."""
_LEET: Final = str.maketrans("013457@$!", "oleastasi")
_LEAST_OTHER: Final = 8
"""Characters that have to be left when every common word and every word of the context is taken away."""
_LEAST_DISTINCT: Final = 6
_MOST_STEPS: Final = 0.6
_WORDS: Final = re.compile(r"[^\W\d_]{4,}")


def check_password(password: str, policy: Policy, username: str, printed_name: str) -> None:
    """Refuse a password that a site's policy or common sense forbids; raises AccessError that never repeats it."""
    text = _normal(password)
    if not policy.password_min_length <= len(text) <= LONGEST_PASSWORD:
        wanted = f"{policy.password_min_length} to {LONGEST_PASSWORD} characters"
        raise AccessError(f"password: expected {wanted}, this one has {len(text)}; several words are easy to keep")
    if not text.isprintable():
        raise AccessError("password: holds characters that can't be typed; use printable ones")
    if _classes(text) < policy.password_classes:
        kinds = "lower case, upper case, digits, other"
        raise AccessError(f"password: this site asks for {policy.password_classes} kinds of characters ({kinds})")
    if len(set(text.casefold())) < _LEAST_DISTINCT or _steps(text) > _MOST_STEPS:
        raise AccessError("password: repeats itself or runs along the keyboard; use several unrelated words")
    if _left_over(text, _context(policy, username, printed_name)) < _LEAST_OTHER:
        raise AccessError(
            "password: is made of common words, or of the names of site or person; use several unrelated words"
        )


def hash_password(password: str, policy: Policy) -> str:
    """Return the argon2id hash [PHC string] of a password, with a salt of its own."""
    return _hasher(policy).hash(_normal(password))


def password_matches(kept: str, password: str) -> bool:
    """Whether a password is the one that is kept."""
    try:
        return PasswordHasher().verify(kept, _normal(password[: 4 * LONGEST_PASSWORD]))
    except (Argon2Error, InvalidHashError):
        return False


def needs_rehash(kept: str, policy: Policy) -> bool:
    """Whether a hash was made with other parameters than the policy's."""
    return _hasher(policy).check_needs_rehash(kept)


def _hasher(policy: Policy) -> PasswordHasher:
    return PasswordHasher(policy.argon2_passes, policy.argon2_memory_kib, policy.argon2_lanes)


def _normal(password: str) -> str:
    """Return it as every keyboard gives it (NIST SP 800-63B-4 section 3.1.1.2); half characters become a mark."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()


def _classes(text: str) -> int:
    kinds = (str.islower, str.isupper, str.isdigit, lambda char: not char.isalnum())
    return sum(any(kind(char) for char in text) for kind in kinds)


def _steps(text: str) -> float:
    """Return the share of characters that follow the one before in the alphabet, or repeat it."""
    codes = [ord(char) for char in text.casefold()]
    return sum(abs(b - a) <= 1 for a, b in pairwise(codes)) / max(1, len(codes) - 1)


def _context(policy: Policy, username: str, printed_name: str) -> frozenset[str]:
    names = [name.casefold() for name in (policy.site, username, printed_name, *policy.blocked_words)]
    joined = ("".join(filter(str.isalnum, name)) for name in names)
    return frozenset(_WORDS.findall(" ".join(names))).union(name for name in (*names, *joined) if len(name) > 3)


def _left_over(text: str, context: frozenset[str]) -> int:
    """Return how many letters are left without common words and those of the context."""
    words = sorted(context.union(_WORST.split()), key=len, reverse=True)
    left = min((_without(words, text.casefold()), _without(words, text.casefold().translate(_LEET))), key=len)
    return len("".join(char for char in left if not char.isspace()))


def _without(words: list[str], text: str) -> str:
    for word in words:
        text = text.replace(word, " ")
    return re.sub(r"[\d\W_]+", lambda found: found[0][:2], text)
