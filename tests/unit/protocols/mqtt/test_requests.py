"""Requests by PUBLISH: what is dispatched, answered, acknowledged and when. Sections 3.3, 4.3."""

from __future__ import annotations

import json

import msgspec
import pytest

from protocols.codec.mqtt.encode import encode
from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from protocols.codec.mqtt.properties import Properties
from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.session import PACKETS_PER_TURN
from router.errors import RouterError, TooSoonError
from tests.support.mqtt_client import BOTH, RESPONSE, TERMS, Client, connected, summary


def payloads(packets: list[Packet]) -> list[dict[str, object]]:
    """The envelopes of the messages among the packets."""
    return [json.loads(packet.payload) for packet in packets if isinstance(packet, Publish)]


class TestDispatch:
    @pytest.mark.parametrize("version", BOTH)
    def test_a_payload_becomes_a_request(self, version: int) -> None:
        client = connected(version)
        client.ask({"controller": "document", "action": "get", "index": "i", "requestId": "r"})
        request = client.jobs[0].request
        assert (request.controller, request.action, request.index) == ("document", "get", "i")
        assert (request.request_id, request.connection.wire) == ("r", "mqtt")

    def test_requests_come_out_in_the_order_they_came(self) -> None:
        client = connected(V3_1_1)
        for number in range(5):
            client.ask({"controller": "c", "action": "a", "requestId": str(number)})
        assert [job.request.request_id for job in client.jobs] == list("01234")

    @pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b"\xff", b'{"jwt":1}'])
    @pytest.mark.parametrize("version", BOTH)
    def test_a_payload_that_is_no_request_is_answered(self, version: int, payload: bytes) -> None:
        client = connected(version)
        packets = client.ask(payload, qos=1, packet_id=3)
        assert summary(packets)[-1] == "Puback 3 0x00"
        (envelope,) = payloads(packets)
        assert envelope["status"] == 400
        assert envelope["error"]["id"] == "network.mqtt.unexpected_error"  # type: ignore[index]
        assert not client.jobs
        assert not client.session.is_ended

    def test_a_bad_payload_keeps_the_request_id_it_told(self) -> None:
        (envelope,) = payloads(connected().ask({"requestId": "mine", "controller": 7}))
        assert envelope["requestId"] == "mine"

    @pytest.mark.parametrize("depth", [100, 2_000])
    def test_so_does_one_that_is_nested_too_deep(self, depth: int) -> None:
        deep = b"[" * depth + b"]" * depth
        client = connected(terms=msgspec.structs.replace(TERMS, max_packet_bytes=10_000))
        (envelope,) = payloads(client.ask(b'{"requestId":"mine","body":%b}' % deep))
        assert (envelope["requestId"], envelope["status"]) == ("mine", 400)


class TestAnswers:
    def test_the_answer_is_pushed_unasked(self) -> None:
        client = connected(V3_1_1)
        client.ask({"controller": "c", "action": "a", "requestId": "r"}, qos=2, packet_id=1)
        (answer, _) = client.answer(result={"n": 1})
        assert summary([answer]) == [f"Publish {RESPONSE} QoS 0"]
        (envelope,) = payloads([answer])
        assert (envelope["requestId"], envelope["result"]) == ("r", {"n": 1})
        assert "room" not in envelope

    @pytest.mark.parametrize(("asked", "answered"), [(0, 0), (1, 1), (2, 1)])
    def test_mqtt_5_is_answered_with_the_requests_qos_up_to_1(
        self, asked: int, answered: int
    ) -> None:
        client = connected()
        client.ask(qos=asked, packet_id=1 if asked else 0)
        assert summary(client.answer())[0] == f"Publish {RESPONSE} QoS {answered}"

    def test_a_response_topic_gets_the_answer_alone(self) -> None:
        client = connected()
        client.ask(properties=Properties(response_topic="my/answers", correlation_data=b"\0\xff"))
        (answer,) = client.answer()
        assert isinstance(answer, Publish)
        assert answer.topic == "my/answers"
        assert answer.properties == Properties(correlation_data=b"\0\xff")

    def test_correlation_data_goes_back_on_the_usual_topic_too(self) -> None:
        client = connected()
        client.ask(properties=Properties(correlation_data=b"7"))
        (answer,) = client.answer()
        assert isinstance(answer, Publish)
        assert (answer.topic, answer.properties.correlation_data) == (RESPONSE, b"7")

    @pytest.mark.parametrize("topic", ["a/+", "#", ""])
    def test_a_response_topic_with_wildcards_is_a_protocol_error(self, topic: str) -> None:
        client = connected()
        assert summary(client.ask(properties=Properties(response_topic=topic))) == [
            "Disconnect 0x82"
        ]

    def test_bad_payloads_are_answered_on_the_response_topic(self) -> None:
        client = connected()
        (answer,) = client.ask(b"{", properties=Properties(response_topic="mine"))
        assert summary([answer]) == ["Publish mine QoS 0"]

    def test_answers_come_in_the_order_they_are_made(self) -> None:
        client = connected()
        for name in "ab":
            client.ask({"controller": "c", "action": "a", "requestId": name})
        first, second = client.jobs
        assert [e["requestId"] for e in payloads(client.answer(second))] == ["b"]
        assert [e["requestId"] for e in payloads(client.answer(first))] == ["a"]

    @pytest.mark.parametrize("version", BOTH)
    def test_nothing_is_sent_once_the_client_has_left(self, version: int) -> None:
        client = connected(version)
        client.ask(qos=1, packet_id=1)
        client.send(Disconnect())
        assert client.answer() == []


