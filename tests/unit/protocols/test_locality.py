"""Which requests are local in fact: Host, Origin, the peer, traces of a proxy."""

from __future__ import annotations

import pytest

from protocols.locality import foreign, is_loopback

LOCAL = "127.0.0.1"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:7512",
        "localhost.",
        "router.localhost:80",
        "127.0.0.1",
        "127.0.0.1:7512",
        "127.255.3.9",
        "[::1]",
        "[::1]:7512",
        "[::ffff:127.0.0.1]:1",
    ],
)
def test_loopback_hosts_are_local(host: str) -> None:
    assert foreign({"host": host}, LOCAL) is None
    assert foreign({"host": "localhost", "origin": f"http://{host}"}, LOCAL) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "example.com:7512",
        "127.0.0.1.example.com",
        "localhost.example.com",
        "notlocalhost",
        "localhost@example.com",
        "example.com@localhost",
        "example.com/localhost",
        "localhost, example.com",
        "localhost:7512:80",
        "0.0.0.0",
        "[::]",
        "192.168.1.4",
        "[::ffff:8.8.8.8]",
        "127.1",
        "2130706433",
        "[::1",
        "localhost\u0000",
    ],
)
def test_other_hosts_and_origins_are_foreign(host: str) -> None:
    assert foreign({"host": host}, LOCAL) is not None
    assert foreign({"host": "localhost", "origin": f"http://{host}"}, LOCAL) is not None


@pytest.mark.parametrize("origin", ["null", "", "file://", "https://console.example.org", "about:"])
def test_origins_without_a_loopback_host_are_foreign(origin: str) -> None:
    assert foreign({"host": "localhost", "origin": origin}, LOCAL) is not None


@pytest.mark.parametrize(
    "name", ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-anything"]
)
def test_what_a_proxy_passed_on_is_foreign_even_if_it_says_localhost(name: str) -> None:
    assert foreign({"host": "localhost", name: "127.0.0.1"}, LOCAL) is not None


@pytest.mark.parametrize("peer", ["192.168.1.4", "::2", "", "fe80::1%eth0"])
def test_other_peers_are_foreign(peer: str) -> None:
    assert foreign({"host": "localhost"}, peer) is not None


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_peers_on_this_machine_are_local(peer: str) -> None:
    assert foreign({"host": "localhost"}, peer) is None


def test_http_1_0_has_no_host() -> None:
    assert foreign({}, LOCAL) is None


def test_the_sentence_names_the_cause_and_the_way_out() -> None:
    sentence = foreign({"host": "example.com"}, LOCAL)
    assert sentence is not None
    assert "Host" in sentence
    assert "example.com" in sentence
    assert "administrator" in sentence
    assert "localhost" in sentence


def test_an_empty_name_is_no_loopback() -> None:
    assert not is_loopback("")


def test_a_page_of_another_site_is_foreign_without_an_origin() -> None:
    assert foreign({"host": "localhost", "sec-fetch-site": "cross-site"}, LOCAL) is not None


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none"])
def test_a_page_of_this_machine_is_not(site: str) -> None:
    assert foreign({"host": "localhost", "sec-fetch-site": site}, LOCAL) is None
