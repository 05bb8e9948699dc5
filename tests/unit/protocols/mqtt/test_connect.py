"""Who is let in by CONNECT, and what the CONNACK says. MQTT 3.1.1 and 5, sections 3.1 and 3.2."""

from __future__ import annotations

import msgspec
import pytest

from protocols.codec.mqtt.encode import encode
from protocols.codec.mqtt.packets import (
    V3_1,
    V3_1_1,
    V5,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Will,
)
from protocols.codec.mqtt.properties import Properties
from protocols.codec.mqtt.reasons import Reason
from tests.support.mqtt_client import BOTH, REQUEST, TERMS, Client, connected, summary

VERSIONS = [V3_1, V3_1_1, V5]
WILL = Will(topic=REQUEST, payload=b'{"controller":"server","action":"now"}')


class TestLettingIn:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_each_version_is_let_in(self, version: int) -> None:
        client = Client(version)
        connack = client.connect(username="anyone", password=b"anything", keep_alive_s=10)
        assert (connack.reason, connack.session_present) == (0, False)
        assert client.session.is_connected

    @pytest.mark.parametrize("version", BOTH)
    def test_a_new_session_is_not_present(self, version: int) -> None:
        assert not Client(version).connect(clean_start=False).session_present

    def test_connack_announces_what_is_not_here(self) -> None:
        properties = Client().connect().properties
        assert properties == Properties(
            receive_maximum=TERMS.receive_maximum,
            maximum_packet_size=TERMS.max_packet_bytes,
            retain_available=0,
            wildcard_subscription_available=0,
            subscription_identifier_available=0,
            shared_subscription_available=0,
        )

    def test_the_connection_of_requests_carries_the_client_id(self) -> None:
        client = connected(client_id="truck-7")
        client.ask()
        assert client.jobs[0].request.connection.client_id == "truck-7"


class TestClientIds:
    def test_mqtt_5_is_told_the_id_it_was_given(self) -> None:
        client = Client()
        assigned = client.connect(client_id="", clean_start=False).properties
        assert assigned.assigned_client_identifier
        assert client.session.connection.client_id == assigned.assigned_client_identifier

    def test_two_clients_without_an_id_get_different_ones(self) -> None:
        ids = set()
        for _ in range(2):
            client = connected(V3_1_1, client_id="")
            ids.add(client.session.connection.client_id)
        assert len(ids) == 2

    def test_mqtt_3_1_1_needs_a_clean_session_for_an_empty_id(self) -> None:
        client = Client(V3_1_1)
        assert client.connect(client_id="", clean_start=False) == Connack(reason=2)
        assert client.session.is_ended

    @pytest.mark.parametrize("client_id", ["", "x" * 24])
    def test_mqtt_3_1_takes_1_to_23_characters(self, client_id: str) -> None:
        assert Client(V3_1).connect(client_id=client_id) == Connack(reason=2)

    def test_23_characters_are_taken_in_every_version(self) -> None:
        client_id = "0123456789abcdefXYZABCD"
        assert {Client(v).connect(client_id=client_id).reason for v in VERSIONS} == {0}

    def test_1024_bytes_are_the_longest_id(self) -> None:
        assert Client().connect(client_id="é" * 512).reason == 0
        refused = Client().connect(client_id="é" * 512 + "x")
        assert refused.reason == Reason.CLIENT_IDENTIFIER_NOT_VALID


class TestRefusing:
    def test_enhanced_authentication_is_refused(self) -> None:
        client = Client()
        connack = client.connect(properties=Properties(authentication_method="SCRAM-SHA-1"))
        assert connack.reason == Reason.BAD_AUTHENTICATION_METHOD
        assert connack.properties.reason_string == "no enhanced authentication here"
        assert client.session.is_ended

    @pytest.mark.parametrize(("version", "reason"), [(V3_1_1, 3), (V5, Reason.QUOTA_EXCEEDED)])
    def test_one_client_too_many_is_told_so(self, version: int, reason: int) -> None:
        client = Client(version, is_full=True)
        assert client.connect().reason == reason
        assert client.session.is_ended

    @pytest.mark.parametrize("level", [0, 1, 2, 0x83, 0x84])
    def test_an_unknown_level_is_refused(self, level: int) -> None:
        client = Client(V5 if level > V5 else V3_1_1)
        body = b"\x00\x04MQTT" + bytes((level,)) + b"\x02\x00\x00\x00\x01a"
        (connack,) = client.send_bytes(b"\x10" + bytes((len(body),)) + body)
        expected = 1 if level < V5 else Reason.UNSUPPORTED_PROTOCOL_VERSION
        assert isinstance(connack, Connack)
        assert connack.reason == expected
        assert client.session.is_ended

    def test_another_protocol_is_hung_up_on(self) -> None:
        client = Client()
        assert client.send_bytes(b"\x10\x0d\x00\x04MQXX\x05\x02\x00\x00\x00\x01a") == []
        assert client.session.is_ended
        assert client.session.refused == ["malformed_packet"]

    def test_a_reserved_flag_is_malformed(self) -> None:
        connect = encode(Connect(client_id="a"), V5)
        assert connect[9] == 0x02
        client = Client()
        (connack,) = client.send_bytes(connect[:9] + b"\x03" + connect[10:])
        assert isinstance(connack, Connack)
        assert connack.reason == Reason.MALFORMED_PACKET

    def test_mqtt_3_1_1_just_closes_on_a_malformed_connect(self) -> None:
        connect = encode(Connect(client_id="a", version=V3_1_1), V3_1_1)
        client = Client(V3_1_1)
        assert client.send_bytes(connect[:9] + b"\x03" + connect[10:]) == []
        assert client.session.is_ended

    @pytest.mark.parametrize("flags", [0x08, 0x10, 0x20, 0x1E, 0x42])
    def test_flags_that_contradict_each_other_are_malformed(self, flags: int) -> None:
        # Will QoS and retain without a will, will QoS 3, password without user name.
        body = b"\x00\x04MQTT\x04" + bytes((flags,)) + b"\x00\x00\x00\x01a\x00\x01b\x00\x01c"
        client = Client(V3_1_1)
        assert client.send_bytes(b"\x10" + bytes((len(body),)) + body) == []
        assert client.session.refused == ["malformed_packet"]


