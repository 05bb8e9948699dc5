"""The MQTT wire: requests by PUBLISH, in versions 3.1, 3.1.1 and 5."""

from protocols.mqtt.listener import MqttListener

__all__ = ["MqttListener"]
