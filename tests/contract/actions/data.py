"""The chapter of specifications, settings and what else collections and indexes have."""

from __future__ import annotations

from typing import Any

from tests.contract.actions.refusals import THING, _koncorde
from tests.contract.actions.refusals import _names as names
from tests.contract.actions.refusals import _places as places
from tests.contract.actions.refusals import _refused as refused
from tests.contract.actions.refusals import _spoilt as spoilt
from tests.contract.actions.steps import MISSING, NO_BODY, WRONG_TYPE, Payload, Step

PLACE: Payload = {"index": "lab", "collection": "checked"}
SPECIFICATION: Payload = {
    "strict": True,
    "fields": {
        "name": {"type": "string", "mandatory": True, "typeOptions": {"length": {"max": 5}}},
        "colour": {
            "type": "enum",
            "defaultValue": "red",
            "typeOptions": {"values": ["red", "tan"]},
        },
        "deep": {"type": "object", "children": {"n": {"type": "integer"}}},
        "tags": {"type": "string", "multivalued": {"value": True, "maxCount": 2}},
    },
    "validators": [{"not": {"equals": {"name": "evil"}}}],
}
FIELD = "validation.check.failed_field"
WHOLE = "validation.check.failed_document"


def _collection(action: str, body: Any = None, **more: Any) -> Payload:
    ask: Payload = {"controller": "collection", "action": action, **PLACE, **more}
    return ask if body is None else {**ask, "body": body}


def _document(action: str, body: Any = None, **more: Any) -> Payload:
    return {**_collection(action, body, **more), "controller": "document"}


def _message(action: str, body: Any) -> Payload:
    return {**_collection(action, body), "controller": "realtime"}