class TestAcknowledgements:
    @pytest.mark.parametrize("version", BOTH)
    def test_puback_waits_for_the_answer(self, version: int) -> None:
        client = connected(version)
        assert client.ask(qos=1, packet_id=9) == []
        assert summary(client.answer())[1] == "Puback 9 0x00"

    @pytest.mark.parametrize("version", BOTH)
    def test_acknowledgements_leave_in_packet_order(self, version: int) -> None:
        client = connected(version)
        client.ask(qos=1, packet_id=1)
        client.ask(qos=2, packet_id=2)
        client.ask(qos=1, packet_id=3)
        first, second, third = client.jobs
        assert len(client.answer(third)) == 1
        assert len(client.answer(second)) == 1
        assert summary(client.answer(first))[1:] == [
            "Puback 1 0x00",
            "Pubrec 2 0x00",
            "Puback 3 0x00",
        ]

    @pytest.mark.parametrize("version", BOTH)
    def test_qos_2_runs_once_however_often_it_comes(self, version: int) -> None:
        client = connected(version)
        client.ask(qos=2, packet_id=5)
        assert client.ask(qos=2, packet_id=5, dup=True) == []
        assert len(client.jobs) == 1
        assert summary(client.answer())[1:] == ["Pubrec 5 0x00"]
        assert client.ask(qos=2, packet_id=5, dup=True) == [Pubrec(packet_id=5)]
        assert client.send(Pubrel(packet_id=5)) == [Pubcomp(packet_id=5)]
        assert not client.jobs
        client.ask(qos=2, packet_id=5)
        assert len(client.jobs) == 1

    @pytest.mark.parametrize("version", BOTH)
    def test_qos_1_repeated_before_its_puback_runs_once(self, version: int) -> None:
        client = connected(version)
        client.ask(qos=1, packet_id=5)
        client.ask(qos=1, packet_id=5, dup=True)
        assert len(client.jobs) == 1
        assert summary(client.answer())[1:] == ["Puback 5 0x00"]

    @pytest.mark.parametrize("version", BOTH)
    def test_qos_1_after_its_puback_is_a_new_message(self, version: int) -> None:
        client = connected(version)
        client.ask(qos=1, packet_id=5)
        client.answer()
        client.ask(qos=1, packet_id=5, dup=True)
        assert len(client.jobs) == 1

    @pytest.mark.parametrize("qos", [1, 2])
    def test_a_packet_id_in_use_is_a_protocol_error(self, qos: int) -> None:
        client = connected()
        client.ask(qos=3 - qos, packet_id=5)
        assert summary(client.ask(qos=qos, packet_id=5)) == ["Disconnect 0x82"]

    def test_a_received_packet_id_is_not_free_for_qos_1(self) -> None:
        client = connected()
        client.ask(qos=2, packet_id=5)
        client.answer()
        assert summary(client.ask(qos=1, packet_id=5)) == ["Disconnect 0x82"]

    @pytest.mark.parametrize(("version", "reason"), [(V3_1_1, "0x00"), (V5, "0x92")])
    def test_pubrel_for_an_unknown_id_is_completed(self, version: int, reason: str) -> None:
        client = connected(version)
        assert summary(client.send(Pubrel(packet_id=77))) == [f"Pubcomp 77 {reason}"]

    def test_pubrel_before_pubrec_is_a_protocol_error(self) -> None:
        client = connected()
        client.ask(qos=2, packet_id=5)
        assert summary(client.send(Pubrel(packet_id=5))) == ["Disconnect 0x82"]


