"""The readings: kept durably, read back at any width."""

from cultureops.telemetry.embedded import EmbeddedStore
from cultureops.telemetry.follow import Cursor, Extract
from cultureops.telemetry.store import Buckets, ChannelInfo, Gap, Series, TelemetryStore, Watch

__all__ = ["Buckets", "ChannelInfo", "Cursor", "EmbeddedStore", "Extract", "Gap", "Series", "TelemetryStore", "Watch"]
