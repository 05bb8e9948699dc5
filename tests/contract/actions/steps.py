"""The action contract as data: what is asked, in order, and what must come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request and what its answer must be.

    `sees` looks at the result of a success; `error` is the id of a refusal.
    """

    about: str
    ask: Payload
    status: int = 200
    error: str | None = None
    sees: Callable[[Any], bool] = lambda result: True


def _on(controller: str, action: str, **arguments: Any) -> Payload:
    return {"controller": controller, "action": action, **arguments}


def doc(action: str, _id: str | None = None, body: Any = None, **arguments: Any) -> Payload:
    payload = _on("document", action, index="lab", collection="things", **arguments)
    return _filled(payload, _id, body)


def _asset(action: str, _id: str | None = None, body: Any = None, **arguments: Any) -> Payload:
    payload = _on("device-manager/asset", action, **{"index": "fleet", **arguments})
    return _filled(payload, _id, body)


def _assets(action: str, _id: str | None = None, body: Any = None, **arguments: Any) -> Payload:
    payload = _on("device-manager/assets", action, **{"engineId": "fleet", **arguments})
    return _filled(payload, _id, body)


def _filled(payload: Payload, _id: str | None, body: Any) -> Payload:
    if _id is not None:
        payload["_id"] = _id
    if body is not None:
        payload["body"] = body
    return payload


MISSING = "api.assert.missing_argument"
WRONG_TYPE = "api.assert.invalid_type"
NO_BODY = "api.assert.body_required"
NOT_FOUND = "services.storage.not_found"
NO_INDEX = "services.storage.unknown_index"
NO_COLLECTION = "services.storage.unknown_collection"

ROUTER = [
    Step(about="no controller", ask={"action": "now"}, status=400, error=MISSING),
    Step(about="no action", ask={"controller": "server"}, status=400, error=MISSING),
    Step(
        about="unknown controller",
        ask=_on("nope", "now"),
        status=404,
        error="api.process.controller_not_found",
    ),
    Step(
        about="unknown action",
        ask=_on("server", "nope"),
        status=404,
        error="api.process.action_not_found",
    ),
    Step(
        about="a forged token",
        ask=_on("server", "now", jwt="a.b.c"),
        status=401,
        error="security.token.invalid",
    ),
    Step(
        about="volatile comes back",
        ask=_on("server", "now", volatile={"sdkName": "js@7.17.1", "who": "me"}),
    ),
]

SERVER = [
    Step(about="now", ask=_on("server", "now"), sees=lambda r: r["now"] > 1_600_000_000_000),
    Step(about="info", ask=_on("server", "info"), sees=lambda r: "serverInfo" in r),
    Step(
        about="publicApi",
        ask=_on("server", "publicApi"),
        sees=lambda r: r["device-manager/asset"]["update"]["http"][0]["verb"] == "PUT",
    ),
    Step(
        about="healthCheck", ask=_on("server", "healthCheck"), sees=lambda r: r["status"] == "green"
    ),
    Step(about="adminExists", ask=_on("server", "adminExists"), sees=lambda r: not r["exists"]),
    Step(about="metrics", ask=_on("server", "metrics"), sees=lambda r: "api" in r),
    Step(
        about="capabilities",
        ask=_on("server", "capabilities"),
        sees=lambda r: (
            r["limits"]["documentsWriteCount"] == 200
            and "now" in r["routes"]["server"]
            and "device-manager" in r["plugins"]
        ),
    ),
    Step(
        about="getConfig",
        ask=_on("server", "getConfig"),
        sees=lambda r: r["limits"]["documentsFetchCount"] == 10_000 and "access" not in r,
    ),
    Step(
        about="getLastStats",
        ask=_on("server", "getLastStats"),
        sees=lambda r: sum(r["completedRequests"].values()) > 3,
    ),
    Step(about="getAllStats", ask=_on("server", "getAllStats"), sees=lambda r: r["total"] == 1),
    Step(
        about="getStats up to a date",
        ask=_on("server", "getStats", startTime=0, stopTime="2001-02-03T04:05:06Z"),
        sees=lambda r: r == {"hits": [], "total": 0},
    ),
    Step(
        about="getStats from a date",
        ask=_on("server", "getStats", startTime="2001-02-03"),
        sees=lambda r: r["total"] == 1,
    ),
    Step(
        about="getStats at no time",
        ask=_on("server", "getStats", startTime="soon"),
        status=400,
        error="api.assert.invalid_argument",
    ),
    Step(
        about="the cluster",
        ask=_on("cluster", "status"),
        sees=lambda r: r["activeNodes"] == 1 and r["activity"][0]["event"] == "joined",
    ),
    Step(
        about="what it runs on",
        ask=_on("debug", "nodeVersion"),
        sees=lambda r: r.startswith("python 3."),
    ),
]

