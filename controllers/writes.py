"""Single-document writes: who signs them, and the order in which they take their turns."""

from __future__ import annotations

import base64
import os
from collections.abc import Awaitable, Hashable
from typing import Final

import msgspec

from router.envelope import Json, JsonObject, Reply, Request
from router.guards import etag
from router.once import Once
from storage.contract import Author, Document, Storage, Write, Written

# What these do concerns whole collections, and is not told document by document.
_SILENT: Final = frozenset({"admin", "collection", "index"})


def author(request: Request) -> Author:
    """Who a request writes for."""
    # The application itself writes in nobody's name; its user id is empty.
    return Author(
        request.user.id or None,
        request.request_id,
        request.connection.wire,
        "bulk" if request.controller == "bulk" else "document",
        request.volatile,
        request.timestamp,
        is_silent(request),
    )


def is_silent(request: Request) -> bool:
    """Whether nobody is to be notified of what the request writes.

    Raises:
        RouterError: `api.assert.invalid_type` for a `silent` or `notify` that isn't a boolean.
    """
    if request.controller == "bulk":
        return not request.flag("notify")
    return request.controller in _SILENT or request.flag("silent")


async def write_in_turn(storage: Storage, request: Request, write: Write) -> Written:
    """Hand in a write when the request's turn has come, and wait for its outcome.

    The store takes writes in the order of the calls, so the next turn may begin as soon as
    the call returns: nobody waits for somebody else's commit.
    """
    if request.turn is None:
        return await write_now(storage, request, write)
    await request.turn.wait()
    outcome = write_now(storage, request, write)
    request.turn.leave()
    return await outcome


def write_now(storage: Storage, request: Request, write: Write) -> Awaitable[Written]:
    """Hand in a write, with the guards of its request, whoever's turn it is."""
    if request.condition is not None:
        write = msgspec.structs.replace(write, condition=request.condition)
    once = request.once
    if once is None:
        return storage.write(write)
    return _noted(once, storage.write(msgspec.structs.replace(write, once=once)))


async def _noted(once: Once, outcome: Awaitable[Written]) -> Written:
    written = await outcome
    once.is_written = True
    return written


def is_repeat(request: Request) -> bool:
    """Whether its write was done before, so that what comes before a write is not done again."""
    return request.once is not None and request.once.is_repeat


def document_key(request: Request) -> Hashable | None:
    """The document that `index`, `collection` and `_id` name; None if one of them is missing."""
    return key_of(request.index, request.collection, request.args.get("_id"))


def key_of(index: Json, collection: str | None, id: Json) -> Hashable | None:
    """The order key of one document; writes by whatever action share it."""
    if not (isinstance(index, str) and isinstance(id, str) and index and collection and id):
        return None
    return (index, collection, id)


def born_as(request: Request) -> str:
    """The id of a document to create: as asked for; else of its idempotency key, so that each
    repeat means the same one; else random.

    Raises:
        RouterError: `api.assert.invalid_type`, `api.assert.invalid_id`.
    """
    asked = request.new_id()
    if asked is not None:
        return asked
    return new_id() if request.once is None else request.once.key[:20]


def new_id() -> str:
    """A random id of 20 characters, the first of them a digit or letter."""
    head, rest = os.urandom(1), os.urandom(14)
    return f"{head[0] % 16:x}" + base64.urlsafe_b64encode(rest).decode()[:19]


def described(document: Document | Written) -> JsonObject:
    """A whole document as results show it."""
    return {
        "_id": document.id,
        "_source": document.source,
        "_version": document.version,
    }


def told(document: Document | Written, **more: Json) -> Reply:
    """The answer that shows a whole document, its entity tag, and what else there is to tell."""
    result = {**described(document), **more} if more else described(document)
    return Reply(result=result, etag=etag(document.version, document.incarnation))


def changed(written: Written, updates: JsonObject, *, whole: bool) -> Reply:
    """The answer to an update: the changes and the stamp, or the whole document."""
    if whole:
        return told(written)
    if written.repeats is not None:
        updates = written.repeats
    source = {**updates, "_kuzzle_info": written.source.get("_kuzzle_info")}
    result: JsonObject = {"_id": written.id, "_source": source, "_version": written.version}
    return Reply(result=result, etag=etag(written.version, written.incarnation))


def answered_for(
    index: str, collection: str, result: Json, *, of: Document | Written | None = None
) -> Reply:
    """A reply whose envelope names the index and collection that the action worked on.

    Args:
        of: The document that it is about, whose entity tag it carries.
    """
    tag = "" if of is None else etag(of.version, of.incarnation)
    return Reply(result=result, index=index, collection=collection, etag=tag)
