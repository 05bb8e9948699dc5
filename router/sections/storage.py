"""Tables of the settings: where documents live, and what is done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from router.section import Section


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
    searches_at_once: int = Field(
        3, ge=1, le=32, description="Searches that run at once, each with a reader of its own."
    )
    searches_waiting: int = Field(
        1_000, ge=1, description="Searches that wait for a reader; one more is refused with 503."
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
