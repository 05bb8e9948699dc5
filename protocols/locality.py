"""Whether a request comes from this machine itself, and not through a browser or proxy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

_REMEDY: Final = (
    "while the router has no administrator it answers only requests of its own machine; "
    "create one with `trivium admin create NAME`, or call it from this machine as localhost"
)


# RFC 3986, 3.2: a host, or an address in brackets, and a port. No user, no escapes.
_AUTHORITY: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::\d{0,5})?")


def foreign(headers: Mapping[str, str], peer_address: str) -> str | None:
    """Why a request isn't local in fact, as a sentence for the client; None if it is.

    Anonymous callers may do everything while no administrator exists. A web page in a
    browser of this machine (Origin; Host by DNS rebinding) or a proxy in front (Forwarded)
    would lend that to strangers.

    Args:
        headers: Names in lower case; repeated headers joined by commas. A request without
            Host is let through here: HTTP/1.0 has none, HTTP/1.1 without is malformed.
        peer_address: Of the connection, without port.
    """
    if not is_loopback(peer_address):
        return _sentence(f'the caller\'s address "{peer_address}" is not this machine')
    if not is_local(headers):
        return _sentence(f'the header Host names "{headers["host"]}"')
    origin = headers.get("origin")
    if origin is not None and not is_loopback(_host_of(origin.partition("://")[2])):
        return _sentence(f'the header Origin names "{origin}"')
    # Browsers send no Origin with the GET of an image or a link; this they do send (Fetch
    # Metadata, 2.4). A page of another port of this machine is "same-site".
    if headers.get("sec-fetch-site") == "cross-site":
        return _sentence("a page of another site asked for it (Sec-Fetch-Site)")
    for name in headers:
        if name == "forwarded" or name.startswith("x-forwarded-"):
            return _sentence(f"the header {name} says that the request was passed on")
    return None


def is_local(headers: Mapping[str, str]) -> bool:
    """Whether a request names this machine as its host; one without Host does."""
    host = headers.get("host")
    return host is None or is_loopback(_host_of(host))


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port and brackets, can only be this machine.

    `localhost` and names under it are reserved for that (RFC 6761, 6.3).
    """
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


@lru_cache(maxsize=256)
def _host_of(authority: str) -> str:
    found = _AUTHORITY.fullmatch(authority)
    return "" if found is None else found[1] or found[2]


def _sentence(reason: str) -> str:
    return f"Refused: {reason}, and {_REMEDY}."
