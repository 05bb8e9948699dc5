"""The refusals of the `document` actions on many documents, in part and by query."""

from __future__ import annotations

from typing import Any

from tests.contract.actions.refusals import DOCUMENT, THING, _koncorde
from tests.contract.actions.refusals import _names as names
from tests.contract.actions.refusals import _places as places
from tests.contract.actions.refusals import _refused as refused
from tests.contract.actions.refusals import _spoilt as spoilt
from tests.contract.actions.steps import Payload, Step

NO_BODY = "api.assert.body_required"
MISSING = "api.assert.missing_argument"
WRONG = "api.assert.invalid_type"
MANY: Payload = {**THING, "controller": "document"}
WRITES = ("mCreate", "mCreateOrReplace", "mReplace", "mUpdate", "mUpsert")
CROWD: Payload = {**MANY, "collection": "crowd"}


def _documents(action: str, count: int) -> Any:
    key = "changes" if action == "mUpsert" else "body"
    return {"documents": [{"_id": f"c{n}", key: {}} for n in range(count)]}


def _writes() -> list[Step]:
    steps: list[Step] = []
    for action in WRITES:
        ask = {**MANY, "action": action, "body": _documents(action, 1)}
        steps += names(ask, "index", "collection") + places(ask)
        steps += spoilt(ask, refresh=("soon", "services.storage.invalid_argument"))
        steps += _bodies(ask, "documents")
        key = "changes" if action == "mUpsert" else "body"
        foreign = {"documents": [{"_id": "x", key: {}}, {"_id": "x", "_source": {}}]}
        steps.append(refused({**ask, "body": foreign}, "api.assert.unexpected_argument", "_source"))
        crowd = {**ask, "body": _documents(action, 201)}
        steps.append(refused(crowd, "services.storage.write_limit_exceeded", "201 documents"))
    for action in ("mUpdate", "mUpsert"):
        ask = {**MANY, "action": action, "body": _documents(action, 1)}
        steps += spoilt(ask, retryOnConflict=(101, "api.assert.invalid_argument"))
    return steps


def _bodies(ask: Payload, key: str) -> list[Step]:
    bare = {name: value for name, value in ask.items() if name != "body"}
    return [
        refused(bare, NO_BODY, "no body"),
        refused({**ask, "body": {"x": 1}}, MISSING, f"no {key}"),
        refused({**ask, "body": {key: 5}}, WRONG, f"{key} 5"),
    ]


def _ids() -> list[Step]:
    deleting = {**MANY, "action": "mDelete", "body": {"ids": ["x"]}}
    steps = names(deleting, "index", "collection") + places(deleting) + _bodies(deleting, "ids")
    steps += spoilt(deleting, refresh=("soon", "services.storage.invalid_argument"))
    crowd = {**deleting, "body": {"ids": ["x"] * 201}}
    steps.append(refused(crowd, "services.storage.write_limit_exceeded", "201 ids"))
    for action in ("mGet", "mExists"):
        ask = {**MANY, "action": action, "body": {"ids": ["x"]}}
        steps += names(ask, "index", "collection") + places(ask)
        bare = {name: value for name, value in ask.items() if name != "body"}
        steps.append(refused(bare, MISSING, "no ids"))
        for ids in ([5], "x", {}):
            steps.append(refused({**ask, "body": {"ids": ids}}, WRONG, f"ids {ids}"))
        steps.append(refused({**bare, "ids": '["x"'}, WRONG, "ids that are half JSON"))
        crowd = {**ask, "body": {"ids": ["x"] * 10_001}}
        steps.append(refused(crowd, "services.storage.get_limit_exceeded", "10 001 ids"))
    return steps


def _parts() -> list[Step]:
    fields = {**DOCUMENT, "action": "deleteFields", "body": {"fields": ["x"]}}
    upsert = {**DOCUMENT, "action": "upsert", "body": {"changes": {}}}
    steps: list[Step] = []
    for ask, key in ((fields, "fields"), (upsert, "changes")):
        steps += names(ask, "index", "collection", "_id") + places(ask) + _bodies(ask, key)
        steps += spoilt(ask, refresh=("soon", "services.storage.invalid_argument"))
        steps += spoilt(ask, ifVersion=(999, "services.storage.version_conflict"))
        steps += spoilt(ask, ifVersion=("newest", "api.assert.invalid_argument"))
    steps += spoilt(fields, _id=("nobody", "services.storage.not_found"))
    steps.append(refused({**fields, "body": {"fields": [5]}}, WRONG, "fields [5]"))
    steps += spoilt(upsert, retryOnConflict=(101, "api.assert.invalid_argument"))
    bad = {**upsert, "body": {"changes": {"n": "many"}}}
    steps.append(refused(bad, "services.storage.unexpected_bad_request", "a wrong value"))
    default = {**upsert, "body": {"changes": {}, "default": 5}}
    steps.append(refused(default, WRONG, "default 5"))
    strict = {**upsert, "collection": "strict", "body": {"changes": {"other": 1}}}
    steps.append(refused(strict, "services.storage.strict_mapping_rejection", "strictly"))
    return steps


def _by_query(ask: Payload, crowd: Payload) -> list[Step]:
    steps = names(ask, "index", "collection") + places(ask)
    steps += spoilt(
        ask,
        refresh=("soon", "services.storage.invalid_argument"),
        lang=("sql", "api.assert.invalid_argument"),
    )
    steps += _koncorde(ask)
    body = ask["body"]
    for query, error in (
        ({"equals": {"n": 1}}, "services.storage.unknown_query_keyword"),
        ({"more_like_this": {"like": "x"}}, "trivium.unsupported.feature"),
        ({"term": {"script": {"source": "1"}}}, "services.storage.invalid_query_keyword"),
        (5, "services.storage.unexpected_bad_request"),
    ):
        steps.append(refused({**ask, "body": {**body, "query": query}}, error, f"for {query}"))
    steps.append(refused({**ask, "body": [1]}, WRONG, "an array"))
    steps.append(refused(crowd, "services.storage.write_limit_exceeded", "of 201"))
    return steps


def _queries() -> list[Step]:
    deleting = {**MANY, "action": "deleteByQuery", "body": {"query": {"ids": {"values": []}}}}
    updating = {**deleting, "action": "updateByQuery"}
    updating["body"] = {**deleting["body"], "changes": {}}
    all_of_them = {"query": {}, "changes": {}}
    return [
        Step(about="a crowd", ask={**CROWD, "controller": "collection", "action": "create"}),
        Step(
            about="of 200", ask={**CROWD, "action": "mCreate", "body": _documents("mCreate", 200)}
        ),
        Step(
            about="and one",
            ask={**CROWD, "action": "create", "_id": "one", "body": {}, "refresh": "wait_for"},
        ),
        *_by_query(deleting, {**CROWD, "action": "deleteByQuery"}),
        *_by_query(updating, {**CROWD, "action": "updateByQuery", "body": all_of_them}),
        Step(
            about="nothing of it was deleted",
            ask={**CROWD, "action": "count"},
            sees=lambda r: r == {"count": 201},
        ),
        *_bodies(updating, "changes"),
    ]


REFUSALS_MANY = [*_writes(), *_ids(), *_parts(), *_queries()]
"""Comes after `REFUSALS`, whose collections it uses."""
