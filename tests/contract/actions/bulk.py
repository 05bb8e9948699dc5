"""The chapter of the `bulk` controller."""

from __future__ import annotations

from typing import Any

from tests.contract.actions.refusals import THING, _koncorde
from tests.contract.actions.refusals import _names as names
from tests.contract.actions.refusals import _places as places
from tests.contract.actions.refusals import _refused as refused
from tests.contract.actions.refusals import _spoilt as spoilt
from tests.contract.actions.steps import MISSING, NO_BODY, WRONG_TYPE, Payload, Step

PLACE: Payload = {"index": "lab", "collection": "bulky"}
MAPPING: Payload = {"properties": {"n": {"type": "integer"}, "name": {"type": "keyword"}}}
OWN = {"author": "somebody", "createdAt": 5, "updatedAt": None, "updater": None}
STRICT = "api.process.incomplete_multiple_request"
ALL: Payload = {"query": {"range": {"n": {"gte": 1}}}}


def _bulk(action: str, body: Any = None, **more: Any) -> Payload:
    ask: Payload = {"controller": "bulk", "action": action, **PLACE, **more}
    return ask if body is None else {**ask, "body": body}


BULK = [
    Step(
        about="a collection",
        ask={
            **PLACE,
            "controller": "collection",
            "action": "create",
            "body": {"mappings": MAPPING},
        },
    ),
    Step(
        about="write stores a stamp as it is",
        ask=_bulk("write", {"n": 1, "_kuzzle_info": OWN}, _id="w1"),
        sees=lambda r: r == {"_id": "w1", "_version": 1, "_source": {"n": 1, "_kuzzle_info": OWN}},
    ),
    Step(
        about="write without a stamp leaves none",
        ask=_bulk("write", {"n": 2}, _id="w1", refresh="wait_for"),
        sees=lambda r: r == {"_id": "w1", "_version": 2, "_source": {"n": 2}},
    ),
    Step(
        about="mWrite",
        ask=_bulk(
            "mWrite",
            {
                "documents": [
                    {"_id": "w2", "body": {"n": 2, "_kuzzle_info": OWN}},
                    {"_id": "w3", "body": {"n": "many"}},
                    {"_id": "w4"},
                ]
            },
        ),
        sees=lambda r: (
            r["successes"]
            == [{"_id": "w2", "_version": 1, "_source": {"n": 2, "_kuzzle_info": OWN}}]
            and [each["document"]["_id"] for each in r["errors"]] == ["w4", "w3"]
        ),
    ),
    Step(
        about="import",
        ask=_bulk(
            "import",
            {
                "bulkData": [
                    {"index": {"_id": "i1", "_index": "elsewhere"}},
                    {"n": 1},
                    {"create": {"_id": "w2"}},
                    {"n": 1},
                    {"update": {"_id": "w1"}},
                    {"doc": {"name": "new"}},
                    {"update": {"_id": "i2"}},
                    {"doc": {"n": 2}, "upsert": {"n": 1, "name": "born"}},
                    {"delete": {"_id": "none"}},
                    {"delete": {"_id": "i1"}},
                ]
            },
            refresh="wait_for",
        ),
        sees=lambda r: (
            r["successes"]
            == [
                {"index": {"_id": "i1", "status": 201}},
                {"update": {"_id": "w1", "status": 200}},
                {"update": {"_id": "i2", "status": 201}},
                {"delete": {"_id": "i1", "status": 200}},
            ]
            and r["errors"][0]["create"]["status"] == 400
            and r["errors"][0]["create"]["_source"] == {"n": 1}
            and r["errors"][0]["create"]["error"].keys() == {"type", "reason"}
            and r["errors"][1]["delete"]["status"] == 404
        ),
    ),
    Step(
        about="what was imported has a stamp",
        ask={**PLACE, "controller": "document", "action": "get", "_id": "i2"},
        sees=lambda r: (
            r["_source"]["_kuzzle_info"]["author"] == "-1" and r["_source"]["name"] == "born"
        ),
    ),
    Step(
        about="updateByQuery leaves the stamps alone",
        ask=_bulk("updateByQuery", {**ALL, "changes": {"name": "all"}}, refresh="wait_for"),
        sees=lambda r: r == {"updated": 3},
    ),
    Step(
        about="as they were",
        ask={**PLACE, "controller": "document", "action": "get", "_id": "w2"},
        sees=lambda r: r["_source"] == {"n": 2, "name": "all", "_kuzzle_info": OWN},
    ),
    Step(
        about="updateByQuery that can't be done",
        ask=_bulk("updateByQuery", {**ALL, "changes": {"n": "many"}}),
        status=400,
        error="services.storage.incomplete_update",
    ),
    Step(
        about="deleteByQuery",
        ask=_bulk("deleteByQuery", ALL, refresh="wait_for"),
        sees=lambda r: r == {"deleted": 3},
    ),
    Step(about="of none", ask=_bulk("deleteByQuery"), sees=lambda r: r == {"deleted": 0}),
]