class TestTooManyRequests:
    """Sections 3.4.2.1 and 3.5.2.1: 0x97, an imposed limit has been exceeded."""

    ERROR = TooSoonError("api.process.too_many_requests", retry_after_s=3)

    def test_mqtt_5_is_told_by_the_acknowledgement_too(self) -> None:
        client = connected()
        client.ask(qos=1, packet_id=1)
        answer, puback = client.refuse(self.ERROR)
        (envelope,) = payloads([answer])
        assert (envelope["status"], envelope["headers"]) == (429, {"Retry-After": "3"})
        assert isinstance(puback, Puback)
        assert puback.reason == Reason.QUOTA_EXCEEDED
        assert puback.properties.reason_string == str(self.ERROR)
        assert puback.properties.user_properties == (("retry-after", "3"),)

    def test_a_pubrec_that_refuses_ends_the_exchange(self) -> None:
        client = connected()
        client.ask(qos=2, packet_id=2)
        assert summary(client.refuse(self.ERROR))[1:] == ["Pubrec 2 0x97"]
        # Section 4.3.3: the identifier is free, what comes under it is another message.
        assert summary(client.send(Pubrel(packet_id=2))) == ["Pubcomp 2 0x92"]
        client.ask(qos=2, packet_id=2)
        assert summary(client.answer())[1:] == ["Pubrec 2 0x00"]

    def test_mqtt_3_1_1_is_told_by_the_answer_alone(self) -> None:
        client = connected(V3_1_1)
        client.ask(qos=2, packet_id=2)
        assert summary(client.refuse(self.ERROR))[1:] == ["Pubrec 2 0x00"]

    def test_only_for_who_wants_to_know_of_problems(self) -> None:
        client = connected(properties=Properties(request_problem_information=0))
        client.ask(qos=1, packet_id=1)
        assert client.refuse(self.ERROR)[1:] == [Puback(packet_id=1, reason=Reason.QUOTA_EXCEEDED)]

    @pytest.mark.parametrize(
        ("id", "reason"), [("api.process.overloaded", 0x97), ("api.assert.body_required", 0)]
    )
    def test_other_errors(self, id: str, reason: int) -> None:
        client = connected()
        client.ask(qos=1, packet_id=1)
        assert summary(client.refuse(RouterError(id)))[1:] == [f"Puback 1 0x{reason:02X}"]


