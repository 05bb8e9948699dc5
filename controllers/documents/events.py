"""How `generic:document:*` events see the actions on documents (Kuzzle reference 5.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from controllers.documents import items
from controllers.documents.items import Form
from router.document_events import DocumentEvents, Documents
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError

# -- one document, in a request -----------------------------------------------------------


def _asked_id(request: Request) -> Documents:
    return [{"_id": request.name("_id")}]


def _ask_id(request: Request, documents: Documents) -> Request:
    return _with_id(request, _only(documents))


def _asked_content(request: Request) -> Documents:
    return [{"_id": request.args.get("_id"), "_source": request.body_object()}]


def _ask_content(request: Request, documents: Documents) -> Request:
    document = _only(documents)
    return _with_id(request, document).replace(body=document.get("_source"))


def _asked_part(name: str) -> Callable[[Request], Documents]:
    def asked(request: Request) -> Documents:
        return [{"_id": request.name("_id"), "_source": request.body_object().get(name)}]

    return asked


def _ask_part(name: str) -> Callable[[Request, Documents], Request]:
    def ask(request: Request, documents: Documents) -> Request:
        document = _only(documents)
        body = {**request.body_object(), name: document.get("_source")}
        return _with_id(request, document).replace(body=body)

    return ask


def _with_id(request: Request, document: JsonObject) -> Request:
    others = {key: value for key, value in request.args.items() if key != "_id"}
    id_ = document.get("_id")
    return request.replace(args=others if id_ is None else {**others, "_id": id_})


# -- many documents, in a request ---------------------------------------------------------


def _asked_ids(request: Request) -> Documents:
    return [{"_id": each} for each in items.ids(request)]


def _asked_body_ids(request: Request) -> Documents:
    return [{"_id": each} for each in request.body_list("ids")]


def _ask_ids(request: Request, documents: Documents) -> Request:
    body = request.body if isinstance(request.body, dict) else {}
    return request.replace(body={**body, "ids": _ids(documents)})


def _asked_many(form: Form) -> Callable[[Request], Documents]:
    def asked(request: Request) -> Documents:
        # Refuses what has its content in `_source`, which can't be told from ours later.
        items.read(request, form, needs_id=False)
        return [_renamed(each, form, "_source") for each in request.body_list("documents")]

    return asked


def _ask_many(form: Form) -> Callable[[Request, Documents], Request]:
    def ask(request: Request, documents: Documents) -> Request:
        sent: list[Json] = [_renamed(each, "_source", form) for each in documents]
        return request.replace(body={**request.body_object(), "documents": sent})

    return ask


def _renamed(document: Json, old: str, new: str) -> Json:
    # What is malformed goes its way unchanged, and is refused by itself.
    if not isinstance(document, dict) or old not in document:
        return document
    others = {key: value for key, value in document.items() if key not in (old, new)}
    return {**others, new: document[old]}


# -- in a result --------------------------------------------------------------------------


def _told_one(result: Json) -> Documents:
    return [result]


def _tell_one(_: Json, documents: Documents) -> Json:
    return documents[0] if documents else None


def _told_list(name: str) -> Callable[[Json], Documents]:
    return lambda result: _list(result, name)


def _tell_list(name: str) -> Callable[[Json, Documents], Json]:
    return lambda result, documents: {**_object(result), name: documents}


def _told_ids(result: Json) -> Documents:
    return [{"_id": each} for each in _list(result, "successes")]


def _tell_ids(result: Json, documents: Documents) -> Json:
    return {**_object(result), "successes": _ids(documents)}


def _tell_deleted(result: Json, documents: Documents) -> Json:
    return {**_object(result), "documents": documents, "ids": _ids(documents)}


def _only(documents: Documents) -> JsonObject:
    if len(documents) == 1 and isinstance(documents[0], dict):
        return documents[0]
    reason = "a pipe has to return the one document that it was given"
    raise RouterError("plugin.runtime.unexpected_error", reason)


def _ids(documents: Documents) -> list[Json]:
    return [each.get("_id") if isinstance(each, dict) else each for each in documents]


def _object(result: Json) -> JsonObject:
    return result if isinstance(result, dict) else {}


def _list(result: Json, name: str) -> Documents:
    found = _object(result).get(name)
    return list(found) if isinstance(found, list) else []


_ONE: Final = (_told_one, _tell_one)
_SUCCESSES: Final = (_told_list("successes"), _tell_list("successes"))
_WHOLE: Final = (_asked_content, _ask_content)

GET: Final = DocumentEvents("Get", (_asked_id, _ask_id), _ONE)
M_GET: Final = DocumentEvents("Get", (_asked_ids, _ask_ids), _SUCCESSES)
M_EXISTS: Final = DocumentEvents("Get", (_asked_ids, _ask_ids), (_told_ids, _tell_ids))
SEARCH: Final = DocumentEvents("Get", None, (_told_list("hits"), _tell_list("hits")))
WRITE: Final = DocumentEvents("Write", _WHOLE, _ONE)
M_WRITE: Final = DocumentEvents("Write", (_asked_many("body"), _ask_many("body")), _SUCCESSES)
UPDATE: Final = DocumentEvents("Update", _WHOLE, _ONE)
UPSERT: Final = DocumentEvents("Update", (_asked_part("changes"), _ask_part("changes")), _ONE)
FIELDS: Final = DocumentEvents("Update", (_asked_part("fields"), _ask_part("fields")), _ONE)
M_UPDATE: Final = DocumentEvents("Update", (_asked_many("body"), _ask_many("body")), _SUCCESSES)
M_UPSERT: Final = DocumentEvents(
    "Update", (_asked_many("changes"), _ask_many("changes")), _SUCCESSES
)
UPDATE_BY_QUERY: Final = DocumentEvents("Update", None, _SUCCESSES)
DELETE: Final = DocumentEvents("Delete", (_asked_id, _ask_id), _ONE)
M_DELETE: Final = DocumentEvents("Delete", (_asked_body_ids, _ask_ids), (_told_ids, _tell_ids))
DELETE_BY_QUERY: Final = DocumentEvents("Delete", None, (_told_list("documents"), _tell_deleted))
