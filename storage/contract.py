"""What every storage engine offers: documents by id, writes in order, searches, mappings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, Protocol, TypeAlias

import msgspec
import orjson

from router.envelope import Json, JsonObject, always
from router.errors import RouterError
from router.guards import Condition
from router.once import Once, Remembered
from storage.query import Search

Verb: TypeAlias = Literal[
    "create", "update", "upsert", "replace", "create_or_replace", "delete", "delete_fields"
]
Stamping: TypeAlias = Literal["signed", "anew", "kept"]


class Author(msgspec.Struct, frozen=True):
    """Who writes: the user's id (None: the router itself), and the request it came with.

    `controller`, `volatile` and `timestamp` (ms since 1970; 0: none) are for those who listen to
    the write, and `is_silent` keeps it from them; they aren't stored.
    """

    id: str | None = None
    request_id: str = ""
    wire: str = "internal"
    controller: str = "document"
    volatile: JsonObject | None = None
    timestamp: int = 0
    is_silent: bool = False


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one document.

    Attributes:
        content: The whole content (`create`, `replace`, `create_or_replace`), the changes to
            merge (`update`, `upsert`), or empty (`delete`, `delete_fields`). Never altered by the
            engine. Its `_kuzzle_info`, if any, is dropped: the engine stamps its own
            (storage.stamps), unless `stamping` says otherwise.
        default: What an upsert creates the document from, under `content`.
        fields: Dotted paths that `delete_fields` takes out; those that aren't there count as
            gone, and the stamp stays.
        stamping: `signed` leaves the stamp of the verb; `anew` that of a create, whatever the
            verb; `kept` leaves none of its own: that of `content`, if any, is stored.
        injected: What is laid over the stamp of a document that is there, and over that of a new
            one; None: nothing. Not where `stamping` is `kept`.
        author: Stamped into `_kuzzle_info` and into the row of the changes feed.
        retries: How many more times read, merge and write run after a conflict (0 to 100).
        condition: The states in which the document may be written; None: any. One that doesn't
            hold is never tried again. What isn't there is `not_found` for those verbs that
            need it, and no state that a condition names for the others.
        once: The key under which this write is done once. A later write with the same key is not
            done: its outcome is that of the first (`Written.repeats`), or
            `idempotency_key_reused` if its fingerprint is another.
        refresh: True to be answered only once searches see the change.
    """

    verb: Verb
    index: str
    collection: str
    id: str
    content: JsonObject = {}
    default: JsonObject | None = None
    fields: tuple[str, ...] = ()
    stamping: Stamping = "signed"
    injected: tuple[JsonObject, JsonObject] | None = None
    author: Author = Author()
    retries: int = 0
    condition: Condition | None = None
    once: Once | None = None
    refresh: bool = False


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a write: the document after it (before it, for a delete).

    A document's first write is version 1 and every write that is accepted adds one, equal
    content included. A delete takes a version of its own, which only the feed tells (`version`
    here is that of the document that is gone); what is created under the id later goes on
    from it. A collection that is deleted takes its versions along (docs/decisions/0009).
    `source` and `replaced` (the content that this write replaced, or its JSON; None when there
    was none) belong to the caller: the engine never touches them again. `seq` is that of its row
    of the feed, None where the row is written later. `repeats` is None for a write that was done.
    Else it was done before, under the same idempotency key, and this is what was written then
    (`Write.content`).
    """

    id: str
    version: int
    source: JsonObject
    replaced: JsonObject | bytes | None = None
    created: bool = False
    incarnation: str = ""
    repeats: JsonObject | None = None
    seq: int | None = None

    @property
    def previous(self) -> JsonObject | None:
        """The content that this write replaced; JSON is read whenever this is asked for, and only
        then, since few ever ask: ask once, and `replaced` for whether there was any."""
        replaced = self.replaced
        if not isinstance(replaced, bytes):
            return replaced
        content: JsonObject = orjson.loads(replaced)
        return content


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One stored document. `source` belongs to the caller.

    `incarnation` (lower case letters and digits) tells this life of its collection from those
    before it, in which the same version was another content.
    """

    id: str
    version: int
    source: JsonObject
    incarnation: str = ""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One document that a search found. `source` belongs to the caller.

    `sort` holds the values it was sorted by, one for each key of the search: dates in ms,
    booleans as such, None where the document lacks the field. `version` is that of the document
    as it was found.
    """

    index: str
    collection: str
    id: str
    source: JsonObject
    version: int
    score: float | None = 1.0
    sort: list[Json] = []


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of hits; `total` is exact. `aggregations` are there if the search has some."""

    hits: list[Hit]
    total: int
    aggregations: JsonObject | None = None