AUTH = [
    Step(
        about="checkToken without one",
        ask=_on("auth", "checkToken", body={}),
        sees=lambda r: r == {"valid": True, "kuid": "-1", "expiresAt": -1},
    ),
    Step(
        about="checkToken of a bad one is an answer, not an error",
        ask=_on("auth", "checkToken", body={"token": "a.b.c"}),
        sees=lambda r: r["valid"] is False and isinstance(r["state"], str),
    ),
    Step(
        about="getCurrentUser", ask=_on("auth", "getCurrentUser"), sees=lambda r: r["_id"] == "-1"
    ),
    Step(about="getStrategies", ask=_on("auth", "getStrategies"), sees=lambda r: r == ["local"]),
    Step(
        about="getMyRights",
        ask=_on("auth", "getMyRights"),
        sees=lambda r: r["hits"][0]["value"] == "allowed" and r["total"] == len(r["hits"]),
    ),
]

INDEX = [
    Step(about="index:create", ask=_on("index", "create", index="lab")),
    Step(
        about="index:create twice",
        ask=_on("index", "create", index="lab"),
        status=412,
        error="services.storage.index_already_exists",
    ),
    Step(
        about="index:create with a bad name",
        ask=_on("index", "create", index="Not-Lower"),
        status=400,
        error="services.storage.invalid_index_name",
    ),
    Step(
        about="index:create without a name",
        ask=_on("index", "create"),
        status=400,
        error=MISSING,
    ),
    Step(about="index:exists", ask=_on("index", "exists", index="lab"), sees=lambda r: r is True),
    Step(
        about="index:exists, not", ask=_on("index", "exists", index="x"), sees=lambda r: r is False
    ),
    Step(about="index:list", ask=_on("index", "list"), sees=lambda r: "lab" in r["indexes"]),
    Step(
        about="index:delete of none",
        ask=_on("index", "delete", index="x"),
        status=412,
        error=NO_INDEX,
    ),
]