class TestWills:
    @pytest.mark.parametrize(("version", "reason"), [(V3_1_1, 5), (V5, Reason.NOT_AUTHORIZED)])
    def test_a_will_elsewhere_is_refused(self, version: int, reason: int) -> None:
        will = msgspec.structs.replace(WILL, topic="farewell")
        assert Client(version).connect(will=will).reason == reason

    def test_a_will_to_be_retained_is_refused(self) -> None:
        will = msgspec.structs.replace(WILL, retain=True)
        assert Client().connect(will=will).reason == Reason.RETAIN_NOT_SUPPORTED
        assert Client(V3_1_1).connect(will=will).reason == 0

    @pytest.mark.parametrize("version", BOTH)
    def test_a_lost_connection_gives_the_will_out_once(self, version: int) -> None:
        client = connected(version, will=WILL)
        for _ in range(2):
            client.lose()
            assert client.wills == [WILL]

    @pytest.mark.parametrize("version", BOTH)
    def test_a_proper_disconnect_takes_the_will_back(self, version: int) -> None:
        client = connected(version, will=WILL)
        client.send(Disconnect())
        client.lose()
        assert not client.wills

    def test_a_disconnect_with_will_keeps_it(self) -> None:
        client = connected(will=WILL)
        client.send(Disconnect(reason=Reason.DISCONNECT_WITH_WILL))
        assert client.session.said_goodbye
        client.lose()
        assert client.wills == [WILL]

    def test_there_is_no_will_before_the_client_is_let_in(self) -> None:
        client = Client(is_full=True)
        client.connect(will=WILL)
        client.lose()
        assert not client.wills


class TestOrder:
    @pytest.mark.parametrize("version", BOTH)
    def test_the_first_packet_must_be_connect(self, version: int) -> None:
        client = Client(version)
        assert client.send(Pingreq()) == []
        assert client.session.is_ended

    @pytest.mark.parametrize("chunk", [b"G", b"\x16\x03\x01", b"\x30\x7f"])
    def test_another_first_byte_is_enough(self, chunk: bytes) -> None:
        client = Client()
        assert client.send_bytes(chunk) == []
        assert client.session.is_ended

    def test_a_second_connect_is_a_protocol_error(self) -> None:
        client = connected()
        assert summary(client.send(Connect(client_id="again"))) == ["Disconnect 0x82"]
        assert client.session.is_ended

    def test_a_second_connect_closes_in_mqtt_3_1_1(self) -> None:
        client = connected(V3_1_1)
        assert client.send(Connect(client_id="again", version=V3_1_1)) == []
        assert client.session.is_ended

    def test_packets_may_follow_without_waiting_for_connack(self) -> None:
        client = Client()
        answers = client.send(Connect(client_id="a"), Pingreq())
        assert isinstance(answers[0], Connack)
        assert answers[1] == Pingresp()

    def test_packets_behind_a_refused_connect_are_not_read(self) -> None:
        client = Client(is_full=True)
        assert len(client.send(Connect(client_id="a"), Pingreq())) == 1

    def test_a_reauthentication_is_a_protocol_error(self) -> None:
        client = connected()
        assert summary(client.send(Auth(reason=Reason.RE_AUTHENTICATE))) == ["Disconnect 0x82"]

    def test_a_packet_of_servers_is_a_protocol_error(self) -> None:
        client = connected()
        (disconnect,) = client.send(Pingresp())
        assert isinstance(disconnect, Disconnect)
        assert disconnect.reason == Reason.PROTOCOL_ERROR
        assert disconnect.properties.reason_string == "a client does not send PINGRESP"

    def test_a_disconnect_may_not_bring_a_session_expiry(self) -> None:
        client = connected(will=WILL)
        late = Disconnect(properties=Properties(session_expiry_interval=5))
        assert summary(client.send(late)) == ["Disconnect 0x82"]
        client.lose()
        assert client.wills == [WILL]
