"""The writer's side of the file: what one thread alone does with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw
import structlog

from router.errors import RouterError
from router.settings import StorageSettings
from storage.clock import Clock
from storage.contract import Write
from storage.sqlite import catalog as catalogs
from storage.sqlite import feed
from storage.sqlite.batch import Batch
from storage.sqlite.catalog import Catalog, Collection
from storage.sqlite.checkpoints import Checkpoints
from storage.sqlite.connection import FILE_NAME, Disk, connect, disconnect, unexpected
from storage.sqlite.jobs import Outcome, Task
from storage.sqlite.keys import Conclusion, Keys
from storage.sqlite.records import NOTHING, Record, RecordCache, is_utf8
from storage.sqlite.schema import identity, prepare

_log: Final = structlog.get_logger("trivium.store")

# What says that the data is at fault, not the disk.
_BLAME_THE_DATA = (
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.TooBigError,
    apsw.RangeError,
    apsw.SQLError,
)


_CHECKPOINT_CACHE_MB = 2  # moving pages needs none


class Ledger:
    """Applies writes and changes of the catalog, one transaction after the other.

    Everything but `catalog`, `cache.get` and `clock.now_ms` belongs to one thread at a time.

    Attributes:
        catalog: As of the last commit.
        feed: The id of the changes feed.
        keys_kept_ms: How long an idempotency key is remembered.
    """

    def __init__(
        self, settings: StorageSettings, disk: Disk, clock: Clock, keys_kept_ms: int
    ) -> None:
        self.clock = clock
        self.cache = RecordCache(settings.document_cache_mb * 1024 * 1024)
        self.catalog = Catalog(frozenset(), {})
        self.feed = ""
        self._settings = settings
        self._disk = disk
        self.keys_kept_ms = keys_kept_ms
        self._position = feed.Position(1, 0)
        self._pruning = feed.Pruning(
            settings.feed_mb * 1024 * 1024, int(settings.feed_days * 86_400_000)
        )
        self._connection: apsw.Connection | None = None
        self._failure = ""
        self._checkpoints: Checkpoints | None = None

    @property
    def is_open(self) -> bool:
        """Whether writes may come; False after a failed commit until `open` went well."""
        return self._connection is not None

    # -- opening ----------------------------------------------------------------------------

    def open(self) -> None:
        """Open the file, bring it to the current schema and read what must be known.

        Raises:
            StoreOpenError, apsw.Error, OSError: See `storage.sqlite.opening`.
        """
        folder = Path(self._settings.data)
        connection = connect(folder / FILE_NAME, self._disk, cache_mb=self._settings.cache_mb)
        try:
            prepare(connection, folder, self._disk)
            self.catalog = catalogs.load(connection)
            self.feed = identity(connection)
            self._position = feed.position(connection)
            self.clock.start_at(feed.newest_ms(connection))
            self._checkpoints = Checkpoints(
                connection,
                partial(connect, folder / FILE_NAME, self._disk, cache_mb=_CHECKPOINT_CACHE_MB),
                self._settings.checkpoint_pages,
            )
        except BaseException:
            connection.close(force=True)
            raise
        self._connection = connection

    def close(self) -> None:
        """Let go of the file; every acknowledged write is in it, whatever fails here."""
        connection, self._connection = self._connection, None
        self.cache.clear()
        self._pruning.forget()
        if connection is not None:
            if self._checkpoints is not None:
                self._checkpoints.close()
            disconnect(connection)

    # -- writing ----------------------------------------------------------------------------

    def write(self, writes: Sequence[Write | Conclusion]) -> Sequence[Outcome | None]:
        """Do all these writes in one transaction; an outcome for each, in their order.

        When this returns they are on disk. A write that is refused leaves the others alone.
        After a failure of the disk all of them have failed, and `is_open` is False.
        """
        if self._connection is None:
            return [self._closed()] * len(writes)
        try:
            return self._write_together(writes)
        except Exception as error:  # noqa: BLE001 - a boundary: every future must be answered
            if _is_of_disk(error):
                self._give_up(error)
                return [unexpected(error)] * len(writes)
            if len(writes) == 1:
                _log.error("write failed", exc_info=error)
                return [unexpected(error)]
        return [outcome for write in writes for outcome in self.write([write])]

    def run(self, task: Task) -> None:
        """Run a change of the catalog in a transaction of its own.

        Raises:
            RouterError: What the task refuses, or `services.storage.unexpected_error`; if that
                was the disk's doing, `is_open` is False.
        """
        try:
            with self._transaction() as connection:
                changed = task(connection, self.catalog)
                position, newest_ms = feed.position(connection), feed.newest_ms(connection)
        except RouterError:
            raise
        except Exception as error:  # a boundary: the writer thread must answer every future
            if _is_of_disk(error):
                self._give_up(error)
            raise unexpected(error) from error
        self.catalog, self._position = changed, position
        self.clock.start_at(newest_ms)
        self.cache.clear()

    def tend(self, *, is_idle: bool) -> bool:
        """Do a piece of housekeeping; False if there is none worth doing.

        Args:
            is_idle: Nobody waits, so that also what could wait is worth doing.

        After a failure of the disk `is_open` is False.
        """
        if self._connection is None or self._checkpoints is None:
            return False
        try:
            if is_idle and self._is_pruning_due():
                with self._transaction() as connection:
                    self._prune(connection)
                return True
            self._checkpoints.step(is_idle=is_idle)
        except apsw.Error as error:
            self._give_up(error)
        return False

    def _give_up(self, error: Exception) -> None:
        _log.error("store failed, no write is taken until it has reopened", reason=str(error))
        self._failure = str(error)
        self.close()

    def _closed(self) -> RouterError:
        return unexpected(ConnectionError(f"the store is not open after: {self._failure}"))

    def _write_together(self, writes: Sequence[Write | Conclusion]) -> Sequence[Outcome | None]:
        at_ms = self.clock.stamp_ms()
        with self._transaction() as connection:
            keys = Keys(connection, at_ms, self.keys_kept_ms)
            batch = Batch(self.catalog, self._record, self._position, at_ms, keys)
            outcomes: list[Outcome | None] = []
            for write in writes:
                try:
                    outcomes.append(batch.apply(write))
                except RouterError as error:
                    outcomes.append(error)
            batch.flush(connection)
            if self._is_pruning_due():
                self._prune(connection)
        self.catalog, self._position = batch.catalog, batch.position
        for key, record in batch.records():
            self.cache.put(key, record)
        return outcomes

    def _is_pruning_due(self) -> bool:
        return self._pruning.is_due(self._position.total_bytes, self.clock.now_ms())

    def _prune(self, connection: apsw.Connection) -> None:
        self._pruning.step(connection, self._position.total_bytes, self.clock.now_ms())

    def _record(self, collection: Collection, id: str) -> Record:
        record = self.cache.get((collection.number, id))
        if record is not None:
            return record
        assert self._connection is not None
        if not is_utf8(id):
            return NOTHING
        row: Any = self._connection.execute(
            "SELECT doc, version, seq, updated_ms, source"
            f" FROM documents_{collection.number} WHERE id = ?",
            (id,),
        ).get
        if row is not None:
            return Record(*row)
        buried: Any = self._connection.execute(
            "SELECT version, seq FROM tombstones WHERE collection = ? AND id = ?",
            (collection.number, id),
        ).get
        return NOTHING if buried is None else Record(0, buried[0], buried[1], None, None)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        connection = self._connection
        if connection is None:
            raise self._closed()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with contextlib.suppress(apsw.Error):
                    connection.execute("ROLLBACK")
            raise


def _is_of_disk(error: Exception) -> bool:
    return isinstance(error, apsw.Error) and not isinstance(error, _BLAME_THE_DATA)
