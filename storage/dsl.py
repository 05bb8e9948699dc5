"""Search bodies of the Elasticsearch language, read into `storage.query.Search`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.clauses import MAX_DEPTH, Clauses
from storage.grouping import Groups
from storage.query import MatchAll, Query, Scalar, Search, Sort
from storage.refusals import malformed, unsupported

MAX_SORT_KEYS: Final = 32
"""Sort keys of one search."""

MAX_BODY_DEPTH: Final = 4 * MAX_DEPTH
"""Levels of objects and arrays in a search body: a bool clause takes three."""

_SORT_OPTIONS: Final = ("order", "missing", "unmapped_type", "mode")
_IGNORED_KEYS: Final = ("_score", "_doc")
_SCRIPT_KEYS: Final = ("script", "_script")
_SCRIPT_ARGUMENTS: Final = ("id", "params")


def read_search(
    body: JsonObject | None,
    *,
    offset: int | None = None,
    size: int | None = None,
    lang: str | None = None,
) -> Search:
    """The search that a request body asks for.

    Args:
        body: `{query?, sort?, from?, size?, _source?, …}`; None and `{}` ask for everything.
        offset, size: The request's own `from` and `size`; they go before those of the body.
        lang: The language of the query: `elasticsearch` (default); `koncorde` is to come.

    Raises:
        RouterError: `services.storage.invalid_search_query` (a root key that no search has),
            `services.storage.unknown_query_keyword`, `services.storage.invalid_query_keyword`
            (a script with its own code), `services.storage.unexpected_bad_request`;
            `trivium.unsupported.feature` for what the peer has and this store hasn't.

    Source: Kuzzle reference, "Storage model", search body root keys.
    """
    if lang == "koncorde":
        raise unsupported("The query language koncorde")
    if lang not in (None, "elasticsearch"):
        raise RouterError("services.storage.invalid_argument", "lang", '"elasticsearch"')
    search = Search()
    body = body or {}
    _refuse_scripts(body, 0)
    for key, value in body.items():
        if key not in _ROOT_KEYS:
            raise RouterError("services.storage.invalid_search_query", key)
        search = _ROOT_KEYS[key](search, key, value)
    if offset is not None:
        search = _offset(search, "from", offset)
    if size is not None:
        search = _size(search, "size", size)
    if search.after is not None:
        _check_after(search, body)
    return search


def read_query(query: Json) -> Query:
    """The tree of a bare query, the value of `query` in a search body; None is match_all.

    Raises:
        RouterError: As `read_search`.
    """
    return MatchAll() if query is None else Clauses().read(query)


def _refuse_scripts(value: Json, depth: int) -> None:
    if depth > MAX_BODY_DEPTH:
        raise malformed(f"A search body has at most {MAX_BODY_DEPTH} levels.")
    if isinstance(value, list):
        for item in value:
            _refuse_scripts(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in _SCRIPT_KEYS and isinstance(item, dict):
                _refuse_code(key, item)
            _refuse_scripts(item, depth + 1)


def _refuse_code(key: str, script: JsonObject) -> None:
    for argument in script:
        if argument not in _SCRIPT_ARGUMENTS:
            raise RouterError("services.storage.invalid_query_keyword", f"{key}.{argument}")


def _with(search: Search, **changes: object) -> Search:
    return msgspec.structs.replace(search, **changes)


def _query(search: Search, _key: str, value: Json) -> Search:
    return _with(search, query=read_query(value))


def _offset(search: Search, key: str, value: Json) -> Search:
    return _with(search, offset=_natural(key, value))


def _size(search: Search, key: str, value: Json) -> Search:
    return _with(search, size=_natural(key, value))


def _natural(key: str, value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise malformed(f"{key} is a whole number, not negative.")
    return value


def _sort(search: Search, _key: str, value: Json) -> Search:
    items = value if isinstance(value, list) else [value]
    keys = tuple(key for item in items if item is not None for key in _sort_keys(item))
    if len(keys) > MAX_SORT_KEYS:
        raise malformed(f"A search sorts by at most {MAX_SORT_KEYS} keys.")
    return _with(search, sort=keys)


def _sort_keys(item: Json) -> list[Sort]:
    if isinstance(item, str):
        return _sort_key(item, {})
    if isinstance(item, dict):
        return [key for field, options in item.items() for key in _sort_key(field, options)]
    raise malformed("A sort key is the name of a field, or an object.")


def _sort_key(field: str, options: Json) -> list[Sort]:
    if field in _IGNORED_KEYS:  # all scores are alike
        return []
    if field in ("_geo_distance", "_script"):
        raise unsupported(f"Sorting by {field}")
    given = {"order": options} if isinstance(options, str) else options
    if not isinstance(given, dict):
        raise malformed(f"The sort of {field} is asc, desc or an object.")
    for option in given:
        if option not in _SORT_OPTIONS:
            raise unsupported(f'The sort option "{option}"')
    order, missing = given.get("order", "asc"), given.get("missing", "_last")
    if order not in ("asc", "desc"):
        raise malformed(f"The order of {field} is asc or desc.")
    if missing not in ("_first", "_last"):
        raise unsupported("A sort's own value for documents without the field")
    is_descending = order == "desc"
    if given.get("mode") not in (None, "max" if is_descending else "min"):
        raise unsupported(f'The sort mode "{given["mode"]}", {order}ending')
    return [Sort(field, is_descending, missing == "_first", "unmapped_type" in given)]


def _search_after(search: Search, key: str, value: Json) -> Search:
    if value is None:
        return search
    if not isinstance(value, list) or not value:
        raise malformed(f"{key} is an array with a value for each sort key.")
    return _with(search, after=tuple(_sort_value(key, each) for each in value))


def _sort_value(key: str, value: Json) -> Scalar:
    if isinstance(value, (dict, list)):
        raise malformed(f"The values of {key} are texts, numbers, booleans or null.")
    return value


def _check_after(search: Search, body: JsonObject) -> None:
    sort = body.get("sort")
    if any(_sort_name(each) in _IGNORED_KEYS for each in (sort if isinstance(sort, list) else [])):
        raise unsupported("search_after behind a score")
    if search.after is not None and len(search.after) != len(search.sort):
        raise malformed(
            f"search_after has {len(search.after)} values, and sort {len(search.sort)} keys."
        )
    if search.offset:
        raise malformed("from is 0 where search_after says where to go on.")


def _sort_name(item: Json) -> str:
    return item if isinstance(item, str) else next(iter(item), "") if isinstance(item, dict) else ""


def _aggregations(search: Search, _key: str, value: Json) -> Search:
    found = Groups(Clauses(), _read_top_hits).read(value)
    return _with(search, aggregations=(*search.aggregations, *found))


def _read_top_hits(options: JsonObject) -> Search:
    return read_search(options)


def _post_filter(search: Search, _key: str, value: Json) -> Search:
    return _with(search, post_filter=None if value is None else read_query(value))


def _source(search: Search, key: str, value: Json) -> Search:
    if value is None or value is True:
        return search
    if value is False:
        return _with(search, source_includes=())
    if not isinstance(value, dict):
        return _with(search, source_includes=_paths(key, value) or None)
    for option in value:
        if option not in ("includes", "include", "excludes", "exclude"):
            raise malformed(f"{key} doesn't know {option}.")
    includes = _paths(key, value.get("includes", value.get("include")))
    excludes = _paths(key, value.get("excludes", value.get("exclude")))
    return _with(search, source_includes=includes or None, source_excludes=excludes)


def _source_includes(search: Search, key: str, value: Json) -> Search:
    return _with(search, source_includes=_paths(key, value) or None)


def _source_excludes(search: Search, key: str, value: Json) -> Search:
    return _with(search, source_excludes=_paths(key, value))


def _paths(key: str, value: Json) -> tuple[str, ...]:
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    paths = tuple(item for item in items if isinstance(item, str))
    if len(paths) != len(items):
        raise malformed(f"{key} takes names of fields.")
    return paths


def _foreign(search: Search, key: str, value: Json) -> Search:
    if value in (None, False, {}, []):
        return search
    raise unsupported(f'"{key}" of a search')


def _ignored(search: Search, _key: str, _value: Json) -> Search:
    return search


_ROOT_KEYS: Final[dict[str, Callable[[Search, str, Json], Search]]] = {
    "query": _query,
    "sort": _sort,
    "from": _offset,
    "size": _size,
    "_source": _source,
    "_source_includes": _source_includes,
    "_source_excludes": _source_excludes,
    "_name": _ignored,
    "aggregations": _aggregations,
    "aggs": _aggregations,
    "collapse": _foreign,
    "explain": _foreign,
    "fields": _foreign,
    "highlight": _foreign,
    "post_filter": _post_filter,
    "search_after": _search_after,
    "search_timeout": _foreign,
    "suggest": _foreign,
}
