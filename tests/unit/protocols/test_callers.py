"""Who a request comes from, when a proxy says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from protocols.callers import Caller, Proxies
from router.settings import HttpSettings

PROXY, CLIENT, OTHER = "10.0.0.1", "192.0.2.7", "198.51.100.66"
HOPS = st.sampled_from([PROXY, "10.9.9.9", CLIENT, OTHER, "unknown", "", "10.0.0.1:80", "[::1]"])


def called(
    headers: dict[str, str], *, peer: str = PROXY, secure: bool = False, **http: str
) -> Caller:
    proxies = Proxies(HttpSettings.model_validate({"proxies": "10.0.0.0/8, ::1", **http}))
    return proxies.caller(Caller(peer, secure), headers)


class TestForwardedFor:
    @pytest.mark.parametrize(
        ("value", "address"),
        [
            (CLIENT, CLIENT),
            (f"{OTHER}, {CLIENT}", CLIENT),
            (f"{CLIENT}, 10.0.0.2", CLIENT),
            (f"{OTHER},{CLIENT},10.0.0.2 , ::1", CLIENT),
            (f"{CLIENT}:4711", CLIENT),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("10.0.0.2", "10.0.0.2"),
        ],
    )
    def test_the_last_that_is_no_proxy_is_the_client(self, value: str, address: str) -> None:
        assert called({"x-forwarded-for": value}).address == address

    @pytest.mark.parametrize(
        "value", ["", "unknown", f"{CLIENT}, nonsense", "999.1.1.1", f"{CLIENT}, ", "1.2.3.4.5"]
    )
    def test_what_is_no_address_names_nobody(self, value: str) -> None:
        assert called({"x-forwarded-for": value}).address == PROXY

    def test_a_peer_that_is_no_proxy_is_not_believed(self) -> None:
        headers = {"x-forwarded-for": CLIENT, "x-forwarded-proto": "https"}
        assert called(headers, peer=OTHER) == Caller(OTHER, False)

    def test_without_proxies_nobody_is(self) -> None:
        headers = {"x-forwarded-for": CLIENT, "forwarded": f"for={CLIENT}"}
        assert called(headers, proxies="") == Caller(PROXY, False)

    def test_the_other_header_is_not_looked_at(self) -> None:
        assert called({"forwarded": f"for={CLIENT}"}).address == PROXY

    @pytest.mark.parametrize(
        ("scheme", "is_secure"),
        [("https", True), ("HTTPS", True), ("http", False), ("http, https", True), ("", False)],
    )
    def test_the_scheme(self, scheme: str, is_secure: bool) -> None:
        headers = {"x-forwarded-for": CLIENT, "x-forwarded-proto": scheme}
        assert called(headers).is_secure is is_secure

    def test_without_a_scheme_it_is_that_of_the_connection(self) -> None:
        assert called({"x-forwarded-for": CLIENT}, secure=True).is_secure

    def test_a_mapped_address_is_that_of_version_four(self) -> None:
        assert called({"x-forwarded-for": CLIENT}, peer="::ffff:10.0.0.1").address == CLIENT


class TestForwarded:
    @pytest.mark.parametrize(
        ("value", "address"),
        [
            (f"for={CLIENT}", CLIENT),
            (f'For="{CLIENT}:4711";proto=http', CLIENT),
            ('for="[2001:db8::1]:4711"', "2001:db8::1"),
            (f"for={OTHER}, for={CLIENT}", CLIENT),
            (f"for={CLIENT};by=10.0.0.2, for=10.0.0.2", CLIENT),
            ("for=_hidden", PROXY),
            ("for=unknown", PROXY),
            (f"by={CLIENT}", PROXY),
            ("", PROXY),
        ],
    )
    def test_the_client(self, value: str, address: str) -> None:
        assert called({"forwarded": value}, proxy_header="forwarded").address == address

    def test_the_scheme(self) -> None:
        found = called({"forwarded": f"for={CLIENT};proto=https"}, proxy_header="forwarded")
        assert found == Caller(CLIENT, True)

    def test_the_other_header_is_not_looked_at(self) -> None:
        found = called({"x-forwarded-for": CLIENT}, proxy_header="forwarded")
        assert found.address == PROXY


@given(st.lists(HOPS, max_size=6))
def test_what_a_client_writes_in_front_changes_nothing(hops: list[str]) -> None:
    forged = ", ".join([*hops, CLIENT, "10.0.0.2"])
    assert called({"x-forwarded-for": forged}).address == CLIENT


@given(st.text(max_size=60), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_any_text_names_somebody(value: str, header: str) -> None:
    assert called({header: value}, proxy_header=header).address


@pytest.mark.parametrize("value", ["10.0.0.0/99", "proxy.example", "10.0.0.1/8", "*"])
def test_the_setting_takes_networks_only(value: str) -> None:
    with pytest.raises(ValidationError):
        HttpSettings(proxies=value)
