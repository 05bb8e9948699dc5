"""Arguments that several actions take: how they are read and how they are described."""

from __future__ import annotations

from typing import Final

from controllers import embedded
from router.actions import Argument
from router.envelope import Json, Request
from router.errors import RouterError

MAX_RETRIES: Final = 100
"""Most retries after a conflict that a caller may ask for."""

INDEX: Final = Argument("index", "string", "Index of the documents.", required=True)
COLLECTION: Final = Argument("collection", "string", "Collection of the documents.", required=True)
ID: Final = Argument("_id", "string", "Id of the document.", required=True)
NEW_ID: Final = Argument(
    "_id", "string", "Id of the new document; a random one if absent. Must not start with `_`."
)
REFRESH: Final = Argument(
    "refresh", "string", "`wait_for`: answer only once searches see the change. Else `false`."
)
RETRIES: Final = Argument(
    "retryOnConflict",
    "integer",
    "How many more times to read, merge and write when another writer came between; 0 to 100, "
    "default 0.",
)
SOURCE: Final = Argument("source", "flag", "Answer with the whole document.")
SILENT: Final = Argument("silent", "flag", "Trigger no realtime notification.")
STRICT: Final = Argument(
    "strict", "flag", "Answer an error when one of the documents fails; what was done stays done."
)
IDS: Final = Argument("ids", "array", "Ids of the documents.", required=True, place="body")
FROM: Final = Argument("from", "integer", "How many hits to skip; default 0.")
SIZE: Final = Argument("size", "integer", "How many hits to answer; default 10.")
LANG: Final = Argument("lang", "string", "`elasticsearch`, the default, or `koncorde`.")

STORED: Final = ("services.storage.unknown_index", "services.storage.unknown_collection")
"""What every action on an index and a collection can answer."""

INVALID: Final = ("validation.check.failed_field", "validation.check.failed_document")
"""What a collection's specification refuses."""

NAMED: Final = ("api.assert.missing_argument", "api.assert.invalid_type", *STORED)
"""The same, for those that read their arguments."""

WRITTEN: Final = (
    *NAMED,
    "api.assert.body_required",
    "services.storage.strict_mapping_rejection",
    "services.storage.unexpected_bad_request",
)
"""What every write of a document can answer."""


def retries(request: Request) -> int:
    """How many more times a write may be tried after a conflict.

    Raises:
        RouterError: `api.assert.invalid_type` if `retryOnConflict` isn't an integer,
            `api.assert.invalid_argument` if it isn't within 0 to 100.
    """
    value = request.integer("retryOnConflict", 0)
    if not 0 <= value <= MAX_RETRIES:
        raise RouterError(
            "api.assert.invalid_argument", "retryOnConflict", f"an integer from 0 to {MAX_RETRIES}"
        )
    return value


def structure(request: Request, key: str) -> Json:
    """The array or object argument `key`; over HTTP it is JSON text. None when it is absent.

    Raises:
        RouterError: `api.assert.invalid_type` for text that isn't JSON.
    """
    value = request.args.get(key)
    if not isinstance(value, str):
        return value
    try:
        return embedded.parse(value)
    except ValueError:
        raise RouterError("api.assert.invalid_type", key, "JSON") from None