def _refusals() -> list[Step]:
    steps: list[Step] = []
    index: Payload = {"index": {"_id": "x"}}
    asks: dict[str, Any] = {
        "write": {"n": 1},
        "mWrite": {"documents": [{"body": {}}]},
        "import": {"bulkData": [index, {}]},
        "updateByQuery": {"query": {"ids": {"values": []}}, "changes": {}},
        "deleteByQuery": {"query": {"ids": {"values": []}}},
    }
    for action, body in asks.items():
        ask: Payload = {**THING, "controller": "bulk", "action": action, "body": body}
        steps += names(ask, "index", "collection") + places(ask)
        if action != "deleteByQuery":
            bare = {key: value for key, value in ask.items() if key != "body"}
            steps.append(refused(bare, NO_BODY, "no body"))
        if action.endswith("Query"):
            steps += _queries(ask)
        elif action != "write":
            key = next(iter(body))
            steps.append(refused({**ask, "body": {}}, MISSING, f"no {key}"))
            steps.append(refused({**ask, "body": {key: 5}}, WRONG_TYPE, f"{key} 5"))
    many: Payload = {**THING, "controller": "bulk", "action": "mWrite", "strict": True}
    foreign = {"documents": [{"_source": {}}]}
    steps.append(refused({**many, "body": foreign}, "api.assert.unexpected_argument", "_source"))
    steps.append(refused({**many, "body": {"documents": [5]}}, STRICT, "strictly"))
    loading: Payload = {**many, "action": "import"}
    gone = {"bulkData": [{"delete": {"_id": "nobody"}}]}
    steps.append(refused({**loading, "body": gone}, STRICT, "strictly"))
    bad = "services.storage.unexpected_bad_request"
    for lines in (
        *([5], [{}], [{"index": 5}, {}], [{"upsert": {}}, {}], [index], [index, 5]),
        *([{"index": {}, "create": {}}], [{"delete": {}}], [{"index": {"_id": 5}}, {}]),
        *([{"update": {"_id": "x"}}, {"doc": 5}], [{"update": {"_id": "x"}}, {"dco": {}}]),
    ):
        steps.append(refused({**loading, "body": {"bulkData": lines}}, bad, f"of {lines}"))
    script = [{"update": {"_id": "x"}}, {"script": "ctx"}]
    error = "services.storage.invalid_query_keyword"
    steps.append(refused({**loading, "body": {"bulkData": script}}, error, "of a script"))
    write: Payload = {**THING, "controller": "bulk", "action": "write"}
    steps.append(refused({**write, "body": {"n": "many"}}, bad, "a wrong value"))
    strict = {**write, "collection": "strict", "body": {"other": 1}}
    steps.append(refused(strict, "services.storage.strict_mapping_rejection", "strictly"))
    return steps


def _queries(ask: Payload) -> list[Step]:
    steps = _koncorde(ask) + spoilt(ask, lang=("sql", "api.assert.invalid_argument"))
    for query, error in (
        ({"equals": {"n": 1}}, "services.storage.unknown_query_keyword"),
        ({"more_like_this": {"like": "x"}}, "trivium.unsupported.feature"),
        ({"term": {"script": {"source": "1"}}}, "services.storage.invalid_query_keyword"),
        (5, "services.storage.unexpected_bad_request"),
    ):
        steps.append(refused({**ask, "body": {**ask["body"], "query": query}}, error, f"{query}"))
    return steps


REFUSALS_BULK = _refusals()
"""After `REFUSALS`, as it uses their collections."""
