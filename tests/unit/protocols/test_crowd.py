"""How many connections an address has."""

from __future__ import annotations

from protocols.crowd import Crowd

HOME, AWAY = "192.0.2.1", "192.0.2.2"


def test_an_address_has_room_up_to_the_limit() -> None:
    crowd = Crowd(2)
    crowd.enter(HOME)
    assert crowd.has_room(HOME)
    crowd.enter(HOME)
    assert not crowd.has_room(HOME)
    assert crowd.has_room(AWAY)
    assert crowd.excess(HOME) == 0
    crowd.enter(HOME)
    assert crowd.excess(HOME) == 1


def test_who_leaves_makes_room_and_is_forgotten() -> None:
    crowd = Crowd(1)
    crowd.enter(HOME)
    crowd.enter(HOME)
    crowd.leave(HOME)
    assert not crowd.has_room(HOME)
    crowd.leave(HOME)
    assert crowd.has_room(HOME)
    assert len(crowd) == 0


def test_no_limit() -> None:
    crowd = Crowd(0)
    for _ in range(1_000):
        crowd.enter(HOME)
    assert crowd.has_room(HOME)
    assert crowd.excess(HOME) == 0


def test_hosts_of_one_network_share_their_room() -> None:
    crowd = Crowd(1)
    crowd.enter("2001:db8::1")
    assert not crowd.has_room("2001:db8::2")


def test_proxies_have_any_number() -> None:
    crowd = Crowd(1, lambda address: address == HOME)
    for _ in range(10):
        crowd.enter(HOME)
    assert crowd.has_room(HOME)
    assert crowd.excess(HOME) == 0
