"""Writes that an engine refuses whatever it is: not there, changed meanwhile, guarded."""

from __future__ import annotations

from router.errors import RouterError
from storage.contract import Document, Write


def not_found(write_or_id: str, index: str, collection: str) -> RouterError:
    """The error for a document that isn't there."""
    return RouterError("services.storage.not_found", write_or_id, index, collection)


def version_conflict(write: Write, stored: Document | None) -> RouterError:
    """The error for a write that another one came before; tells the document as it is now.

    Its status is 412 where the caller asked by If-Match (RFC 9110, 13.1.1).
    """
    error = RouterError(
        "services.storage.version_conflict",
        write.index,
        write.collection,
        write.id,
        None if stored is None else stored.version,
        None if stored is None else stored.source,
    )
    is_http = write.condition is not None and write.condition.is_http
    return error.with_status(412) if is_http else error


def guard(write: Write, stored: Document | None) -> None:
    """Let a write pass whose condition holds for the document as it is stored.

    What `storage.stamps.apply` refuses whatever the condition is left to it: RFC 9110, 13.2.2
    has preconditions ignored where the answer without them would be no success.

    Raises:
        RouterError: `version_conflict`.
    """
    condition = write.condition
    if condition is None:
        return
    if stored is None:
        is_met = write.verb in ("update", "replace", "delete", "delete_fields")
    else:
        is_met = write.verb == "create" or condition.holds(stored.version, stored.incarnation)
    if not is_met:
        raise version_conflict(write, stored)
