"""The tables of the settings: every key with its default, unit and reason."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from router.section import Section


def _networks(value: str) -> str:
    for name in filter(None, map(str.strip, value.split(","))):
        ip_network(name)
    return value


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


class LoginSettings(Section):
    """How often somebody may fail to log in before having to wait."""

    failures: int = Field(
        5, ge=1, description="Failed logins of a user from one address before the next has to wait."
    )
    failures_per_address: int = Field(
        50, ge=1, description="Failed logins from one address, of whatever users, before the same."
    )
    failures_per_user: int = Field(
        100,
        ge=1,
        description="Failed logins of a user from whatever addresses; beyond them an address that "
        "the user never logged in from has one try before it has to wait.",
    )
    delay_s: float = Field(
        1.0, gt=0, description="Seconds of the first wait; each further failure doubles it."
    )
    delay_max_s: float = Field(900.0, gt=0, description="Seconds of the longest wait.")
    forget_s: float = Field(3_600.0, gt=0, description="Seconds until failures are forgotten.")
    familiar_days: float = Field(
        30.0, gt=0, description="Days that an address a user logged in from counts as the user's."
    )
    remembered: int = Field(
        20_000, ge=100, description="Users, addresses and pairs of them remembered, of each kind."
    )


class AccessSettings(Section):
    """Tokens: what signs them, and how long they live."""

    key_file: str = Field(
        "", description="File of the signing keys; empty keeps them beside the users."
    )
    token_ttl_s: float = Field(3_600.0, gt=0, description="Seconds; Kuzzle's one hour.")
    token_max_ttl_s: float = Field(
        0.0, ge=0, description="Most seconds that a login may ask for; 0 allows any time."
    )
    api_key_max_ttl_s: float = Field(
        0.0, ge=0, description="Most seconds of an API key made by its user; 0 allows any time."
    )
    grace_s: float = Field(
        1.0, ge=0, description="Seconds that a token goes on for once another took its place."
    )
    cookies: bool = Field(True, description="Whether browsers may hold their token in a cookie.")
    tokens_cached: int = Field(
        20_000, ge=1, description="Tokens that need not be verified again at each request."
    )


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


_TOPIC: Final = r"^[^+#\x00]{1,1000}$"
"""A topic name: MQTT 5, 4.7.1 and 4.7.3; much shorter than it could be."""


class MqttSettings(Section):
    """The MQTT wire."""

    enabled: bool = Field(True, description="Whether to listen for MQTT at all.")
    port: int = Field(1883, ge=0, le=65535, description="Kuzzle's MQTT port.")
    tls_port: int = Field(
        8883, ge=0, le=65535, description="MQTT over TLS, where there is a certificate."
    )
    plain: Literal["loopback", "everywhere", "off"] = Field(
        "loopback", description="Where the port without TLS listens beside the one with it."
    )
    request_topic: str = Field(
        "Kuzzle/request", pattern=_TOPIC, description="Where clients publish requests."
    )
    response_topic: str = Field(
        "Kuzzle/response", pattern=_TOPIC, description="Where answers are pushed."
    )
    allow_pub_sub: bool = Field(
        False, description="Whether clients may publish to each other, by the rights they have."
    )
    rate_limit: int = Field(
        0, ge=0, description="Requests and messages a second of one client; 0 is any number."
    )
    connect_timeout_s: float = Field(10.0, gt=0, description="Seconds to send CONNECT.")
    max_packet_bytes: int = Field(1_114_112, ge=1024, description="Bytes; 1 MB and its header.")
    packet_timeout_s: float = Field(
        30.0, gt=0, description="Seconds for the rest of a packet once it has begun to arrive."
    )
    max_subscriptions: int = Field(1_000, ge=1, description="Topics of one client.")
    topic_alias_maximum: int = Field(
        32, ge=0, le=65535, description="Topic aliases of one client, in each direction."
    )
    retained_messages: int = Field(
        10_000, ge=0, description="Retained messages of all clients; one more is refused."
    )
    retained_mb: int = Field(
        64, ge=1, description="MB that they take in memory, each with 512 bytes of its own."
    )
    receive_maximum: int = Field(
        100, ge=1, le=65535, description="Unacknowledged QoS 1 and 2 requests of one client."
    )
    max_unsent_bytes: int = Field(
        1_048_576, ge=4096, description="Bytes that wait for a slow reader before it is cut off."
    )


class StorageSettings(Section):
    """Where documents live."""

    engine: Literal["sqlite", "opensearch"] = Field(
        "sqlite", description="The embedded store, or the OpenSearch of the next table."
    )
    data: Path = Field(Path("data"), description="Folder of the embedded store.")
    batch: int = Field(512, ge=1, description="Writes that share one commit at most.")
    cache_mb: int = Field(
        256, ge=2, description="SQLite page cache; below the working set updates halve."
    )
    checkpoint_pages: int = Field(
        8_000, ge=100, description="WAL pages after which they are moved into the database."
    )
    read_cache_mb: int = Field(32, ge=2, description="SQLite page cache of each reader, in MB.")
    document_cache_mb: int = Field(
        64, ge=1, description="MB of documents that the writer keeps, so as not to read them again."
    )
    writes_waiting: int = Field(
        200_000, ge=1, description="Writes that wait for the writer; one more is refused with 503."
    )
    searches_waiting: int = Field(
        1_000, ge=1, description="Searches that wait for the reader; one more is refused with 503."
    )
    search_timeout_s: float = Field(10.0, gt=0, description="Seconds that one search may take.")
    feed_days: float = Field(7.0, gt=0, description="Days that rows of the changes feed are kept.")
    feed_mb: int = Field(
        2_048, ge=1, description="MB of rows that the changes feed keeps, whichever comes first."
    )


class OpenSearchSettings(Section):
    """The OpenSearch that holds the documents where storage.engine says so."""

    nodes: str = Field(
        "http://127.0.0.1:9200", description="URLs of its nodes, comma separated; https is TLS."
    )
    username: str = Field("", description="For basic authentication; empty is without.")
    password: str = Field("", repr=False, description="For basic authentication.")
    ca_file: str = Field("", description="CA certificates (PEM); empty for those of the system.")
    verify_certificates: bool = Field(True, description="Whether TLS certificates must be good.")
    timeout_s: float = Field(10.0, gt=0, description="Seconds that one answer may take.")
    start_timeout_s: float = Field(
        120.0, ge=0, description="Seconds to wait at the start for a server that is away."
    )
    patience_s: float = Field(
        10.0, gt=0, description="Seconds that a write is tried again before it is refused with 503."
    )
    connections: int = Field(10, ge=1, description="Open connections to each node at most.")
    batch: int = Field(512, ge=1, description="Writes of a collection in one request at most.")
    batch_bytes: int = Field(8_388_608, ge=65_536, description="Bytes of one request at most.")
    writes_waiting: int = Field(
        50_000, ge=1, description="Writes that wait at most; one more is refused with 503."
    )
    document_cache_mb: int = Field(
        64, ge=1, description="MB of documents written last, which need not be read to be updated."
    )
    refresh_ms: float = Field(
        50.0, ge=0, description="Least ms between two refreshes that refresh=wait_for forces."
    )
    feed_days: float = Field(7.0, gt=0, description="Days that rows of the changes feed are kept.")
    feed_mb: int = Field(
        2_048,
        ge=1,
        description="MB of rows that the changes feed keeps, whichever comes first; those of the "
        "last half hour stay.",
    )
    replicas: str = Field(
        "0-1", description="Copies of new indexes: index.auto_expand_replicas of OpenSearch."
    )


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level.")
    format: Literal["console", "json"] = Field("console", description="For eyes, or machines.")


class DocumentSettings(Section):
    """What one request on documents may ask for."""

    fetch_max: int = Field(
        10_000, ge=1, description="Documents that one search answers at most; Kuzzle's 10 000."
    )
    write_max: int = Field(
        200, ge=1, description="Documents that one request writes at most; Kuzzle's 200."
    )
    idempotency_hours: float = Field(
        24.0, gt=0, description="Hours that idempotency keys are remembered."
    )


class ScrollSettings(Section):
    """Searches that clients read page by page (`scroll`)."""

    duration_max_s: float = Field(
        60.0, gt=0, description="Seconds between two pages at most; Kuzzle's maxScrollDuration."
    )
    open_max: int = Field(500, ge=1, description="Open scrolls of all users together.")
    open_per_user: int = Field(100, ge=1, description="Open scrolls of one user.")
    documents_max: int = Field(
        5_000_000,
        ge=1,
        description="Documents that all open scrolls hold (18 bytes each); a new one may take half "
        "of what is left. Where OpenSearch holds them it has bounds of its own.",
    )


class RealtimeSettings(Section):
    """Subscriptions, and the filters that they are made with."""

    rooms: int = Field(
        100_000, ge=1, description="Different filters that are subscribed to, all clients together."
    )
    rooms_per_connection: int = Field(
        1_000, ge=1, description="Different filters that one client may be subscribed to."
    )
    filter_conditions: int = Field(
        100,
        ge=1,
        description="Conditions of one filter, and alternatives of its normal form; Kuzzle's 100.",
    )
    filter_depth: int = Field(32, ge=1, description="Operators of one filter within each other.")
    pipes_at_work: int = Field(
        50, ge=1, description="Notifications that are in the application's pipes at a time."
    )
    pipes_waiting: int = Field(
        10_000,
        ge=1,
        description="Notifications that wait for pipes, or for a callback of the application; "
        "those whom one more is for are cut off.",
    )
    pipe_timeout_s: float = Field(
        10.0, gt=0, description="Seconds of all pipes of a notification; then it is dropped."
    )


class DeviceManagerSettings(Section):
    """The device-manager plugin."""

    admin_index: str = Field("device-manager", description="Index of engines and models.")
    http_form: Literal["asset", "assets"] = Field(
        "asset",
        description="Which controller owns the shared HTTP paths: the documented singular one, "
        "or the plural one of the current plugin.",
    )
    import_batch: int = Field(
        500, ge=1, description="Rows of an import that are written at once; others get between."
    )


class AuditSettings(Section):
    """The record of who did what to what."""

    enabled: bool = Field(True, description="Whether to keep one.")
    requests: Literal["security", "writes", "all"] = Field(
        "security",
        description="Which are recorded: those of security, auth and admin and everybody who was "
        "kept out (by rights, token, origin, failed login); or writes of documents, too; or all.",
    )
    folder: str = Field("", description="Where its files are; empty for audit in storage.data.")
    days: int = Field(90, ge=1, description="Days that entries are kept.")
    mb: int = Field(1_024, ge=1, description="MB that are kept, whichever comes first.")
    fsync: Literal["batch", "second", "never"] = Field(
        "second", description="When entries are made safe from a power cut; a crash loses none."
    )
    waiting: int = Field(
        100_000, ge=1, description="Entries that wait for the disk; more are dropped, and counted."
    )
    when_failing: Literal["serve", "refuse"] = Field(
        "serve",
        description="What becomes of requests to be recorded while the disk refuses entries: "
        "served all the same, or refused with 503.",
    )
