"""The readings: kept durably, read back at any width."""

from cultureops.telemetry.embedded import EmbeddedStore
from cultureops.telemetry.store import Buckets, ChannelInfo, Gap, Series, TelemetryStore

__all__ = ["Buckets", "ChannelInfo", "EmbeddedStore", "Gap", "Series", "TelemetryStore"]
