"""The MQTT outlet: how the lab stands, retained at a broker. Output only."""

from cultureops.mqtt.publisher import Publisher, PublisherStatus, publishing
from cultureops.mqtt.settings import MqttSettings, mqtt_from
from cultureops.mqtt.standing import Standing
from cultureops.mqtt.topics import Topics

__all__ = ["MqttSettings", "Publisher", "PublisherStatus", "Standing", "Topics", "mqtt_from", "publishing"]
