"""What a search request asks for, where it looks, and how its hits are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from controllers import arguments
from realtime.koncorde import search as koncorde
from router import places
from router.actions import Argument
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from router.places import Place
from storage import dsl
from storage.contract import Hit, Page, Storage
from storage.query import Search

ARGUMENTS: Final = (
    arguments.FROM,
    arguments.SIZE,
    arguments.LANG,
    Argument("searchBody", "object", "The body of a search over HTTP GET, as JSON text."),
    Argument("query", "object", "What to match; everything if absent.", place="body"),
    Argument("sort", "array", "Fields to sort by.", place="body"),
)
RESULT: Final = "`{hits: [{_id, _score, _source, index, collection}], total, aggregations?}`; exact"
COUNT_ERRORS: Final = (
    "api.assert.koncorde_dsl_error",
    "api.assert.koncorde_restricted_keyword",
    "api.assert.koncorde_unknown_keyword",
    "api.assert.invalid_argument",
    "services.storage.invalid_search_query",
    "services.storage.invalid_query_keyword",
    "services.storage.unknown_query_keyword",
    "services.storage.unexpected_bad_request",
    "trivium.unsupported.feature",
)
ERRORS: Final = (*COUNT_ERRORS, "services.storage.get_limit_exceeded")

_PAGE: Final = 10  # Hits of a search that names no size, as in Elasticsearch.
_LANGUAGES: Final = ("elasticsearch", "koncorde")
_WILD: Final = frozenset(",*+")

_Place = tuple[str, str]


def read(request: Request, *, fetch_max: int) -> Search:
    """The search that a request describes.

    `from` and `size` stand beside the body or in it; those beside it count.

    Args:
        fetch_max: Most documents that one page may hold.

    Raises:
        RouterError: One of `ERRORS`.
    """
    body = _body(request)
    size = _given(request, "size")
    if size is None and body.get("size") is None:
        size = min(_PAGE, fetch_max)
    search = _read(request, body, offset=_given(request, "from"), size=size)
    if search.size > fetch_max:
        raise RouterError("services.storage.get_limit_exceeded")
    return search


def read_count(request: Request) -> Search:
    """The search that a count describes: its `query` alone.

    Raises:
        RouterError: One of `COUNT_ERRORS`.
    """
    return _read(request, _body(request))


def targets(request: Request, storage: Storage) -> list[_Place]:
    """Where to search: the collection named, or those of `targets`.

    Raises:
        RouterError: `api.assert.mutually_exclusive` for both; for a list of names or a wildcard
            `services.storage.invalid_multi_index_collection_usage`, within `targets`
            `services.storage.invalid_target_format`; `api.assert.missing_argument` and
            `api.assert.invalid_type`.
    """
    value = arguments.structure(request, "targets")
    if value is None:
        index, collection = request.name("index"), request.name("collection")
        if _is_wild(index) or _is_wild(collection):
            raise RouterError("services.storage.invalid_multi_index_collection_usage")
        return [(index, collection)]
    if request.args.get("index") or request.args.get("collection"):
        raise RouterError("api.assert.mutually_exclusive", "index, collection", "targets")
    if not isinstance(value, list):
        raise RouterError("api.assert.invalid_type", "targets", "array")
    places = [
        place for number, item in enumerate(value) for place in _target(item, number, storage)
    ]
    if not places:
        raise RouterError("api.assert.empty_argument", "targets")
    return places


def target_places(request: Request) -> Sequence[Place]:
    """Every place that a search names, in `index` and `collection` or within `targets`."""
    try:
        value = arguments.structure(request, "targets")
    except RouterError:
        value = None
    found = [*places.named(request)]
    for target in value if isinstance(value, list) else ():
        if isinstance(target, dict):
            found += _named_in(target)
    return found


def listed(page: Page) -> JsonObject:
    """One page as results show it."""
    listed: JsonObject = {"hits": shown(page.hits), "total": page.total}
    if page.aggregations is not None:
        listed["aggregations"] = page.aggregations
    return listed


def shown(hits: Sequence[Hit]) -> list[Json]:
    """Hits as results show them."""
    return [
        {
            "_id": hit.id,
            "_score": hit.score,
            "_source": hit.source,
            "collection": hit.collection,
            "index": hit.index,
        }
        for hit in hits
    ]


def _named_in(target: JsonObject) -> list[Place]:
    index, collections = target.get("index"), target.get("collections")
    if not isinstance(index, str):
        return []
    if not isinstance(collections, list) or not collections:
        return [(index, None)]
    return [(index, each) for each in collections if isinstance(each, str)]


def _body(request: Request) -> JsonObject:
    # Over HTTP GET, which has no body, the search is in the query string.
    body = request.body
    if body is None:
        body = _object(arguments.structure(request, "searchBody"), "searchBody")
    elif not isinstance(body, dict):
        raise RouterError("api.assert.invalid_type", "body", "object")
    return body


def _read(
    request: Request, body: JsonObject, *, offset: int | None = None, size: int | None = None
) -> Search:
    language = request.string("lang", "elasticsearch")
    if language not in _LANGUAGES:
        raise RouterError("api.assert.invalid_argument", "lang", " or ".join(_LANGUAGES))
    if language != "koncorde":
        return dsl.read_search(body, offset=offset, size=size)
    rest = {key: value for key, value in body.items() if key != "query"}
    search = dsl.read_search(rest, offset=offset, size=size)
    return msgspec.structs.replace(search, query=koncorde.read_query(body.get("query")))


def _given(request: Request, key: str) -> int | None:
    return None if request.args.get(key) is None else request.integer(key, 0)


def _object(value: Json, name: str) -> JsonObject:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RouterError("api.assert.invalid_type", name, "object")
    return value


def _target(item: Json, number: int, storage: Storage) -> list[_Place]:
    name = f"targets[{number}]"
    target = _object(item, name)
    index, collections = target.get("index"), target.get("collections")
    if not index:
        raise RouterError("api.assert.missing_argument", f"{name}.index")
    if not isinstance(index, str):
        raise RouterError("api.assert.invalid_type", f"{name}.index", "string")
    if _is_wild(index):
        raise RouterError("services.storage.invalid_target_format", "index", index)
    if collections is None:
        raise RouterError("api.assert.missing_argument", f"{name}.collections")
    if not isinstance(collections, list):
        raise RouterError("api.assert.invalid_type", f"{name}.collections", "array")
    if not collections:
        return [(index, collection) for collection in storage.collections(index)]
    return [(index, _collection(collection, name)) for collection in collections]


def _collection(value: Json, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise RouterError("api.assert.invalid_type", f"{name}.collections", "array of strings")
    if _is_wild(value):
        raise RouterError("services.storage.invalid_target_format", "collection", value)
    return value


def _is_wild(name: str) -> bool:
    return name == "_all" or not _WILD.isdisjoint(name)