class Scroll(Protocol):
    """An open search, read to its end page by page; by one caller at a time.

    It holds the documents that matched when it was opened, in that order. What was deleted
    since may be left out, then `total` goes down; others may be shown as they are by now.
    """

    @property
    def total(self) -> int:
        """How many hits there are, those of earlier pages included."""

    @property
    def remaining(self) -> int:
        """How many hits are left to read."""

    async def next(self) -> list[Hit]:
        """The next hits, `size` of the search unless it is the last page; then none."""

    async def close(self) -> None:
        """Let go of what it holds."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the changes feed: what was written, by whom, when.

    `changes` is the content that was written or merged (with its stamp), None for a delete.
    `undo` takes it back: for an update `[what to merge back, [path of each key to take out]]`,
    for a replace or a delete the document before, None for a creation. `whole` is the document
    after an update, at every 32nd version. See `storage.undo`. `notes` is what those who listen
    are told besides (`storage.replay`).
    """

    feed: str
    seq: int
    index: str
    collection: str
    id: str
    version: int
    action: Verb
    author: str | None
    request_id: str
    wire: str
    at_ms: int
    changes: JsonObject | None
    undo: Json = None
    whole: JsonObject | None = None
    notes: JsonObject | None = None


class Usage(msgspec.Struct, frozen=True):
    """What one collection takes: its documents, and about how many bytes they are."""

    index: str
    collection: str
    documents: int
    bytes: int


KEYS_KEPT_HOURS: Final = 24.0
"""Hours that an engine remembers idempotency keys unless it is told otherwise."""

Listener: TypeAlias = "Callable[[Write, Written], None]"
"""Told of a write that is durable. It must not raise, keep or change what it is given."""


class StoreOpenError(Exception):
    """A store that can't be opened; the text is one line for whoever starts the program."""


