"""The MQTT outlets: how the lab stands, as JSON that a broker retains and as Sparkplug B. Output only."""

from cultureops.mqtt.outlet import Outlet, Outlets, PublisherStatus, publishing
from cultureops.mqtt.publisher import Publisher
from cultureops.mqtt.settings import MqttSettings, SparkplugSettings, mqtt_from
from cultureops.mqtt.sparkplug.edge import EdgeNode
from cultureops.mqtt.sparkplug.metrics import LabMetrics
from cultureops.mqtt.sparkplug.publisher import SparkplugPublisher
from cultureops.mqtt.standing import Standing
from cultureops.mqtt.topics import Topics

__all__ = [
    "EdgeNode",
    "LabMetrics",
    "MqttSettings",
    "Outlet",
    "Outlets",
    "Publisher",
    "PublisherStatus",
    "SparkplugPublisher",
    "SparkplugSettings",
    "Standing",
    "Topics",
    "mqtt_from",
    "publishing",
]
