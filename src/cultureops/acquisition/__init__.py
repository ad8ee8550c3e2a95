"""From the wire to the recorder."""

from cultureops.acquisition.live import LiveFeed, Subscription
from cultureops.acquisition.poller import LinkEvent, LinkState
from cultureops.acquisition.recorder import Recorder
from cultureops.acquisition.site import DeviceRow, devices_from
from cultureops.acquisition.supervisor import Acquisition, MeasuredChannel, Result, open_device

__all__ = [
    "Acquisition",
    "DeviceRow",
    "LinkEvent",
    "LinkState",
    "LiveFeed",
    "MeasuredChannel",
    "Recorder",
    "Result",
    "Subscription",
    "devices_from",
    "open_device",
]