COLLECTION = [
    Step(
        about="collection:create with a mapping",
        ask=_on(
            "collection",
            "create",
            index="lab",
            collection="things",
            body={
                "mappings": {
                    "properties": {
                        "name": {"type": "keyword"},
                        "n": {"type": "integer"},
                        "when": {"type": "date"},
                        "on": {"type": "boolean"},
                        "place": {"type": "geo_point"},
                        "deep": {"properties": {"er": {"type": "keyword"}}},
                    }
                }
            },
        ),
        sees=lambda r: r == {"acknowledged": True},
    ),
    Step(
        about="collection:create with a bad name",
        ask=_on("collection", "create", index="lab", collection="UPPER"),
        status=400,
        error="services.storage.invalid_collection_name",
    ),
    Step(
        about="collection:create with a bad mapping",
        ask=_on(
            "collection",
            "create",
            index="lab",
            collection="bad",
            body={"mappings": {"propertie": {}}},
        ),
        status=400,
        error="services.storage.invalid_mapping",
    ),
    Step(
        about="collection:exists",
        ask=_on("collection", "exists", index="lab", collection="things"),
        sees=lambda r: r is True,
    ),
    Step(
        about="collection:list",
        ask=_on("collection", "list", index="lab"),
        sees=lambda r: {"name": "things", "type": "stored"} in r["collections"],
    ),
    Step(
        about="collection:list of no index",
        ask=_on("collection", "list", index="x"),
        status=412,
        error=NO_INDEX,
    ),
    Step(
        about="collection:getMapping",
        ask=_on("collection", "getMapping", index="lab", collection="things"),
        sees=lambda r: (
            r["properties"]["n"] == {"type": "integer"} and "_kuzzle_info" not in r["properties"]
        ),
    ),
    Step(
        about="collection:getMapping with the router's own fields",
        ask=_on(
            "collection", "getMapping", index="lab", collection="things", includeKuzzleMeta=True
        ),
        sees=lambda r: "_kuzzle_info" in r["properties"],
    ),
    Step(
        about="collection:update adds a field",
        ask=_on(
            "collection",
            "update",
            index="lab",
            collection="things",
            body={"mappings": {"properties": {"late": {"type": "keyword"}}}},
        ),
    ),
    Step(
        about="collection:update can't change a type",
        ask=_on(
            "collection",
            "update",
            index="lab",
            collection="things",
            body={"mappings": {"properties": {"n": {"type": "keyword"}}}},
        ),
        status=400,
        error="services.storage.cannot_change_mapping",
    ),
    Step(
        about="collection:update of none",
        ask=_on("collection", "update", index="lab", collection="x", body={"mappings": {}}),
        status=412,
        error=NO_COLLECTION,
    ),
    Step(
        about="collection:refresh",
        ask=_on("collection", "refresh", index="lab", collection="things"),
    ),
    Step(
        about="collection:refresh of none",
        ask=_on("collection", "refresh", index="lab", collection="x"),
        status=412,
        error=NO_COLLECTION,
    ),
    Step(
        about="collection:delete of none",
        ask=_on("collection", "delete", index="lab", collection="x"),
        status=412,
        error=NO_COLLECTION,
    ),
    Step(
        about="collection:create to be deleted",
        ask=_on("collection", "create", index="lab", collection="gone"),
    ),
    Step(
        about="collection:delete", ask=_on("collection", "delete", index="lab", collection="gone")
    ),
    Step(
        about="collection:exists, not",
        ask=_on("collection", "exists", index="lab", collection="gone"),
        sees=lambda r: r is False,
    ),
]

