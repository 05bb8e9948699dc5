"""Connections by id: who is told what, and what is forgotten when one is gone."""

from __future__ import annotations

import pytest

from router.connections import Connections, Notification


class Listener:
    """Keeps what it was sent."""

    def __init__(self) -> None:
        self.heard: list[Notification] = []
        self.reason = ""

    def notify(self, notification: Notification) -> None:
        self.heard.append(notification)

    def expel(self, reason: str) -> None:
        self.reason = reason

    def unsent(self) -> int:
        return 7

    def hears(self, channel: str) -> bool:
        return channel == "channel"


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def connections(listener: Listener) -> Connections:
    opened = Connections()
    opened.opened("c1", listener)
    return opened


def test_a_message_reaches_its_connection_and_no_other(
    connections: Connections, listener: Listener
) -> None:
    message = Notification("channel", {"a": 1})
    assert connections.notify("c1", message)
    assert not connections.notify("c2", message)
    assert listener.heard == [message]


def test_a_connection_can_be_expelled(connections: Connections, listener: Listener) -> None:
    connections.expel("c2", "nobody")
    connections.expel("c1", "revoked")
    assert listener.reason == "revoked"


def test_what_is_gone_is_forgotten_and_told_once(connections: Connections) -> None:
    told: list[str] = []
    connections.on_closed(told.append)
    connections.closed("c1")
    connections.closed("c1")
    assert told == ["c1"]
    assert "c1" not in connections
    assert len(connections) == 0
    assert not connections.notify("c1", Notification("channel", {}))


def test_who_lets_clients_in_hears_of_a_token_that_ended(connections: Connections) -> None:
    told: list[str] = []
    connections.on_signed_out(told.append)
    connections.signed_out("c1")
    assert told == ["c1"]


def test_a_message_is_encoded_once_for_each_form() -> None:
    made: list[str] = []

    def encode(message: Notification) -> bytes:
        made.append(message.channel)
        return b"bytes"

    message = Notification("channel", {})
    assert [message.encoded(form, encode) for form in ("a", "b", "a", "b")] == [b"bytes"] * 4
    assert made == ["channel", "channel"]


def test_it_tells_what_a_client_hears_and_has_not_read(connections: Connections) -> None:
    assert (connections.unsent("c1"), connections.unsent("c2")) == (7, 0)
    heard = [connections.hears(*each) for each in (("c1", "channel"), ("c1", "x"), ("c2", "x"))]
    assert heard == [True, False, False]


def test_it_tells_of_clients_that_have_subscribed(connections: Connections) -> None:
    told: list[str] = []
    connections.on_subscribed(told.append)
    connections.subscribed("c1")
    assert told == ["c1"]
