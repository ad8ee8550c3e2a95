"""What driver authors build on: channels, samples, links, profiles. Drivers import nothing else of the core."""

from cultureops.device.channel import Channel, ChannelId, Kind, channel_id
from cultureops.device.driver import (
    CountResult,
    Driver,
    DriverFactory,
    Identity,
    Link,
    RejectedFile,
    ResultSource,
)
from cultureops.device.reading import Quality, Reading, Reason, Sample
from cultureops.device.transport import ByteLink, RegisterLink

__all__ = [
    "ByteLink",
    "Channel",
    "ChannelId",
    "CountResult",
    "Driver",
    "DriverFactory",
    "Identity",
    "Kind",
    "Link",
    "Quality",
    "Reading",
    "Reason",
    "RegisterLink",
    "RejectedFile",
    "ResultSource",
    "Sample",
    "channel_id",
]