DOCUMENT = [
    Step(
        about="create",
        ask=doc("create", "d1", {"name": "one", "n": 1, "deep": {"er": "x", "s": 1}}),
        sees=lambda r: (
            r["_id"] == "d1"
            and r["_version"] == 1
            and r["_source"]["_kuzzle_info"]["author"] == "-1"
            and r["_source"]["_kuzzle_info"]["updater"] is None
        ),
    ),
    Step(
        about="create twice",
        ask=doc("create", "d1", {"name": "one"}),
        status=400,
        error="services.storage.document_already_exists",
    ),
    Step(about="create without body", ask=doc("create", "d2"), status=400, error=NO_BODY),
    Step(
        about="create with a leading underscore",
        ask=doc("create", "_d", {}),
        status=400,
        error="api.assert.invalid_id",
    ),
    Step(
        about="create against the mapping",
        ask=doc("create", "d2", {"n": "not a number"}),
        status=400,
        error="services.storage.unexpected_bad_request",
    ),
    Step(
        about="create in no index",
        ask={**doc("create", "d2", {}), "index": "x"},
        status=412,
        error=NO_INDEX,
    ),
    Step(
        about="create in no collection",
        ask={**doc("create", "d2", {}), "collection": "x"},
        status=412,
        error=NO_COLLECTION,
    ),
    Step(
        about="get",
        ask=doc("get", "d1"),
        sees=lambda r: r["_source"]["deep"] == {"er": "x", "s": 1} and r["_version"] == 1,
    ),
    Step(about="get of none", ask=doc("get", "nope"), status=404, error=NOT_FOUND),
    Step(about="get without id", ask=doc("get"), status=400, error=MISSING),
    Step(
        about="get with an id that isn't text",
        ask={**doc("get"), "_id": 5},
        status=400,
        error=WRONG_TYPE,
    ),
    Step(
        about="update answers the changes",
        ask=doc("update", "d1", {"deep": {"s": 2}, "n": None}),
        sees=lambda r: (
            r["_version"] == 2
            and r["_source"]["deep"] == {"s": 2}
            and "name" not in r["_source"]
            and r["_source"]["_kuzzle_info"]["updater"] == "-1"
        ),
    ),
    Step(
        about="update answers the whole with source",
        ask=doc("update", "d1", {"n": 7}, source=True),
        sees=lambda r: (
            r["_version"] == 3
            and r["_source"]["name"] == "one"
            and r["_source"]["deep"] == {"er": "x", "s": 2}
        ),
    ),
    Step(
        about="equal content counts as an update",
        ask=doc("update", "d1", {"n": 7}),
        sees=lambda r: r["_version"] == 4,
    ),
    Step(
        about="update waits for the search",
        ask=doc("update", "d1", {"n": 8}, refresh="wait_for"),
        sees=lambda r: r["_version"] == 5,
    ),
    Step(
        about="and the search sees it",
        ask=doc("search", body={"query": {"term": {"n": 8}}}),
        sees=lambda r: r["total"] == 1 and r["hits"][0]["_id"] == "d1",
    ),
    Step(
        about="update with another refresh",
        ask=doc("update", "d1", {"n": 9}, refresh="true"),
        status=400,
        error="services.storage.invalid_argument",
    ),
    Step(
        about="update retried",
        ask=doc("update", "d1", {"n": 9}, retryOnConflict=3),
        sees=lambda r: r["_version"] == 6,
    ),
    Step(
        about="update with retryOnConflict as text",
        ask=doc("update", "d1", {"n": 9}, retryOnConflict="3"),
        sees=lambda r: r["_version"] == 7,
    ),
    Step(
        about="update with a retryOnConflict that is no number",
        ask=doc("update", "d1", {"n": 9}, retryOnConflict="foo"),
        status=400,
        error=WRONG_TYPE,
    ),
    Step(
        about="update with too many retries",
        ask=doc("update", "d1", {"n": 9}, retryOnConflict=101),
        status=400,
        error="api.assert.invalid_argument",
    ),
    Step(about="update of none", ask=doc("update", "nope", {"n": 1}), status=404, error=NOT_FOUND),
    Step(about="update without body", ask=doc("update", "d1"), status=400, error=NO_BODY),
    Step(
        about="a client's _kuzzle_info is dropped",
        ask=doc("update", "d1", {"_kuzzle_info": {"author": "me"}}, source=True),
        sees=lambda r: r["_source"]["_kuzzle_info"]["author"] == "-1",
    ),
    Step(
        about="replace",
        ask=doc("replace", "d1", {"name": "uno"}),
        sees=lambda r: "n" not in r["_source"] and r["_version"] == 9,
    ),
    Step(about="replace of none", ask=doc("replace", "no", {}), status=404, error=NOT_FOUND),
    Step(
        about="createOrReplace, new",
        ask=doc("createOrReplace", "d3", {"name": "three", "n": 3}),
        sees=lambda r: r["created"] is True and r["_version"] == 1,
    ),
    Step(
        about="createOrReplace, old",
        ask=doc("createOrReplace", "d3", {"name": "drei", "n": 33}, refresh="wait_for"),
        sees=lambda r: r["created"] is False and r["_version"] == 2,
    ),
    Step(about="exists", ask=doc("exists", "d3"), sees=lambda r: r is True),
    Step(about="exists, not", ask=doc("exists", "nope"), sees=lambda r: r is False),
    Step(about="count", ask=doc("count"), sees=lambda r: r["count"] == 2),
    Step(
        about="count of a query",
        ask=doc("count", body={"query": {"range": {"n": {"gte": 33}}}}),
        sees=lambda r: r["count"] == 1,
    ),
    Step(
        about="search, sorted and cut",
        ask=doc("search", body={"query": {}, "sort": [{"name": "asc"}]}, **{"from": 1, "size": 1}),
        sees=lambda r: r["total"] == 2 and [hit["_id"] for hit in r["hits"]] == ["d1"],
    ),
    Step(
        about="search whose next page is open",
        ask=doc("search", body={}, size=1, scroll="10s"),
        sees=lambda r: (len(r["hits"]), r["remaining"], r["total"]) == (1, 1, 2) and r["scrollId"],
    ),
    Step(
        about="search behind a document",
        ask=doc("search", body={"sort": ["_id"], "search_after": ["d1"]}),
        sees=lambda r: r["total"] == 2 and [hit["_id"] for hit in r["hits"]] == ["d3"],
    ),
    Step(
        about="search in a bool",
        ask=doc(
            "search",
            body={
                "query": {
                    "bool": {
                        "must": [{"exists": {"field": "name"}}],
                        "must_not": [{"ids": {"values": ["d1"]}}],
                    }
                }
            },
        ),
        sees=lambda r: [hit["_id"] for hit in r["hits"]] == ["d3"],
    ),
    Step(
        about="search with an unknown key",
        ask=doc("search", body={"querry": {}}),
        status=400,
        error="services.storage.invalid_search_query",
    ),
    Step(
        about="search with an unknown keyword",
        ask=doc("search", body={"query": {"equals": {"name": "x"}}}),
        status=400,
        error="services.storage.unknown_query_keyword",
    ),
    Step(
        about="search for too many",
        ask=doc("search", body={}, size=10_001),
        status=413,
        error="services.storage.get_limit_exceeded",
    ),
    Step(
        about="search in no collection",
        ask={**doc("search", body={}), "collection": "x"},
        status=412,
        error=NO_COLLECTION,
    ),
    Step(about="delete", ask=doc("delete", "d3"), sees=lambda r: r == {"_id": "d3"}),
    Step(about="delete of none", ask=doc("delete", "d3"), status=404, error=NOT_FOUND),
    Step(
        about="versions go on growing over a deletion",
        ask=doc("create", "d3", {"name": "again"}),
        sees=lambda r: r["_version"] == 4,
    ),
    Step(
        about="delete that answers what it removed",
        ask=doc("delete", "d3", source=True),
        sees=lambda r: r["_source"]["name"] == "again",
    ),
]

