"""Who calls over HTTP: the peer of the connection, or whom a proxy names that is believed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple, TypeAlias

from router.settings import HttpSettings

_Networks: TypeAlias = "tuple[IPv4Network | IPv6Network, ...]"

# RFC 7239, 6: an address of version 4, or one of version 6 in brackets, perhaps with a port.
# X-Forwarded-For has version 6 without brackets as well.
_NODE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::\d{1,5})?|([0-9A-Fa-f:.]+)")

_PAIR: Final = re.compile(r'\s*(for|proto)\s*=\s*(?:"([^"]*)"|([^\s;,"]*))\s*', re.IGNORECASE)


class Caller(NamedTuple):
    """A client, as far as its address tells.

    `is_secure` says whether it speaks TLS, with us or with the proxy.
    """

    address: str
    is_secure: bool


class Proxies:
    """The proxies that are believed, and what they say of their clients."""

    def __init__(self, http: HttpSettings) -> None:
        names = filter(None, map(str.strip, http.proxies.split(",")))
        self._networks: _Networks = tuple(map(ip_network, names))
        self._hops = _HEADERS[http.proxy_header]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._networks)

    def believes(self, address: str) -> bool:
        """Whether a peer of that address is such a proxy."""
        return bool(self._networks) and _is_among(address, self._networks)

    def caller(self, peer: Caller, headers: Mapping[str, str]) -> Caller:
        """The client of a request that the peer handed on, or made itself.

        Each proxy adds the address that it was called from at the end. So the list is read from
        there, as long as those who wrote it are believed; the rest, anybody may have made up.

        Args:
            headers: Names in lower case; repeated headers joined by commas.
        """
        found = peer
        if not self.believes(peer.address):
            return found
        for address, is_secure in self._hops(headers):
            if address is None:
                break
            found = Caller(address, peer.is_secure if is_secure is None else is_secure)
            if not self.believes(address):
                break
        return found


_Hops: TypeAlias = "Iterator[tuple[str | None, bool | None]]"


def _forwarded_for(headers: Mapping[str, str]) -> _Hops:
    # The nearest hop first. One scheme stands for them all: proxies overwrite it.
    scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    is_secure = scheme == "https" if scheme else None
    for hop in reversed(headers.get("x-forwarded-for", "").split(",")):
        yield _address(hop.strip()), is_secure


def _forwarded(headers: Mapping[str, str]) -> _Hops:
    # RFC 7239, 4: elements by commas, pairs by semicolons; commas stand in no address.
    for element in reversed(headers.get("forwarded", "").split(",")):
        pairs = {
            found[1].lower(): found[2] or found[3] or ""
            for part in element.split(";")
            if (found := _PAIR.fullmatch(part))
        }
        scheme = pairs.get("proto", "").lower()
        yield _address(pairs.get("for", "")), scheme == "https" if scheme else None


_HEADERS: Final = {"x-forwarded-for": _forwarded_for, "forwarded": _forwarded}


def _address(node: str) -> str | None:
    found = _NODE.fullmatch(node)
    if found is None:
        return None
    try:
        return str(ip_address(found[1] or found[2] or found[3]))
    except ValueError:
        return None


@lru_cache(maxsize=4_096)
def _is_among(address: str, networks: _Networks) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in networks)
