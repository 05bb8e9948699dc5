"""The two stores of a router: the public one for documents, the private one for who may do what.

They never share an index, a feed or a search, so that nothing of the one can be read by way of
the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from access.key_document import KeyDocument
from access.key_file import FILE_NAME, KeyFile
from access.keyring import KeySource
from router.settings import Settings
from storage.contract import Storage
from storage.transfer import Transferable

# Only the engine in use is loaded: the driver of the other one takes its time at the start.

PRIVATE_FOLDER: Final = "private"
"""Where the embedded engine keeps the private store: within the folder of the public one."""

SESSIONS_FOLDER: Final = "mqtt-sessions"
"""Where sessions are kept beside an engine that several routers share."""

# Users, roles and tokens are few beside the documents, and the access room keeps them in memory.
_SMALL: Final = {
    "cache_mb": 8,
    "read_cache_mb": 2,
    "document_cache_mb": 2,
    "feed_mb": 64,
    "searches_at_once": 1,
}


def make_public(settings: Settings) -> Transferable:
    """The public store of the engine that the settings name, not opened yet."""
    hours = settings.documents.idempotency_hours
    if settings.storage.engine == "opensearch":
        from storage.opensearch.store import OpenSearchStorage  # noqa: PLC0415

        return OpenSearchStorage(settings.opensearch, keys_kept_hours=hours)
    from storage.sqlite.store import SqliteStorage  # noqa: PLC0415

    return SqliteStorage(settings.storage, keys_kept_hours=hours)


def make_private(settings: Settings, *, feed_mb: int | None = None) -> Transferable:
    """The private store of the engine that the settings name, not opened yet.

    Args:
        feed_mb: MB of rows that its feed keeps; None for the usual bound.
    """
    if settings.storage.engine == "opensearch":
        from storage.opensearch.places import PRIVATE  # noqa: PLC0415
        from storage.opensearch.store import OpenSearchStorage  # noqa: PLC0415

        return OpenSearchStorage(settings.opensearch, scope=PRIVATE)
    from storage.sqlite.store import SqliteStorage  # noqa: PLC0415

    data = private_folder(settings)
    kept = {} if feed_mb is None else {"feed_mb": feed_mb}
    small = settings.storage.model_copy(update={"data": data, **_SMALL, **kept})
    return SqliteStorage(small, folder_mode=0o700)


def private_folder(settings: Settings) -> Path:
    """Where the embedded engine keeps the private store."""
    return settings.storage.data / PRIVATE_FOLDER


def pair(
    settings: Settings, public: Storage | None, private: Storage | None
) -> tuple[Storage, Storage]:
    """Both stores: those given, else those of the settings; beside a public one that is given the
    private one is kept in memory."""
    if private is None:
        private = make_private(settings) if public is None else _in_memory()
    return make_public(settings) if public is None else public, private


def make_sessions(settings: Settings, public: Storage | None) -> Storage | None:
    """Where MQTT sessions are kept, not opened yet; None where the private store keeps them.

    A session lives on the router that its client has connected to. What several routers share
    is no place for it.

    Args:
        public: The store that was given instead of that of the settings.
    """
    if public is not None or settings.storage.engine == "sqlite":
        return None
    from storage.sqlite.store import SqliteStorage  # noqa: PLC0415

    data = settings.storage.data / SESSIONS_FOLDER
    small = settings.storage.model_copy(update={"data": data, **_SMALL})
    return SqliteStorage(small, folder_mode=0o700)


def is_shared(settings: Settings, public: Storage | None, private: Storage | None) -> bool:
    """Whether other routers may write into the private store that `pair` gives for these."""
    return public is None and private is None and settings.storage.engine == "opensearch"


def make_keys(settings: Settings, public: Storage | None, private: Storage) -> KeySource:
    """Where the signing keys are: in the file of the settings, else beside the users.

    On OpenSearch, which several routers share, that is a document of the private store.

    Args:
        public: The store that was given instead of that of the settings.
    """
    if settings.access.key_file:
        return KeyFile(Path(settings.access.key_file))
    if public is None and settings.storage.engine == "sqlite":
        return KeyFile(private_folder(settings) / FILE_NAME)
    return KeyDocument(private)


def _in_memory() -> Storage:
    from storage.memory import MemoryStorage  # noqa: PLC0415

    return MemoryStorage()