DATA = [
    Step(
        about="a collection with settings",
        ask=_collection(
            "create",
            {
                "mappings": {"dynamic": "false", "properties": {"name": {"type": "keyword"}}},
                "settings": {"index": {"number_of_shards": 3}, "analysis": {"x": 1}},
            },
        ),
    ),
    Step(
        about="getSettings shows what was given",
        ask=_collection("getSettings"),
        sees=lambda r: r == {"number_of_shards": 3, "number_of_replicas": 1, "analysis": {"x": 1}},
    ),
    Step(
        about="collection:update adds to them",
        ask=_collection("update", {"settings": {"refresh_interval": "2s"}}),
    ),
    Step(
        about="getSettings shows both",
        ask=_collection("getSettings"),
        sees=lambda r: r["refresh_interval"] == "2s" and r["number_of_shards"] == 3,
    ),
    Step(
        about="updateMapping answers the whole mapping",
        ask=_collection("updateMapping", {"properties": {"n": {"type": "integer"}}}),
        sees=lambda r: {"name", "n"} <= r["properties"].keys() and r["dynamic"] == "false",
    ),
    Step(
        about="getSpecifications of none",
        ask=_collection("getSpecifications"),
        status=404,
        error="validation.assert.not_found",
    ),
    Step(
        about="validate without specifications",
        ask=_document("validate", {"any": 1}),
        sees=lambda r: r == {"valid": True, "errorMessages": {}},
    ),
    Step(
        about="validateSpecifications of a good one",
        ask=_collection("validateSpecifications", SPECIFICATION),
        sees=lambda r: r == {"valid": True},
    ),
    Step(
        about="validateSpecifications of a bad one",
        ask=_collection(
            "validateSpecifications",
            {"fields": {"a": {"type": "colour"}, "b": {}}, "validators": [{"nope": 1}]},
        ),
        sees=lambda r: not r["valid"] and len(r["details"]) == 3 and r["description"],
    ),
    Step(
        about="updateSpecifications of a bad one",
        ask=_collection("updateSpecifications", {"fields": {"a": {"type": "colour"}}}),
        status=400,
        error="validation.assert.invalid_specifications",
    ),
    Step(
        about="updateSpecifications",
        ask=_collection("updateSpecifications", SPECIFICATION),
        sees=lambda r: r == SPECIFICATION,
    ),
    Step(
        about="getSpecifications",
        ask=_collection("getSpecifications"),
        sees=lambda r: r == {**PLACE, "validation": SPECIFICATION},
    ),
    Step(
        about="searchSpecifications",
        ask={
            "controller": "collection",
            "action": "searchSpecifications",
            "body": {"query": {"term": {"collection": "checked"}}},
        },
        sees=lambda r: r["total"] == 1 and r["hits"][0]["_id"] == "lab#checked",
    ),
    Step(
        about="scrollSpecifications of none",
        ask={"controller": "collection", "action": "scrollSpecifications", "scrollId": "x"},
        status=404,
        error="services.storage.unknown_scroll_id",
    ),
    Step(
        about="a good document gets its defaults",
        ask=_document("create", {"name": "one", "deep": {"n": 1}, "tags": ["a"]}, _id="c1"),
        sees=lambda r: r["_source"]["colour"] == "red",
    ),
    Step(
        about="an update is checked as it leaves the document",
        ask=_document("update", {"deep": {"n": 2}}, _id="c1"),
        sees=lambda r: r["_version"] == 2,
    ),
    Step(
        about="replace",
        ask=_document("replace", {"name": "two", "colour": "tan"}, _id="c1"),
        sees=lambda r: r["_source"]["colour"] == "tan",
    ),
    *(
        Step(about=f"{action} {why}", ask=_document(action, body, _id=key), status=400, error=error)
        for body, why, error in (
            ({"name": "two", "deep": {"n": 1.5}}, "of a wrong field", FIELD),
            ({"name": "evil"}, "against the filter", WHOLE),
        )
        for action, key in (
            ("create", "c2"),
            ("createOrReplace", "c1"),
            ("replace", "c1"),
            ("update", "c1"),
        )
    ),
    Step(
        about="validate tells everything",
        ask=_document("validate", {"other": 1, "tags": ["a", "b", "c"], "deep": {"n": "x"}}),
        sees=lambda r: (
            r["valid"] is False
            and len(r["errorMessages"]["documentScope"]) == 1
            and r["errorMessages"]["fieldScope"]["children"].keys() == {"name", "tags", "deep"}
            and r["errorMessages"]["fieldScope"]["children"]["deep"]["children"]["n"]["messages"]
        ),
    ),
    Step(
        about="a message of a wrong field is tried out",
        ask=_message("validate", {"name": "one", "deep": {"n": "x"}}),
        sees=lambda r: r["valid"] is False and r["errorMessages"]["fieldScope"],
    ),
    *(
        Step(about=f"a message {why}", ask=_message("publish", body), status=400, error=error)
        for body, why, error in (
            ({"name": "two", "deep": {"n": 1.5}}, "of a wrong field", FIELD),
            ({"name": "evil"}, "against the filter", WHOLE),
        )
    ),
    Step(
        about="a good message",
        ask=_message("publish", {"name": "one"}),
        sees=lambda r: r == {"published": True},
    ),
    Step(
        about="what is written in bulk is not checked",
        ask=_document("mCreate", {"documents": [{"_id": "c3", "body": {}}]}),
        sees=lambda r: r["errors"] == [],
    ),
    Step(
        about="deleteSpecifications",
        ask=_collection("deleteSpecifications"),
        sees=lambda r: r == {"acknowledged": True},
    ),
    Step(about="deleteSpecifications of none", ask=_collection("deleteSpecifications")),
    Step(about="nothing is checked any more", ask=_document("create", {"other": 1}, _id="c2")),
    Step(
        about="truncate",
        ask=_collection("truncate"),
        sees=lambda r: r == {"acknowledged": True},
    ),
    Step(about="and there is nothing", ask=_document("count"), sees=lambda r: r == {"count": 0}),
    Step(
        about="index:stats",
        ask={"controller": "index", "action": "stats"},
        sees=lambda r: (
            isinstance(r["size"], int)
            and {"name": "checked", "documentCount": 0}.items()
            <= next(
                each
                for index in r["indexes"]
                if index["name"] == "lab"
                for each in index["collections"]
                if each["name"] == "checked"
            ).items()
        ),
    ),
    Step(
        about="an index to delete", ask={"controller": "index", "action": "create", "index": "m1"}
    ),
    Step(about="another", ask={"controller": "index", "action": "create", "index": "m2"}),
    Step(
        about="index:mDelete",
        ask={
            "controller": "index",
            "action": "mDelete",
            "body": {"indexes": ["m1", "none", "m2", "m1"]},
        },
        sees=lambda r: r == {"deleted": ["m1", "m2"]},
    ),
    Step(about="the collection goes", ask=_collection("delete")),
    Step(about="and comes back", ask=_collection("create")),
    Step(
        about="without its settings",
        ask=_collection("getSettings"),
        sees=lambda r: r == {"number_of_shards": 1, "number_of_replicas": 1},
    ),
]


