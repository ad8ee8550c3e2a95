"""What a site asks of passwords, second factors, sessions and locks: ``[access]`` of the site file.

Rules of the field conflict (21 CFR 11.300(b) against OWASP ASVS 5.0 6.2.5 and 6.2.10, and the draft of EU Annex 11), so
each is a site's own choice; the defaults are proposals of ours [OWN].
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from cultureops.access.roles import PEOPLE, Role
from cultureops.clock import DAY_MS, Instant
from cultureops.config import Table
from cultureops.ledger.event import JsonValue

__all__ = ["LONGEST_PASSWORD", "Policy", "access_from", "policy_of"]

LONGEST_PASSWORD: Final = 128
HOUR_S: Final = 3600.0
_GRANTABLE: Final = sorted(PEOPLE | {Role.ADMINISTRATOR})


@dataclass(frozen=True, slots=True)
class Policy:
    """A site's rules of access.

    ``password_min_length`` [characters], ``password_classes`` [0..4 of lower, upper, digit, other],
    ``password_max_age_d`` [d, 0: no ageing], ``blocked_words`` may not make up a password. ``lockout_failures`` wrong
    proofs in a row lock an account for ``lockout_s`` [s of lab time, 0: until an administrator unlocks it].
    ``source_failures`` from one source slow it, at first by ``slow_first_s``, then twice as long each time up to
    ``slow_most_s`` [s]. Sessions end ``idle_s`` after the last use and ``session_max_s`` after log-in [s].
    ``second_factor_roles`` need a second factor to do anything; ``second_factor_outside`` asks it of everybody who does
    not come from ``inside_networks`` (CIDR). ``webauthn_origin`` is where browsers see the pages, e.g.
    ``https://lab.example``; empty: no WebAuthn. The rest are parameters of argon2id (OWASP cheat sheet on password
    storage: 19 MiB, 2 passes, 1 lane at least), how long an invitation holds [h], and of the access review [d].
    """

    site: str = ""
    zone: str = "UTC"
    password_min_length: int = 15
    password_classes: int = 0
    password_max_age_d: float = 0.0
    blocked_words: tuple[str, ...] = ()
    lockout_failures: int = 5
    lockout_s: float = 0.0
    source_failures: int = 10
    slow_first_s: float = 1.0
    slow_most_s: float = 300.0
    idle_s: float = 900.0
    session_max_s: float = 12 * HOUR_S
    second_factor_roles: frozenset[Role] = frozenset()
    second_factor_for_signing: bool = False
    second_factor_outside: bool = False
    inside_networks: tuple[str, ...] = ()
    webauthn_origin: str = ""
    argon2_memory_kib: int = 19_456
    argon2_passes: int = 2
    argon2_lanes: int = 1
    invitation_h: float = 72.0
    dormant_d: float = 90.0
    review_every_d: float = 365.0

    def data(self) -> dict[str, JsonValue]:
        """Return it as JSON values, as the ledger keeps it."""
        plain = asdict(self)
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in plain.items()}

    def is_outside(self, source: str) -> bool:
        """Whether a source is a network address beyond the site's own networks."""
        if not self.second_factor_outside:
            return False
        try:
            address = ipaddress.ip_address(source)
        except ValueError:
            return False
        return not any(address in ipaddress.ip_network(network) for network in self.inside_networks)

    def is_password_too_old(self, set_at: Instant | None, now: Instant) -> bool:
        """Whether a password has to be changed for its age."""
        return bool(self.password_max_age_d) and set_at is not None and now - set_at > self.password_max_age_d * DAY_MS


def policy_of(data: Mapping[str, Any] | None) -> Policy:
    """Return the policy that the ledger keeps; what this program does not know is left out, what lacks is default."""
    if data is None:
        return Policy()
    known = {field.name for field in fields(Policy)}
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in data.items() if name in known
    }
    if "second_factor_roles" in plain:
        plain["second_factor_roles"] = frozenset(Role(role) for role in plain["second_factor_roles"])
    return Policy(**plain)


