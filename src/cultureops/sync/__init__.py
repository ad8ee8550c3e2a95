"""Gateways and their hub: two logs go up, standing batches and orders come down, by HTTPS with pinned certificates."""

from cultureops.sync.clock_offset import ClockOffset, Exchange, clock_offset
from cultureops.sync.forwarding import Forwarding, ForwardingStatus, LedgerLog
from cultureops.sync.hello import Answer, Hello, Order, Standing
from cultureops.sync.origin_log import OriginLog
from cultureops.sync.receiving import OriginStatus, Receiving
from cultureops.sync.settings import GatewayRow, GatewaysSettings, HubSettings, gateways_from, hub_from

__all__ = [
    "Answer",
    "ClockOffset",
    "Exchange",
    "Forwarding",
    "ForwardingStatus",
    "GatewayRow",
    "GatewaysSettings",
    "Hello",
    "HubSettings",
    "LedgerLog",
    "Order",
    "OriginLog",
    "OriginStatus",
    "Receiving",
    "Standing",
    "clock_offset",
    "gateways_from",
    "hub_from",
]
