"""The people side of alarms: who is told, when, by which route, until somebody acknowledges."""

from cultureops.notify.heartbeat import Heartbeat, HeartbeatSettings, HeartbeatStatus
from cultureops.notify.link import LinkRefused, Links, LinkTicket, load_key
from cultureops.notify.notifier import LINK_PATH, Notifier
from cultureops.notify.settings import NotifySettings, notify_from
from cultureops.notify.status import NotifyStatus

__all__ = [
    "LINK_PATH",
    "Heartbeat",
    "HeartbeatSettings",
    "HeartbeatStatus",
    "LinkRefused",
    "LinkTicket",
    "Links",
    "Notifier",
    "NotifySettings",
    "NotifyStatus",
    "load_key",
    "notify_from",
]
