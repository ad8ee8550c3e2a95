"""Alarms of unauthorised use: told at once, as 21 CFR 11.300(d) asks; all limits are ours [OWN]."""

from __future__ import annotations

from typing import Final

from cultureops.alarms.own import HALF_HOUR_S, OWN, own_rule
from cultureops.alarms.rule import Priority, Rule
from cultureops.device.channel import channel_id

__all__ = ["ACCESS_LOST", "ACCOUNTS_LOCKED", "SOURCES_SLOWED", "access_rules"]

ACCOUNTS_LOCKED: Final = channel_id(OWN, "accounts_locked")
SOURCES_SLOWED: Final = channel_id(OWN, "sources_slowed")
ACCESS_LOST: Final = channel_id(OWN, "access_lost")


def access_rules() -> tuple[Rule, ...]:
    """Return the alarms of accounts that guessing has locked, of sources that guess, and of lost secrets."""
    return (
        own_rule(
            ACCOUNTS_LOCKED,
            limit=1.0,
            unit="1",
            deadband=0.5,
            priority=Priority.HIGH,
            cause="Wrong passwords or codes in a row have locked an account: mistyped, or somebody guesses.",
            consequence="Somebody may be trying to act as another person; the person may be unable to log in.",
            response="`cultureops access list` names the account; ask the person whether it was them, and only then "
            "have an administrator unlock it with the reason. Tell QA when it was not.",
            respond_within_s=HALF_HOUR_S,
        ),
        own_rule(
            SOURCES_SLOWED,
            limit=1.0,
            unit="1",
            deadband=0.5,
            priority=Priority.HIGH,
            cause="Many log-ins from one place have failed, over one account or over many.",
            consequence="Somebody may be trying passwords; people at that place have to wait between attempts.",
            response="The record names the source (source_slowed); find out who sits there, and take it off the "
            "network when nobody knows.",
            respond_within_s=HALF_HOUR_S,
        ),
        own_rule(
            ACCESS_LOST,
            limit=1.0,
            unit="1",
            deadband=0.5,
            priority=Priority.HIGH,
            cause="The file of secrets or its key is lost or damaged.",
            consequence="Nobody can log in, sign or act on an alarm from a page; chambers are still watched.",
            response="Restore both files from the backup, or follow `cultureops access recover --help`; write down on "
            "paper what is done meanwhile, and enter it late with a reason.",
            respond_within_s=HALF_HOUR_S,
        ),
    )
