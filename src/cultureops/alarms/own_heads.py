"""The alarm of what proves the record: heads are not signed, or not kept elsewhere."""

from __future__ import annotations

from typing import Final

from cultureops.alarms.own import OWN, SHIFT_S, own_rule
from cultureops.alarms.rule import Priority, Rule
from cultureops.device.channel import ChannelId, channel_id

__all__ = ["HEADS_NOT_KEPT", "head_rules"]

HEADS_NOT_KEPT: Final[ChannelId] = channel_id(OWN, "heads_not_kept")
_LIMIT_S: Final = 300.0
"""A minute between two attempts leaves an anchor that is only slow four more. [OWN]"""


def head_rules() -> tuple[Rule, ...]:
    """Return the alarm of a ledger whose heads have not been signed, or taken to every anchor, for five minutes."""
    return (
        own_rule(
            HEADS_NOT_KEPT,
            limit=_LIMIT_S,
            unit="s",
            priority=Priority.HIGH,
            cause="The signing key is away, an anchor can't be reached, or an anchor knows more than the ledger.",
            consequence="Who rewrites or rolls back the record from now on would not be found out.",
            response="Read why on the health page; run `cultureops verify` and bring key or anchor back.",
            respond_within_s=SHIFT_S,
        ),
    )
