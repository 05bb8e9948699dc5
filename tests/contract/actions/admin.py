"""The chapter of the `admin` controller, but for what ends the router."""

from __future__ import annotations

from typing import Any

from tests.contract.actions.people import INVALID, anything, ask, is_
from tests.contract.actions.steps import (
    MISSING,
    NO_BODY,
    NO_COLLECTION,
    NO_INDEX,
    NOT_FOUND,
    WRONG_TYPE,
)

MAPPINGS: Any = {
    "loaded": {
        "boats": {
            "mappings": {"properties": {"name": {"type": "keyword"}, "n": {"type": "integer"}}},
            "settings": {"number_of_shards": 3},
        },
        "ports": {"properties": {"name": {"type": "keyword"}}},
        "bare": {},
    },
    "empty": {},
}
FIXTURES: Any = {
    "loaded": {
        "boats": [{"create": {"_id": "b1"}}, {"name": "Argo", "n": 1}, {"index": {}}, {"n": 2}],
        "ports": [{"index": {"_id": "p1"}}, {"name": "Iolcus"}],
    }
}
BOATS = {"index": "loaded", "collection": "boats"}
DONE = is_({"acknowledge": True})
BAD = "services.storage.unexpected_bad_request"


def _mappings() -> list[Any]:
    bad: list[tuple[str, Any]] = [
        (NO_BODY, None),
        (WRONG_TYPE, {"loaded": 5}),
        (WRONG_TYPE, {"loaded": {"boats": []}}),
        (WRONG_TYPE, {"loaded": {"boats": {"mappings": 5}}}),
        (WRONG_TYPE, {"loaded": {"boats": {"settings": 5}}}),
        ("services.storage.invalid_index_name", {"Loaded": {"boats": {}}}),
        ("services.storage.invalid_collection_name", {"new": {"Boats": {}}}),
        ("services.storage.collection_reserved", {"new": {"_kuzzle_keep": {}}}),
        ("services.storage.invalid_mapping", {"loaded": {"boats": {"mappings": {"propertys": 5}}}}),
        (
            "services.storage.invalid_mapping_type",
            {"loaded": {"boats": {"properties": {"x": {"type": "boat"}}}}},
        ),
        (
            "services.storage.cannot_change_mapping",
            {"loaded": {"boats": {"properties": {"n": {"type": "keyword"}}}}},
        ),
    ]
    return [
        ask("admin:loadMappings", DONE, MAPPINGS),
        ask("admin:loadMappings", DONE, MAPPINGS),
        ask("index:exists", is_(True), index="empty"),
        ask("collection:list", lambda r: [c["name"] for c in r["collections"]], index="loaded"),
        ask("collection:getMapping", lambda r: {*r["properties"]} == {"name", "n"}, **BOATS),
        ask("collection:getSettings", lambda r: r["number_of_shards"] == 3, **BOATS),
        *(ask("admin:loadMappings", error, body) for error, body in bad),
        ask("index:exists", is_(False), index="new"),
    ]


def _fixtures() -> list[Any]:
    lines = [{"create": {"_id": "b9"}}, {"n": 9}]
    bad: list[tuple[str, Any]] = [
        (NO_BODY, None),
        (WRONG_TYPE, {"loaded": []}),
        (WRONG_TYPE, {"loaded": {"boats": {}}}),
        (BAD, {"loaded": {"boats": [*lines, {"upsert": {}}, {}]}}),
        (
            "services.storage.invalid_query_keyword",
            {"loaded": {"boats": [*lines, {"update": {"_id": "b1"}}, {"script": "ctx"}]}},
        ),
        (NO_INDEX, {"loaded": {"boats": lines}, "nowhere": {"boats": lines}}),
        (NO_COLLECTION, {"loaded": {"boats": lines, "nothing": lines}}),
    ]
    mixed = {"loaded": {"boats": [*lines, {"create": {"_id": "b1"}}, {"n": 1}]}}
    return [
        ask("admin:loadFixtures", DONE, FIXTURES, refresh="wait_for"),
        ask("document:count", is_({"count": 2}), {"query": {"range": {"n": {"gte": 1}}}}, **BOATS),
        ask("document:get", lambda r: r["_source"]["name"] == "Argo", **BOATS, _id="b1"),
        *(ask("admin:loadFixtures", error, body) for error, body in bad),
        # Of those nothing was written; of this one what could be.
        ask("document:get", NOT_FOUND, **BOATS, _id="b9"),
        ask("admin:loadFixtures", "services.storage.import_failed", mixed, refresh="false"),
        ask("document:get", lambda r: r["_source"]["n"] == 9, **BOATS, _id="b9"),
    ]


ADMIN = [
    *_mappings(),
    *_fixtures(),
    ask("admin:refreshIndexCache", anything),
    ask("admin:resetCache", DONE, database="internalCache"),
    ask("admin:resetCache", DONE, database="memoryStorage"),
    ask("admin:resetCache", "services.cache.database_not_found", database="redis"),
    ask("admin:resetCache", MISSING),
    ask("admin:resetCache", WRONG_TYPE, database=[5]),
    ask("admin:dump", DONE),
    ask("admin:dump", DONE, suffix="of-the-story"),
    ask("admin:dump", INVALID, suffix="../elsewhere"),
    ask("admin:dump", WRONG_TYPE, suffix=[5]),
]
LEAVING = [
    ask("admin:resetDatabase", DONE),
    ask("index:list", is_({"indexes": ["device-manager"]})),
    ask("document:get", NO_INDEX, **BOATS, _id="b1"),
    ask("admin:loadMappings", DONE, MAPPINGS),
    ask("document:count", is_({"count": 0}), **BOATS),
    ask("device-manager/engine:list", lambda r: r["engines"] == []),
    ask("device-manager/engine:create", anything, index="fleet"),
    ask("device-manager/engine:exists", is_({"exists": True}), index="fleet"),
]
