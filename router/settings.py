"""Every setting: its default, unit and reason. File, then environment, then flags."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of the settings file; unknown keys are errors, so that a typo can't hide."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(Section):
    """Where the router listens."""

    host: str = Field("127.0.0.1", description="Address of every listener.")
    port: int = Field(7512, ge=0, le=65535, description="HTTP and WebSocket; Kuzzle's port.")
    stop_timeout_s: float = Field(
        10.0, gt=0, description="Seconds that requests at work get to finish when stopping."
    )


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
    requests_per_connection: int = Field(
        1_000, ge=1, description="Unanswered requests of one connection; then it isn't read from."
    )


class HttpSettings(Section):
    """The HTTP wire."""

    allow_origin: str = Field("*", description="Origins that may call, comma separated; * is any.")
    max_encodings: int = Field(3, ge=1, description="Layers of Content-Encoding.")
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
    max_unsent_bytes: int = Field(
        1_048_576, ge=4096, description="Bytes that wait for a slow reader before it is cut off."
    )


class MqttSettings(Section):
    """The MQTT wire."""

    enabled: bool = Field(True, description="Whether to listen for MQTT at all.")
    port: int = Field(1883, ge=0, le=65535, description="Kuzzle's MQTT port.")
    request_topic: str = Field("Kuzzle/request", description="Where clients publish requests.")
    response_topic: str = Field("Kuzzle/response", description="Where answers are pushed.")
    allow_pub_sub: bool = Field(
        False, description="Whether clients may publish to each other. Not yet available."
    )
    connect_timeout_s: float = Field(10.0, gt=0, description="Seconds to send CONNECT.")
    max_packet_bytes: int = Field(1_114_112, ge=1024, description="Bytes; 1 MB and its header.")
    receive_maximum: int = Field(
        100, ge=1, le=65535, description="Unacknowledged QoS 1 and 2 requests of one client."
    )
    max_unsent_bytes: int = Field(
        1_048_576, ge=4096, description="Bytes that wait for a slow reader before it is cut off."
    )


class StorageSettings(Section):
    """Where documents live."""

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


class LogSettings(Section):
    """What is written to standard error."""

    level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Lowest level.")
    format: str = Field("console", pattern="^(console|json)$", description="For eyes, or machines.")


class DocumentSettings(Section):
    """What one request on documents may ask for."""

    fetch_max: int = Field(
        10_000, ge=1, description="Documents that one search answers at most; Kuzzle's 10 000."
    )


class DeviceManagerSettings(Section):
    """The device-manager plugin."""

    admin_index: str = Field("device-manager", description="Index of engines and models.")
    http_form: str = Field(
        "asset",
        pattern="^(asset|assets)$",
        description="Which controller owns the shared HTTP paths: the documented singular one, "
        "or the plural one of the current plugin.",
    )
    import_batch: int = Field(
        500, ge=1, description="Rows of an import that are written at once; others get between."
    )


class Settings(Section):
    """All settings of one router."""

    server: ServerSettings = ServerSettings()
    frame: FrameSettings = FrameSettings()
    limits: LimitSettings = LimitSettings()
    http: HttpSettings = HttpSettings()
    websocket: WebSocketSettings = WebSocketSettings()
    mqtt: MqttSettings = MqttSettings()
    storage: StorageSettings = StorageSettings()
    log: LogSettings = LogSettings()
    documents: DocumentSettings = DocumentSettings()
    device_manager: DeviceManagerSettings = DeviceManagerSettings()
