"""What driver authors build on: channels, samples, links, profiles. Drivers import nothing else of the core."""

from cultureops.device.channel import Channel, ChannelId, Kind, channel_id
from cultureops.device.driver import (
    Confluence,
    ConfluenceResult,
    CountResult,
    Driver,
    DriverFactory,
    Identity,
    ImageResult,
    Link,
    RejectedFile,
    Result,
    ResultSource,
)
from cultureops.device.linked import LinkedDriver
from cultureops.device.reading import Quality, Reading, Reason, Sample
from cultureops.device.transport import ByteLink, HttpLink, PeerLink, RegisterLink, TopicLink

__all__ = [
    "ByteLink",
    "Channel",
    "ChannelId",
    "Confluence",
    "ConfluenceResult",
    "CountResult",
    "Driver",
    "DriverFactory",
    "HttpLink",
    "Identity",
    "ImageResult",
    "Kind",
    "Link",
    "LinkedDriver",
    "PeerLink",
    "Quality",
    "Reading",
    "Reason",
    "RegisterLink",
    "RejectedFile",
    "Result",
    "ResultSource",
    "Sample",
    "TopicLink",
    "channel_id",
]