class TestFlowControl:
    def test_more_than_the_receive_maximum_is_a_disconnect(self) -> None:
        client = connected()
        for packet_id in range(1, TERMS.receive_maximum + 1):
            assert client.ask(qos=1, packet_id=packet_id) == []
        assert summary(client.ask(qos=1, packet_id=99)) == ["Disconnect 0x93"]

    def test_qos_2_counts_until_its_pubcomp(self) -> None:
        client = connected()
        for packet_id in range(1, TERMS.receive_maximum + 1):
            client.ask(qos=2, packet_id=packet_id)
            client.answer()
        client.send(Pubrel(packet_id=1))
        assert client.ask(qos=2, packet_id=98) == []
        assert summary(client.ask(qos=2, packet_id=99)) == ["Disconnect 0x93"]

    def test_mqtt_3_1_1_is_paused_instead(self) -> None:
        client = connected(V3_1_1)
        limit = TERMS.requests_per_connection
        for packet_id in range(1, limit + 4):
            client.ask(qos=1, packet_id=packet_id)
        assert client.session.is_paused
        assert len(client.jobs) == limit
        client.answer()
        assert len(client.jobs) == limit
        for _ in range(limit + 2):
            client.answer()
        assert not client.session.is_paused
        assert not client.jobs

    def test_a_paused_client_is_not_overdue(self) -> None:
        client = connected(V3_1_1, keep_alive_s=1)
        for _ in range(TERMS.requests_per_connection):
            client.ask()
        assert client.wait(100) == []
        assert not client.session.is_ended
        client.answer()
        assert client.wait(1.0) == []
        assert not client.session.is_ended

    def test_answers_wait_for_the_clients_receive_maximum(self) -> None:
        client = connected(properties=Properties(receive_maximum=1))
        for packet_id in (1, 2, 3):
            client.ask(qos=1, packet_id=packet_id)
        first = client.answer()[0]
        assert isinstance(first, Publish)
        assert summary(client.answer()) == ["Puback 2 0x00"]
        client.answer()
        assert client.session.held_bytes > 0
        (second,) = client.send(Puback(packet_id=first.packet_id))
        assert isinstance(second, Publish)
        assert second.packet_id != first.packet_id
        client.send(Puback(packet_id=second.packet_id))
        assert client.session.held_bytes == 0

    def test_other_packets_do_not_wait_for_the_receive_maximum(self) -> None:
        client = connected(properties=Properties(receive_maximum=1))
        for packet_id in (1, 2):
            client.ask(qos=1, packet_id=packet_id)
            client.answer()
        assert client.session.held_bytes > 0
        assert client.send(Pingreq()) == [Pingresp()]
        client.ask()
        assert summary(client.answer()) == [f"Publish {RESPONSE} QoS 0"]

    def test_a_puback_for_nothing_changes_nothing(self) -> None:
        client = connected()
        assert client.send(Puback(packet_id=7), Pubcomp(packet_id=7)) == []
        assert not client.session.is_ended

    def test_a_pubrec_for_nothing_is_released_as_unknown(self) -> None:
        client = connected()
        assert summary(client.send(Pubrec(packet_id=7))) == ["Pubrel 7 0x92"]
        assert client.send(Pubrec(packet_id=7, reason=Reason.UNSPECIFIED_ERROR)) == []


class TestSizes:
    def test_a_packet_too_large_is_a_disconnect(self) -> None:
        client = connected()
        assert summary(client.ask(b"x" * TERMS.max_packet_bytes)) == ["Disconnect 0x95"]

    def test_it_is_noticed_before_the_packet_is_there(self) -> None:
        client = connected()
        assert summary(client.send_bytes(b"\x30\xff\xff\xff\x7f")) == ["Disconnect 0x95"]

    def test_mqtt_3_1_1_just_closes(self) -> None:
        client = connected(V3_1_1)
        assert client.ask(b"x" * TERMS.max_packet_bytes) == []
        assert client.session.refused == ["packet_too_large"]

    def test_an_answer_larger_than_the_client_takes_is_left_out(self) -> None:
        client = connected(properties=Properties(maximum_packet_size=200))
        client.ask(qos=1, packet_id=1)
        assert summary(client.answer(result="x" * 200)) == ["Puback 1 0x00"]
        assert client.session.refused == ["answer_too_large"]

    def test_a_reason_string_is_left_out_where_it_does_not_fit(self) -> None:
        client = connected(properties=Properties(maximum_packet_size=40))
        assert client.ask(topic="elsewhere", qos=1, packet_id=1) == [
            Puback(packet_id=1, reason=Reason.NOT_AUTHORIZED)
        ]

    def test_a_refusal_fits_the_client(self) -> None:
        # A CONNACK of 5 bytes, a DISCONNECT of 3, a SUBACK of 6: without their reason strings.
        small = Properties(maximum_packet_size=6)
        refused = Client().connect(will=Will(topic="x", payload=b""), properties=small)
        assert refused == Connack(reason=Reason.NOT_AUTHORIZED)
        client = Client()
        client.send(Connect(client_id="a", properties=small))
        wildcard = Subscription(topic_filter="#")
        assert client.send(Subscribe(packet_id=1, subscriptions=(wildcard,))) == [
            Suback(packet_id=1, reasons=(0xA2,))
        ]
        assert client.send(Connect(client_id="a")) == [Disconnect(reason=Reason.PROTOCOL_ERROR)]