class Storage(Protocol):
    """An engine. Every error that leaves it is a `RouterError` of the catalogue.

    Existence is checked on every call: an unknown index is `services.storage.unknown_index`,
    an unknown collection `services.storage.unknown_collection` (both 412).
    """

    async def open(self) -> None:
        """Make ready; call once, before anything else, from the loop that will use it."""

    async def close(self) -> None:
        """Finish what was handed in, then let go of everything."""

    @property
    def feed(self) -> str:
        """The id of this store's changes feed; new when the store is restored or migrated."""

    def now_ms(self) -> int:
        """The time of the next write in ms since 1970; never earlier than that of any write."""

    # -- indexes and collections ----------------------------------------------------------

    async def catch_up(self) -> None:
        """Know what others who share this store did to indexes, collections and mappings.

        What is told of them below may else be a second old. An engine that nobody shares has
        nothing to do here.
        """

    async def create_index(self, index: str) -> None:
        """Raises: `index_already_exists`, `invalid_index_name`."""

    async def delete_index(self, index: str) -> None:
        """Remove the index with all its collections and documents."""

    def has_index(self, index: str) -> bool:
        """Whether the index exists."""

    def indexes(self) -> list[str]:
        """All indexes, sorted."""

    async def create_collection(
        self, index: str, collection: str, mapping: JsonObject | None = None
    ) -> None:
        """Create the collection, and the index if it is missing; update it if it exists.

        Args:
            mapping: `{properties?, dynamic?, _meta?}`; None maps nothing (`dynamic` false).

        Raises: `invalid_mapping`, `cannot_change_mapping`, `invalid_collection_name`…
        """

    async def update_mapping(self, index: str, collection: str, mapping: JsonObject) -> None:
        """Add fields to a mapping, or change `dynamic` and `_meta`. Documents that are already
        stored are indexed under the new fields too before this returns."""

    def mapping(self, index: str, collection: str) -> JsonObject:
        """`{dynamic, _meta, properties}`, `_kuzzle_info` among the properties."""

    async def delete_collection(self, index: str, collection: str) -> None:
        """Remove the collection and its documents."""

    async def truncate(self, index: str, collection: str) -> None:
        """Remove all documents of a collection at once; its mapping stays. Nothing of it is told
        by the feed, and what is created next begins at version 1 of another incarnation."""

    async def usage(self) -> list[Usage]:
        """What every collection takes, by index and name."""

    def has_collection(self, index: str, collection: str) -> bool:
        """Whether the collection exists; False for an unknown index."""

    def collections(self, index: str) -> list[str]:
        """The collections of an index, sorted."""

    # -- documents ------------------------------------------------------------------------

    async def get(self, index: str, collection: str, id: str) -> Document:
        """The document as of the last acknowledged write. Raises: `not_found`."""

    async def mget(self, index: str, collection: str, ids: Sequence[str]) -> list[Document | None]:
        """The documents of these ids, in their order; None where there is none."""

    def write(self, write: Write) -> Awaitable[Written]:
        """Hand in one write; await the result for the acknowledgement.

        The write takes its place in the order of all writes **when this is called**, not when
        the result is awaited; giving up the awaiting doesn't take it back. Acknowledged means
        durable. A bad write fails alone and leaves no trace. What it leaves in the document is
        what `storage.stamps.apply` says.

        Raises (from the awaitable): `document_already_exists`, `not_found`,
            `strict_mapping_rejection`, `unexpected_bad_request` (a value against its mapping),
            `version_conflict` after `retries`, or because of the condition.
        """

    def listen(self, listener: Listener, is_wanted: Callable[[], bool] = always) -> None:
        """Call this listener, too, on the loop, with each write that is done, in the order of the
        feed; also when nobody waits for it any more.

        Of a store that others share it hears of their writes too, and of all of them a little
        later; see `is_shared`. While nothing `is_wanted`, it need not be called.
        """

    @property
    def is_shared(self) -> bool:
        """Whether listeners hear of writes only some time after they were acknowledged: who wants
        to hear of nothing earlier compares their numbers with `newest`."""

    async def bulk(self, writes: Sequence[Write]) -> list[Written | RouterError]:
        """Hand in many writes at once, in order; each outcome stands at its write's place."""

    async def recall(self, key: str) -> Remembered | None:
        """What is known of an idempotency key: see `router.once.Memory`."""

    async def conclude(self, key: str, answer: JsonObject) -> None:
        """Keep the answer of a key whose write was done; durable when this returns."""

    async def search(self, targets: Sequence[tuple[str, str]], search: Search) -> Page:
        """Hits of the (index, collection) pairs; ties of the sort are broken by `_id`.

        A pair named twice counts once; without pairs nothing is found. A field is looked for
        where it is mapped: it matches nothing elsewhere.

        Raises: `unexpected_bad_request` for a value or clause that a field can't answer and for
            a sort by an unmapped field; `trivium.unsupported.feature` (see storage.binding).
        """

    async def count(self, targets: Sequence[tuple[str, str]], search: Search) -> int:
        """How many documents match."""

    async def scan(
        self, index: str, collection: str, search: Search, after_id: str = ""
    ) -> list[Hit]:
        """The next `size` hits in the order of their ids' bytes, behind `after_id`; nothing else of
        the search's order counts, and nothing is counted. A way through many documents."""

    async def settle(self, index: str, collection: str, ids: Sequence[str]) -> None:
        """Return once `changes` tells all that searches have shown of these documents.

        Of a store that others share a search may show a write before its row is in the feed, or
        one whose row its writer, who died, did not leave there.
        """

    async def scroll(
        self, targets: Sequence[tuple[str, str]], search: Search, *, most: int, life_s: float
    ) -> Scroll:
        """Open a search whose pages hold `size` hits; its `offset` and `after` don't count.

        Args:
            most: Hits that it may hold, where it holds them in this process.
            life_s: Seconds that may pass between two pages; the server of documents, if there
                is one, may forget it later.

        Raises: as `search`; `trivium.search.too_long_a_scroll` above `most`.
        """

    async def refresh(self, index: str, collection: str) -> None:
        """Return once searches see every write acknowledged before."""

    async def changes(self, since: int, limit: int = 1000) -> list[Change]:
        """Rows of the feed with `seq` above `since`, in order. Raises: `trivium.feed.gone`."""

    async def before(self, change: Change) -> JsonObject | None:
        """The document before a change that `changes` gave, None if there was none.

        Raises: `trivium.feed.gone` if that can't be known any more, since rows were pruned and
            the document isn't there."""

    async def newest(self) -> int:
        """Where the feed is by now: `changes` since then tells what is written later, and nothing
        of what this engine acknowledged before."""


async def outcome(answer: Awaitable[Written]) -> Written | RouterError:
    """What came of a write, as `bulk` answers it."""
    try:
        return await answer
    except RouterError as error:
        return error
