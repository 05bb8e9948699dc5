"""Tables of the settings: what listens, and what it lets in."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from router.section import Section


class ServerSettings(Section):
    """Where the router listens."""

    host: str = Field("127.0.0.1", description="Address of every listener.")
    port: int = Field(7512, ge=0, le=65535, description="HTTP and WebSocket; Kuzzle's port.")
    stop_timeout_s: float = Field(
        10.0, gt=0, description="Seconds that requests at work get to finish when stopping."
    )


class TlsSettings(Section):
    """TLS: HTTP, WebSocket and MQTT speak it once there is a certificate."""

    certificate: str = Field(
        "", description="PEM file of the certificate, and those between it and its CA."
    )
    key: str = Field("", description="PEM file of its key; empty if the certificate's holds it.")
    key_password: str = Field("", repr=False, description="Of the key, if that is encrypted.")
    min_version: Literal["1.2", "1.3"] = Field("1.2", description="Oldest version spoken.")
    client_certificates: Literal["off", "optional", "required"] = Field(
        "off", description="Whether clients show certificates; a bad one ends the connection."
    )
    client_ca: str = Field("", description="PEM file of the CAs that client certificates are of.")
    client_user: Literal["common_name", "dns", "email", "uri"] = Field(
        "common_name",
        description="Which name of a client's certificate is its user's id: that of its subject, "
        "or its alternative name of a kind. It must have just one.",
    )
    client_user_prefix: str = Field("", description="What the user's id has before that name.")
    handshake_timeout_s: float = Field(10.0, gt=0, description="Seconds a handshake may take.")
    handshakes: int = Field(
        500, ge=1, description="Handshakes of a port that go on at a time; one more is hung up on."
    )
    handshakes_per_address: int = Field(100, ge=1, description="The same, from one address.")
    reload_s: float = Field(
        10.0,
        ge=0.1,
        description="Seconds between two looks whether the files have changed; SIGHUP looks at "
        "once.",
    )
    hsts_s: int = Field(
        31_536_000,
        ge=0,
        description="Seconds that browsers shall insist on TLS for this host; 0 doesn't ask them.",
    )

    @property
    def is_on(self) -> bool:
        """Whether there is a certificate."""
        return bool(self.certificate)


class FrameSettings(Section):
    """What one request may hold, on every wire."""

    max_bytes: int = Field(1_048_576, ge=1024, description="Bytes; Kuzzle's maxRequestSize.")
    max_depth: int = Field(64, ge=4, description="Levels of JSON nesting.")
    max_keys: int = Field(10_000, ge=16, description="Keys in all objects of a request together.")


class LimitSettings(Section):
    """How much work is let in."""

    requests_at_work: int = Field(2_000, ge=1, description="Requests that run at a time.")
    requests_waiting: int = Field(
        50_000, ge=0, description="Requests that wait for a place; one more is refused with 503."
    )
    connections: int = Field(20_000, ge=1, description="Open connections of one listener.")
    connections_per_address: int = Field(
        5_000, ge=0, description="Open connections of one address, on all ports; 0 is any number."
    )
    requests_per_connection: int = Field(
        1_000, ge=1, description="Unanswered requests of one connection; then it isn't read from."
    )


def _networks(value: str) -> str:
    for name in filter(None, map(str.strip, value.split(","))):
        ip_network(name)
    return value


class HttpSettings(Section):
    """The HTTP wire."""

    proxies: Annotated[str, AfterValidator(_networks)] = Field(
        "",
        description="Addresses and networks of proxies, comma separated (10.0.0.0/8, ::1), that "
        "are believed what they say of their clients; their clients' limits are not theirs.",
    )
    proxy_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for",
        description="The header in which they say it; the other one is not looked at.",
    )
    allow_origin: str = Field("*", description="Origins that may call, comma separated; * is any.")
    max_encodings: int = Field(3, ge=1, description="Layers of Content-Encoding.")
    rate_limit: int = Field(
        0, ge=0, description="Requests a second from one address; 0 is any number."
    )
    header_timeout_s: float = Field(10.0, gt=0, description="Seconds to send a request's head.")
    body_timeout_s: float = Field(30.0, gt=0, description="Seconds to send a request's body.")
    keepalive_timeout_s: float = Field(75.0, gt=0, description="Seconds between two requests.")
    write_timeout_s: float = Field(
        30.0, gt=0, description="Seconds a client may leave an answer unread before it is cut off."
    )
    max_line_bytes: int = Field(
        16_384, ge=1024, description="Bytes of the request line, and of each header."
    )
    max_headers: int = Field(128, ge=16, description="Headers of one request.")


class WebSocketSettings(Section):
    """The WebSocket wire."""

    idle_timeout_s: float = Field(60.0, gt=0, description="Seconds without a frame; Kuzzle's 60.")
    rate_limit: int = Field(
        0, ge=0, description="Messages a second of one connection; 0 is any number, as in Kuzzle."
    )
    max_unsent_bytes: int = Field(
        1_048_576, ge=4096, description="Bytes that wait for a slow reader before it is cut off."
    )


"""A topic name: MQTT 5, 4.7.1 and 4.7.3; much shorter than it could be."""
