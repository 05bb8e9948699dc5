"""Keep alive and the other deadlines of a session; section 3.1.2.10."""

from __future__ import annotations

import math

import pytest

from protocols.codec.mqtt.packets import V3_1_1, V5, Disconnect, Pingreq, Pingresp
from protocols.codec.mqtt.reasons import Reason
from tests.support.mqtt_client import BOTH, TERMS, Client, connected, summary


def test_a_client_that_never_connects_is_hung_up_on() -> None:
    client = Client()
    assert client.session.deadline == client.now + TERMS.connect_timeout_s
    client.wait(TERMS.connect_timeout_s - 0.1)
    assert not client.session.is_ended
    client.wait(0.1)
    assert client.session.is_ended
    assert client.session.refused == ["connect_timeout"]


def test_a_connect_in_drops_does_not_stretch_the_time() -> None:
    client = Client()
    for byte in b"\x10\x20\x00\x04":
        client.send_bytes(bytes((byte,)))
        client.wait(2.5)
    assert client.session.is_ended


def test_silence_of_one_and_a_half_keep_alives_ends_it() -> None:
    client = connected(keep_alive_s=10)
    assert client.wait(14.9) == []
    assert summary(client.wait(0.1)) == ["Disconnect 0x8D"]
    assert client.session.is_ended


def test_mqtt_3_1_1_is_closed_without_a_word() -> None:
    client = connected(V3_1_1, keep_alive_s=10)
    assert client.wait(15) == []
    assert client.session.is_ended


@pytest.mark.parametrize("version", BOTH)
def test_a_ping_is_answered_and_counts_as_life(version: int) -> None:
    client = connected(version, keep_alive_s=10)
    for _ in range(5):
        client.wait(14)
        assert client.send(Pingreq()) == [Pingresp()]


def test_bytes_that_are_no_packet_do_not_count() -> None:
    client = connected(V3_1_1, keep_alive_s=10)
    for byte in b"\x30\x7f\x00\x01":
        client.send_bytes(bytes((byte,)))
        client.wait(4)
    assert client.session.is_ended


@pytest.mark.parametrize("version", BOTH)
def test_without_keep_alive_silence_is_fine(version: int) -> None:
    client = connected(version)
    assert client.session.deadline == math.inf
    client.wait(1_000_000)
    assert not client.session.is_ended


@pytest.mark.parametrize(("version", "goodbye"), [(V3_1_1, []), (V5, ["Disconnect 0x83"])])
def test_a_packet_must_end_once_it_has_begun(version: int, goodbye: list[str]) -> None:
    client = connected(version)
    client.send_bytes(b"\x30\x7f")
    assert client.session.deadline == client.now + TERMS.packet_timeout_s
    client.wait(TERMS.packet_timeout_s / 2)
    client.send_bytes(b"\x00")
    assert summary(client.wait(TERMS.packet_timeout_s / 2)) == goodbye
    assert client.session.is_ended


def test_each_packet_has_its_own_time() -> None:
    client = connected()
    for _ in range(5):
        client.send_bytes(b"\x00\xc0" if client.now > 1_000 else b"\xc0")
        client.wait(TERMS.packet_timeout_s - 1)
    assert not client.session.is_ended


def test_ending_from_this_side_says_why_once() -> None:
    client = connected()
    client.session.end(Reason.SERVER_SHUTTING_DOWN, "the router is stopping")
    client.session.end(Reason.SESSION_TAKEN_OVER, "too late")
    (goodbye,) = client.received()
    assert isinstance(goodbye, Disconnect)
    assert goodbye.reason == Reason.SERVER_SHUTTING_DOWN
    assert goodbye.properties.reason_string == "the router is stopping"
    assert client.session.deadline == math.inf
    assert client.session.refused == []


def test_ending_before_the_connect_is_silent() -> None:
    client = Client()
    client.session.end(Reason.SERVER_SHUTTING_DOWN, "the router is stopping")
    assert client.received() == []
    assert client.session.is_ended
