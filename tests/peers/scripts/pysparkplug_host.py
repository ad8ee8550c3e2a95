"""A host application: hears a Sparkplug namespace until it is told to end, and prints every message as it reads it.

Arguments: port, and how often it asks for a rebirth (whenever a node is born, until then).
"""

import json
import sys

import pysparkplug
from paho.mqtt import client as mqtt
from pysparkplug import _protobuf

port, asks = int(sys.argv[1]), int(sys.argv[2])
heard, births = [], {}


def properties(metric):
    fields = ("int_value", "long_value", "float_value", "double_value", "boolean_value", "string_value")
    found = {}
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=True):
        said = [getattr(value, field) for field in fields if value.HasField(field)]
        found[key] = [value.type, *said]
    return found


def told(message):
    topic = pysparkplug.Topic.from_str(message.topic)
    owner = (topic.edge_node_id, topic.device_id)
    read = pysparkplug.Message.from_mqtt_message(message, birth=births.get(owner))
    raw = _protobuf.Payload.FromString(message.payload)
    if "BIRTH" in topic.message_type:
        births[owner] = read.payload
    metrics = []
    understood = getattr(read.payload, "metrics", None)  # its deaths have none to show
    if understood is None:
        understood = [pysparkplug.Metric.from_pb(metric) for metric in raw.metrics]
    for metric, said in zip(understood, raw.metrics, strict=True):
        metrics.append(
            {
                "name": metric.name,
                "names_itself": said.HasField("name"),
                "alias": metric.alias,
                "at": metric.timestamp,
                "type": metric.datatype.name,
                "says_type": said.HasField("datatype"),
                "value": metric.value,
                "is_null": metric.is_null,
                "properties": properties(said),
            }
        )
    return {
        "type": str(topic.message_type.value),
        "group": topic.group_id,
        "node": topic.edge_node_id,
        "device": topic.device_id,
        "qos": message.qos,
        "retain": bool(message.retain),
        "at": raw.timestamp,
        "seq": raw.seq if raw.HasField("seq") else None,
        "metrics": metrics,
    }


def on_message(client, userdata, message):
    global asks
    if message.topic == "end":
        client.disconnect()
        return
    said = told(message)
    heard.append(said)
    if said["type"] == "NBIRTH" and asks:
        asks -= 1
        metric = pysparkplug.Metric(1, "Node Control/Rebirth", pysparkplug.DataType.BOOLEAN, value=True)
        command = pysparkplug.NCmd(timestamp=1, metrics=(metric,)).encode(include_dtypes=True)
        client.publish(f"spBv1.0/{said['group']}/NCMD/{said['node']}", command, qos=1)


client = mqtt.Client("host")
client.on_message = on_message
client.connect("127.0.0.1", port)
kinds = ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH")
client.subscribe([("end", 1), *((f"spBv1.0/+/{kind}/#", 1) for kind in kinds)])
client.on_subscribe = lambda *_: client.publish("ready", b"", qos=1, retain=True)
client.loop_forever()
print(json.dumps(heard))