class TestElsewhere:
    def test_mqtt_5_is_told_by_the_acknowledgement(self) -> None:
        client = connected()
        assert client.ask(topic="elsewhere") == []
        (puback,) = client.ask(topic="elsewhere", qos=1, packet_id=1)
        assert isinstance(puback, Puback)
        assert puback.reason == Reason.NOT_AUTHORIZED
        assert puback.properties.reason_string == "requests are published on Kuzzle/request"
        assert summary(client.ask(topic=RESPONSE, qos=2, packet_id=2)) == ["Pubrec 2 0x87"]
        assert client.session.refused == ["topic"] * 3
        assert not client.session.is_ended

    def test_a_refused_qos_2_id_is_free_again(self) -> None:
        client = connected()
        client.ask(topic="elsewhere", qos=2, packet_id=2)
        client.ask(qos=1, packet_id=2)
        assert len(client.jobs) == 1

    def test_mqtt_3_1_1_is_acknowledged_all_the_same(self) -> None:
        client = connected(V3_1_1)
        assert summary(client.ask(topic="elsewhere", qos=1, packet_id=1)) == ["Puback 1 0x00"]
        assert summary(client.ask(topic="elsewhere", qos=2, packet_id=2)) == ["Pubrec 2 0x00"]
        assert summary(client.send(Pubrel(packet_id=2))) == ["Pubcomp 2 0x00"]
        assert not client.jobs
        assert not client.session.is_ended

    def test_a_refusal_waits_its_turn(self) -> None:
        client = connected()
        client.ask(qos=1, packet_id=1)
        assert client.ask(topic="elsewhere", qos=1, packet_id=2) == []
        assert summary(client.answer())[1:] == ["Puback 1 0x00", "Puback 2 0x87"]

    def test_reason_strings_only_for_who_wants_them(self) -> None:
        client = connected(properties=Properties(request_problem_information=0))
        assert client.ask(topic="elsewhere", qos=1, packet_id=1) == [
            Puback(packet_id=1, reason=Reason.NOT_AUTHORIZED)
        ]
        (disconnect,) = client.ask(retain=True)
        assert isinstance(disconnect, Disconnect)
        assert disconnect.properties.reason_string


class TestWhatIsNotHere:
    def test_a_message_to_be_retained_is_a_disconnect(self) -> None:
        assert summary(connected().ask(retain=True)) == ["Disconnect 0x9A"]

    def test_mqtt_3_1_1_requests_may_say_retain(self) -> None:
        client = connected(V3_1_1)
        client.ask(retain=True)
        assert len(client.jobs) == 1

    def test_topic_aliases_are_a_disconnect(self) -> None:
        assert summary(connected().ask(properties=Properties(topic_alias=1))) == ["Disconnect 0x94"]
        assert summary(connected().ask(topic="", properties=Properties(topic_alias=1))) == [
            "Disconnect 0x94"
        ]

    def test_a_publish_without_topic_and_alias_is_a_protocol_error(self) -> None:
        assert summary(connected().ask(topic="")) == ["Disconnect 0x82"]

    def test_a_subscription_identifier_in_a_publish_is_a_protocol_error(self) -> None:
        found = connected().ask(properties=Properties(subscription_identifiers=(1,)))
        assert summary(found) == ["Disconnect 0x82"]


class TestTurns:
    def test_a_flood_is_read_in_turns(self) -> None:
        client = connected(V3_1_1)
        flood = encode(Pingreq(), V3_1_1) * (3 * PACKETS_PER_TURN)
        client.session.receive(flood, client.now)
        turns = [len(client.received())]
        for _ in range(3):
            assert client.session.is_behind
            client.session.go_on(client.now)
            turns.append(len(client.received()))
        assert not client.session.is_behind
        assert turns == [PACKETS_PER_TURN] * 3 + [0]

    def test_what_comes_in_between_stays_in_order(self) -> None:
        client = connected(V3_1_1)
        client.session.receive(encode(Pingreq(), V3_1_1) * PACKETS_PER_TURN + b"\x30", client.now)
        assert client.session.is_behind
        found = client.send_bytes(b"\x00" + b"\xc0\0")
        assert found == [Pingresp()] * PACKETS_PER_TURN
        assert client.session.refused == ["malformed_packet"]


class TestPausing:
    def test_a_stopping_router_lets_nothing_in_and_answers_on(self) -> None:
        client = connected()
        client.ask()
        client.session.pause()
        client.ask()
        assert len(client.jobs) == 1
        assert summary(client.answer()) == [f"Publish {RESPONSE} QoS 0"]
        assert not client.jobs

    def test_terms_may_name_other_topics(self) -> None:
        terms = msgspec.structs.replace(TERMS, request_topic="in", response_topic="out")
        client = Client(V3_1_1, terms=terms)
        client.connect()
        client.ask(topic="in")
        assert summary(client.answer()) == ["Publish out QoS 0"]
