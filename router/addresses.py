"""What counts as one caller's address."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


@lru_cache(maxsize=4_096)
def network_of(address: str) -> str:
    """The address itself; of IPv6 the first 64 bits, since one host has all the others.

    Whatever is no address stands for itself.

    Source: RFC 4291, 2.5.1 (interface identifiers); RFC 6177 (a site gets a /64 at least).
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"