def access_from(table: Table | None, site: str, zone: str) -> Policy:
    """Read ``[access]``; raises ConfigError with file and line for what is no rule, or a weaker one than may be."""
    if table is None:
        return Policy(site, zone)
    default = Policy()
    roles = table.texts("second_factor_roles")
    for role in roles:
        if role not in _GRANTABLE:
            raise table.error(f"{role!r} is no role; known are {', '.join(_GRANTABLE)}", "second_factor_roles")
    policy = Policy(
        site=site,
        zone=zone,
        password_min_length=table.integer("password_min_length", default.password_min_length, minimum=8, maximum=64),
        password_classes=table.integer("password_classes", 0, minimum=0, maximum=4),
        password_max_age_d=table.number("password_max_age_d", 0.0, minimum=0, maximum=3650),
        blocked_words=table.texts("blocked_words"),
        lockout_failures=table.integer("lockout_failures", default.lockout_failures, minimum=3, maximum=100),
        lockout_s=table.number("lockout_s", 0.0, minimum=0, maximum=DAY_MS),
        source_failures=table.integer("source_failures", default.source_failures, minimum=3, maximum=1000),
        slow_first_s=table.number("slow_first_s", default.slow_first_s, minimum=0.1, maximum=60),
        slow_most_s=table.number("slow_most_s", default.slow_most_s, minimum=1, maximum=HOUR_S),
        idle_s=table.number("idle_s", default.idle_s, minimum=30, maximum=8 * HOUR_S),
        session_max_s=table.number("session_max_s", default.session_max_s, minimum=300, maximum=24 * HOUR_S),
        second_factor_roles=frozenset(Role(role) for role in roles),
        second_factor_for_signing=table.flag("second_factor_for_signing", False),
        second_factor_outside=table.flag("second_factor_outside", False),
        inside_networks=_networks(table),
        webauthn_origin=_origin(table),
        argon2_memory_kib=table.integer("argon2_memory_kib", default.argon2_memory_kib, minimum=7168, maximum=1 << 22),
        argon2_passes=table.integer("argon2_passes", default.argon2_passes, minimum=1, maximum=20),
        argon2_lanes=table.integer("argon2_lanes", default.argon2_lanes, minimum=1, maximum=16),
        invitation_h=table.number("invitation_h", default.invitation_h, minimum=0.1, maximum=24 * 30),
        dormant_d=table.number("dormant_d", default.dormant_d, minimum=1, maximum=3650),
        review_every_d=table.number("review_every_d", default.review_every_d, minimum=1, maximum=3650),
    )
    if policy.argon2_passes * policy.argon2_memory_kib < 35_840:
        what = "weaker than 7 MiB and 5 passes or 19 MiB and 2 passes (OWASP)"
        raise table.error(f"{what}; raise argon2_memory_kib or argon2_passes", "argon2_passes")
    if policy.slow_most_s < policy.slow_first_s:
        raise table.error(f"is less than slow_first_s, {policy.slow_first_s:g}", "slow_most_s")
    if policy.second_factor_outside and not policy.inside_networks:
        raise table.error("needs inside_networks, to tell who comes from outside", "second_factor_outside")
    table.done()
    return policy


def _networks(table: Table) -> tuple[str, ...]:
    networks = table.texts("inside_networks")
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise table.error(f"{error}; write e.g. 10.0.0.0/8", "inside_networks") from None
    return networks


def _origin(table: Table) -> str:
    origin = table.text("webauthn_origin", "").rstrip("/")
    scheme, _, host = origin.partition("://")
    if origin and (scheme not in ("https", "http") or not host or "/" in host):
        raise table.error("expected where browsers see the pages, e.g. https://lab.example", "webauthn_origin")
    if scheme == "http" and host.partition(":")[0] not in ("localhost", "127.0.0.1"):
        raise table.error("browsers allow WebAuthn over https only, or on localhost", "webauthn_origin")
    return origin