ENGINE = [
    Step(
        about="an asset action on no engine",
        ask=_asset("get", "a"),
        status=400,
        error="trivium.engine.unknown",
    ),
    Step(
        about="engine:create",
        ask=_on("device-manager/engine", "create", index="fleet"),
        sees=lambda r: r["index"] == "fleet" and "assets" in r["collections"],
    ),
    Step(
        about="engine:create twice",
        ask=_on("device-manager/engine", "create", index="fleet"),
        status=400,
    ),
    Step(
        about="engine:exists",
        ask=_on("device-manager/engine", "exists", index="fleet"),
        sees=lambda r: r == {"exists": True},
    ),
    Step(
        about="engine:list",
        ask=_on("device-manager/engine", "list"),
        sees=lambda r: [e["index"] for e in r["engines"]] == ["fleet"],
    ),
    Step(about="engine:update", ask=_on("device-manager/engine", "update", index="fleet")),
    Step(
        about="engine:update of none",
        ask=_on("device-manager/engine", "update", index="x"),
        status=404,
    ),
]

ASSET = [
    Step(
        about="create",
        ask=_asset("create", body={"model": "Truck", "reference": "1", "metadata": {"weight": 3}}),
        sees=lambda r: r["_id"] == "Truck-1" and r["_version"] == 1,
    ),
    Step(
        about="create with a type",
        ask=_asset("create", body={"type": "vehicle", "model": "Truck", "reference": "1"}),
        sees=lambda r: r["_id"] == "vehicle-Truck-1",
    ),
    Step(
        about="create twice",
        ask=_asset("create", body={"model": "Truck", "reference": "1"}),
        status=400,
        error="services.storage.document_already_exists",
    ),
    Step(
        about="create without model",
        ask=_asset("create", body={"reference": "1"}),
        status=400,
        error=MISSING,
    ),
    Step(about="create without body", ask=_asset("create"), status=400, error=NO_BODY),
    Step(
        about="update, the main job",
        ask=_asset("update", "Truck-1", {"metadata": {"tires": {"front": 2}}}),
        sees=lambda r: (
            r["_version"] == 2
            and r["_source"]["metadata"] == {"tires": {"front": 2}}
            and r["_source"]["_kuzzle_info"]["updater"] == "-1"
        ),
    ),
    Step(
        about="update merges objects, replaces arrays, stores null",
        ask=_asset(
            "update",
            "Truck-1",
            {"metadata": {"tires": {"rear": [1, 2]}, "weight": None}},
            source=True,
        ),
        sees=lambda r: (
            r["_source"]["metadata"] == {"weight": None, "tires": {"front": 2, "rear": [1, 2]}}
        ),
    ),
    Step(
        about="update, searchable when answered",
        ask=_asset("update", "Truck-1", {"softTenant": ["north"]}, refresh="wait_for"),
    ),
    Step(
        about="search sees it",
        ask=_asset("search", body={"query": {"term": {"softTenant": "north"}}}),
        sees=lambda r: r["total"] == 1,
    ),
    Step(
        about="update with any other refresh waits too",
        ask=_asset("update", "Truck-1", {"softTenant": ["south"]}, refresh="foo"),
        sees=lambda r: r["_version"] == 5,
    ),
    Step(
        about="update retried",
        ask=_asset("update", "Truck-1", {"metadata": {"n": 1}}, retryOnConflict=10),
        sees=lambda r: r["_version"] == 6,
    ),
    Step(
        about="update with a negative retryOnConflict",
        ask=_asset("update", "Truck-1", {"metadata": {}}, retryOnConflict=-1),
        status=400,
        error="api.assert.invalid_argument",
    ),
    Step(
        about="update of none",
        ask=_asset("update", "x", {"metadata": {}}),
        status=404,
        error=NOT_FOUND,
    ),
    Step(about="update without id", ask=_asset("update", body={}), status=400, error=MISSING),
    Step(
        about="update without index",
        ask=_asset("update", "x", {}, index=None),
        status=400,
        error=MISSING,
    ),
    Step(about="update without body", ask=_asset("update", "Truck-1"), status=400, error=NO_BODY),
    Step(
        about="update with an array",
        ask=_asset("update", "Truck-1", [1]),
        status=400,
        error=WRONG_TYPE,
    ),
    Step(
        about="update of a field that assets don't have",
        ask=_asset("update", "Truck-1", {"colour": "red"}),
        status=400,
        error="services.storage.strict_mapping_rejection",
    ),
    Step(
        about="update on an unknown engine",
        ask=_asset("update", "Truck-1", {}, index="x"),
        status=400,
        error="trivium.engine.unknown",
    ),
    Step(
        about="get",
        ask=_asset("get", "Truck-1"),
        sees=lambda r: r["_version"] == 6 and r["_source"]["softTenant"] == ["south"],
    ),
    Step(about="get of none", ask=_asset("get", "x"), status=404, error=NOT_FOUND),
    Step(
        about="upsert of none creates",
        ask=_asset("upsert", body={"model": "Truck", "reference": "2", "metadata": {"a": 1}}),
        sees=lambda r: r["_id"] == "Truck-2",
    ),
    Step(
        about="upsert of one updates",
        ask=_asset("upsert", body={"model": "Truck", "reference": "2", "metadata": {"b": 2}}),
        sees=lambda r: r["_source"]["metadata"] == {"a": 1, "b": 2},
    ),
    Step(about="delete", ask=_asset("delete", "Truck-2", refresh="wait_for")),
    Step(about="delete of none", ask=_asset("delete", "Truck-2"), status=404, error=NOT_FOUND),
]

