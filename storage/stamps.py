"""What a write leaves in a document: its content and the `_kuzzle_info` stamp of who and when."""

from __future__ import annotations

import orjson

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.conflicts import not_found
from storage.contract import Verb, Write
from storage.merge import copied, merge, without
from storage.names import check_id

STAMP = "_kuzzle_info"
"""The key of the stamp in every document. What a client sends under it is dropped."""


def stamp(
    verb: Verb, kuid: str | None, now_ms: int, previous_info: JsonObject | None
) -> JsonObject:
    """The `_kuzzle_info` that a write leaves.

    Args:
        verb: Any but `delete`, which leaves no document.
        kuid: The writer's user id; None for the router itself.
        now_ms: When, in ms since 1970.
        previous_info: The stamp of the stored document (empty if it has none), None when there
            is no document. Only `update`, `upsert` and `delete_fields` look at it.

    A document that an upsert creates is stamped as by `create`; Kuzzle 2.56 loses its author
    and date there (Kuzzle reference, `_kuzzle_info`).
    """
    if verb in ("replace", "create_or_replace"):
        return {"author": kuid, "createdAt": now_ms, "updatedAt": now_ms, "updater": kuid}
    if verb == "create" or previous_info is None:
        return {"author": kuid, "createdAt": now_ms, "updatedAt": None, "updater": None}
    return {**previous_info, "updatedAt": now_ms, "updater": kuid}


def apply(write: Write, stored: JsonObject | None, now_ms: int) -> JsonObject:
    """The whole content that a write leaves in its document, stamped; the same on every engine.

    Args:
        write: Any but a `delete`.
        stored: The content now, None when there is no document. Not altered, but the result may
            share what the write doesn't touch with it (see `storage.merge`).

    Raises:
        RouterError: `services.storage.document_already_exists`, `services.storage.not_found`;
            `services.storage.unexpected_bad_request` for an id that can't be stored, or
            content too deep to be.
    """
    try:
        content = _content(write, stored)
    except RecursionError:
        raise too_deep() from None
    previous = None if stored is None else _stamp_of(stored)
    if write.stamping == "kept":
        return content
    verb = "create" if write.stamping == "anew" else write.verb
    # Whatever a client sent under this key goes here.
    info = stamp(verb, write.author.id, now_ms, previous)
    content[STAMP] = info if write.injected is None else {**info, **write.injected[stored is None]}
    return content


def changes_of(write: Write, after: JsonObject, *, created: bool) -> JsonObject:
    """What the feed tells of a write that left `after`: the merged changes of an update, the
    whole content of any other write; stamped either way, and shared with nothing."""
    if write.verb in ("update", "upsert") and not created:
        return copied(stamped_changes(write, after))
    return copied(after)


def stamped_changes(write: Write, after: JsonObject) -> JsonObject:
    """The changes of an update with the stamp that it left in `after`, if it left one."""
    return {**write.content, STAMP: after[STAMP]} if STAMP in after else write.content


def packed(content: JsonObject) -> bytes:
    """The content as stored: JSON in UTF-8.

    Raises:
        RouterError: `services.storage.unexpected_bad_request` for what JSON can't hold: a whole
            number beyond 64 bits, half a surrogate pair.
    """
    try:
        return orjson.dumps(content)
    except TypeError as error:
        raise RouterError(
            "services.storage.unexpected_bad_request", f"The document can't be stored: {error}."
        ) from error


def too_deep() -> RouterError:
    """The error for content that nests further than any request may."""
    return RouterError(
        "services.storage.unexpected_bad_request", "The document is too deep to be stored."
    )


def _content(write: Write, stored: JsonObject | None) -> JsonObject:
    if stored is None:
        return _created(write)
    if write.verb == "create":
        raise RouterError("services.storage.document_already_exists")
    if write.verb in ("update", "upsert"):
        return merge(stored, write.content)
    if write.verb == "delete_fields":
        return without(stored, [path for path in write.fields if not _is_of_stamp(path)])
    return copied(write.content)


def _created(write: Write) -> JsonObject:
    if write.verb in ("update", "replace", "delete_fields"):
        raise not_found(write.id, write.index, write.collection)
    check_id(write.id)
    # An upsert's changes lie over its default key by key, not merged (Kuzzle reference, upsert).
    return copied({**(write.default or {}), **write.content})


def _is_of_stamp(path: str) -> bool:
    return path == STAMP or path.startswith(f"{STAMP}.")


def _stamp_of(stored: JsonObject) -> JsonObject:
    info: Json = stored.get(STAMP)
    return info if isinstance(info, dict) else {}
