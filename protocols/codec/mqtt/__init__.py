"""MQTT 3.1, 3.1.1 and 5 packets: bytes to packets and back, for servers and clients alike."""