def _refusals() -> list[Step]:
    steps: list[Step] = []
    for action in (
        *("deleteSpecifications", "getSettings", "getSpecifications", "truncate"),
        *("updateMapping", "updateSpecifications", "validateSpecifications"),
    ):
        ask: Payload = {**THING, "controller": "collection", "action": action}
        has_body = action.startswith(("update", "validate"))
        if has_body:
            ask["body"] = {}
        steps += names(ask, "index", "collection") + places(ask)
        if has_body:
            bare = {key: value for key, value in ask.items() if key != "body"}
            steps.append(refused(bare, NO_BODY, "no body"))
            steps.append(refused({**ask, "body": [1]}, WRONG_TYPE, "an array"))
    mapping = {**THING, "controller": "collection", "action": "updateMapping"}
    for body, error in (
        ({"propertie": {}}, "services.storage.invalid_mapping"),
        ({"properties": {"n": {"type": "colour"}}}, "services.storage.invalid_mapping_type"),
        ({"properties": {"n": {"type": "keyword"}}}, "services.storage.cannot_change_mapping"),
    ):
        steps.append(refused({**mapping, "body": body}, error, f"{body}"))
    trying = {**THING, "controller": "document", "action": "validate", "body": {}}
    steps += names(trying, "index", "collection") + places(trying)
    bare = {key: value for key, value in trying.items() if key != "body"}
    steps.append(refused(bare, NO_BODY, "no body"))
    many: Payload = {"controller": "index", "action": "mDelete"}
    steps.append(refused(many, NO_BODY, "no body"))
    steps.append(refused({**many, "body": {}}, MISSING, "no indexes"))
    steps.append(refused({**many, "body": {"indexes": [5]}}, WRONG_TYPE, "indexes [5]"))
    return steps + _searches()


def _searches() -> list[Step]:
    ask: Payload = {"controller": "collection", "action": "searchSpecifications", "body": {}}
    steps = _koncorde(ask)
    for body, error in (
        ({"querry": {}}, "services.storage.invalid_search_query"),
        ({"query": {"equals": {"n": 1}}}, "services.storage.unknown_query_keyword"),
        ({"query": {"more_like_this": {"like": "x"}}}, "trivium.unsupported.feature"),
        (
            {"query": {"term": {"script": {"source": "1"}}}},
            "services.storage.invalid_query_keyword",
        ),
        ({"query": 5}, "services.storage.unexpected_bad_request"),
    ):
        steps.append(refused({**ask, "body": body}, error, f"for {body}"))
    steps += spoilt(
        ask,
        lang=("sql", "api.assert.invalid_argument"),
        size=(10_001, "services.storage.get_limit_exceeded"),
        scroll=("2h", "services.storage.scroll_duration_too_great"),
    )
    steps += spoilt(ask, size=("many", WRONG_TYPE))
    scroll: Payload = {"controller": "collection", "action": "scrollSpecifications"}
    steps.append(refused(scroll, MISSING, "no scrollId"))
    steps.append(refused({**scroll, "scrollId": 5}, WRONG_TYPE, "scrollId 5"))
    return steps


REFUSALS_DATA = _refusals()
"""After `REFUSALS`, as it uses their collections."""