ASSETS = [
    Step(
        about="create of a declared model",
        ask=_assets(
            "create", body={"model": "Container", "reference": "7", "metadata": {"weight": 5}}
        ),
        sees=lambda r: (
            r["_id"] == "Container-7"
            and r["_source"]["metadata"]["weight"] == 5
            and r["_source"]["metadata"]["height"] == 20
        ),
    ),
    Step(
        about="create of an unknown model",
        ask=_assets("create", body={"model": "N", "reference": "7"}),
        status=404,
    ),
    Step(
        about="update answers the whole asset",
        ask=_assets("update", "Container-7", {"metadata": {"weight": 6}}),
        sees=lambda r: r["_source"]["metadata"]["height"] == 20 and r["_version"] == 2,
    ),
    Step(
        about="update without metadata",
        ask=_assets("update", "Container-7", {"x": 1}),
        status=400,
        error=MISSING,
    ),
    Step(
        about="update with metadata that is no object",
        ask=_assets("update", "Container-7", {"metadata": [1]}),
        status=400,
        error=WRONG_TYPE,
    ),
    Step(
        about="update with metadata that no model has",
        ask=_assets("update", "Container-7", {"metadata": {"nope": 1}}),
        status=400,
        error="services.storage.strict_mapping_rejection",
    ),
    Step(
        about="update without engineId",
        ask=_assets("update", "x", {"metadata": {}}, engineId=None),
        status=400,
        error=MISSING,
    ),
    Step(
        about="get",
        ask=_assets("get", "Container-7"),
        sees=lambda r: r["_source"]["reference"] == "7",
    ),
    Step(
        about="upsert",
        ask=_assets(
            "upsert",
            body={"model": "Container", "reference": "7", "metadata": {"weight": 9}},
            refresh="wait_for",
        ),
        sees=lambda r: r["_source"]["metadata"]["weight"] == 9,
    ),
    Step(
        about="search",
        ask=_assets("search", body={"query": {"term": {"metadata.weight": 9}}}),
        sees=lambda r: r["total"] == 1 and r["fetched"] == 1,
    ),
    Step(about="delete", ask=_assets("delete", "Container-7")),
    Step(about="delete of none", ask=_assets("delete", "Container-7"), status=404, error=NOT_FOUND),
]

IMPORT = [
    Step(
        about="importAssets",
        ask=_asset(
            "importAssets",
            body={"csv": "model,reference,metadata.weight\nTruck,10,4\nTruck,11,5\n"},
            refresh="wait_for",
        ),
    ),
    Step(
        about="importAssets stores what the rows say",
        ask=_asset("get", "Truck-11"),
        sees=lambda r: r["_source"]["metadata"]["weight"] in (5, "5"),
    ),
    Step(
        about="importAssets without csv",
        ask=_asset("importAssets", body={}),
        status=400,
        error=MISSING,
    ),
]

LEAVING = [
    Step(about="engine:delete", ask=_on("device-manager/engine", "delete", index="fleet")),
    Step(
        about="engine:delete of none",
        ask=_on("device-manager/engine", "delete", index="fleet"),
        status=404,
    ),
    Step(
        about="index:delete",
        ask=_on("index", "delete", index="lab"),
        sees=lambda r: r == {"acknowledged": True},
    ),
]
