"""What requests on users, profiles and roles have in common: arguments, answers, refusals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from access.keeping import Keeping
from controllers import arguments
from controllers.writes import author
from router.actions import Argument, Route
from router.envelope import ANONYMOUS, Json, JsonObject, Reply, Request
from router.errors import RouterError
from storage.contract import Author, Document

ID: Final = Argument("_id", "string", "Its id.", required=True)
USER_ID: Final = Argument("userId", "string", "The user's id.", required=True)
REFRESH: Final = Argument(
    "refresh",
    "string",
    "`wait_for`, the default: answer only once searches see the change. Else `false`.",
)
IDS: Final = Argument("ids", "array", "Their ids.", required=True, place="body")

SHOWN: Final = "`{_id, _source}`"
HITS: Final = "`{hits: [{_id, _source}]}`"
RIGHTS: Final = "`{hits: [{controller, action, index, collection, value}], total}`"

READ: Final = ("api.assert.missing_argument", "api.assert.invalid_type")
BODY: Final = (*READ, "api.assert.body_required")
WRITTEN: Final = (*BODY, "api.assert.empty_argument")

_UNSEEN: Final = (None, False, "false")


def routes(*texts: str) -> tuple[Route, ...]:
    """Routes, each written as `VERB /path`."""
    return tuple(Route(*text.split(" ", 1)) for text in texts)


def by(request: Request) -> Author:
    """Who a request writes for."""
    return author(request)


async def seen(request: Request, keeping: Keeping) -> None:
    """Wait until searches see what was just written, unless the request doesn't want that."""
    if request.args.get("refresh", "wait_for") not in _UNSEEN:
        await keeping.refresh()


def shown(document: Document) -> JsonObject:
    """A document as answers show it."""
    return {"_id": document.id, "_source": document.source}


def all_shown(documents: Sequence[Document]) -> JsonObject:
    """Several of them."""
    return {"hits": [shown(document) for document in documents]}


def listed_rights(rights: list[Json]) -> JsonObject:
    """Rights as answers show them."""
    return {"hits": rights, "total": len(rights)}


def logged_in(request: Request) -> str:
    """The id of the user who asks.

    Raises:
        RouterError: `security.rights.unauthorized` for the anonymous one.
    """
    kuid = request.user.id
    if kuid == ANONYMOUS.id:
        raise RouterError(
            "security.rights.unauthorized", request.controller, request.action, ANONYMOUS.id
        )
    return kuid


def ids(request: Request) -> list[str]:
    """The ids of the body's `ids`, or of the argument (an array, or names with commas).

    Raises:
        RouterError: `api.assert.missing_argument`, `api.assert.invalid_type`.
    """
    body = request.body if isinstance(request.body, dict) else {}
    name, value = "body.ids", body.get("ids")
    if value is None and isinstance(text := request.args.get("ids"), str) and text[:1] != "[":
        return [each.strip() for each in text.split(",") if each.strip()]
    if value is None:
        name, value = "ids", arguments.structure(request, "ids")
    if value is None:
        raise RouterError("api.assert.missing_argument", "ids")
    if not isinstance(value, list):
        raise RouterError("api.assert.invalid_type", name, "array")
    found = [each for each in value if isinstance(each, str)]
    if len(found) < len(value):
        raise RouterError("api.assert.invalid_type", name, "array of strings")
    return found


async def each_deleted(request: Request, delete: Callable[[str], Awaitable[None]]) -> Json | Reply:
    """Delete everything that `body.ids` names; the answer has the ids of what is gone.

    Where some could not be deleted, it carries `services.storage.incomplete_delete` as well.
    """
    gone: list[Json] = []
    failures: list[str] = []
    for id_ in dict.fromkeys(ids(request)):
        try:
            await delete(id_)
        except RouterError as error:
            if error.status >= 500:
                raise
            failures.append(error.message)
        else:
            gone.append(id_)
    if not failures:
        return gone
    incomplete = RouterError("services.storage.incomplete_delete", " ".join(failures))
    return Reply(result=gone, status=incomplete.status, error=incomplete)
