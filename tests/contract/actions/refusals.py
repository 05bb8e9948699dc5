"""The refusals of every action: a request that would do, spoilt in one place."""

from __future__ import annotations

from typing import Any

from tests.contract.actions.steps import Payload, Step

THING: Payload = {"index": "lab", "collection": "things"}
DOCUMENT: Payload = {**THING, "controller": "document", "_id": "d1"}
COLLECTION: Payload = {**THING, "controller": "collection"}
ENGINE: Payload = {"controller": "device-manager/engine", "index": "fleet"}
ASSET: Payload = {"controller": "device-manager/asset", "index": "fleet", "_id": "Truck-1"}
ASSETS: Payload = {"controller": "device-manager/assets", "engineId": "fleet", "_id": "Truck-1"}
NEW_TRUCK: Payload = {"model": "Truck", "reference": "9"}
NEW_CONTAINER: Payload = {"model": "Container", "reference": "9", "metadata": {}}
SEARCHES = (
    {**THING, "controller": "document", "action": "search"},
    {"controller": "device-manager/asset", "index": "fleet", "action": "search"},
    {"controller": "device-manager/assets", "engineId": "fleet", "action": "search"},
)
COUNT: Payload = {**THING, "controller": "document", "action": "count"}

STATUS = {
    "api.assert": 400,
    "services.storage.unknown_index": 412,
    "services.storage.unknown_collection": 412,
    "services.storage.not_found": 404,
    "services.storage.get_limit_exceeded": 413,
    "services.storage.version_conflict": 409,
    "api.process.incomplete_multiple_request": 400,
    "services.storage.write_limit_exceeded": 413,
    "services.storage.unknown_scroll_id": 404,
    "services.storage": 400,
    "trivium.unsupported": 501,
    "trivium.asset.unknown_model": 404,
    "trivium.engine.missing": 404,
    "trivium": 400,
}


def _refused(ask: Payload, error: str, why: str) -> Step:
    status = next(code for prefix, code in STATUS.items() if error.startswith(prefix))
    about = f"{ask['controller']}:{ask['action']} {why}"
    return Step(about=about, ask=ask, status=status, error=error)


def _spoilt(ask: Payload, **places: tuple[Any, str]) -> list[Step]:
    return [
        _refused({**ask, key: value}, error, f"with {key} {value!r}")
        for key, (value, error) in places.items()
    ]


def _names(ask: Payload, *keys: str) -> list[Step]:
    """Each name missing, then each of the wrong type."""
    missing = [
        _refused(
            {k: v for k, v in ask.items() if k != key}, "api.assert.missing_argument", f"no {key}"
        )
        for key in keys
    ]
    return missing + [
        _refused({**ask, key: 5}, "api.assert.invalid_type", f"{key} 5") for key in keys
    ]


def _places(ask: Payload) -> list[Step]:
    return _spoilt(
        ask,
        index=("nowhere", "services.storage.unknown_index"),
        collection=("nothing", "services.storage.unknown_collection"),
    )


def _documents() -> list[Step]:
    steps: list[Step] = []
    for action in ("create", "createOrReplace", "delete", "exists", "get", "replace", "update"):
        ask = {**DOCUMENT, "action": action}
        writes = action not in ("delete", "exists", "get")
        if writes:
            ask["body"] = {"name": "x"}
        required = ("index", "collection") + (() if action == "create" else ("_id",))
        steps += _names(ask, *required)
        steps += _places(ask)
        if writes:
            bare = {k: v for k, v in ask.items() if k != "body"}
            steps.append(_refused(bare, "api.assert.body_required", "no body"))
            steps += _spoilt({**ask, "_id": "d1"}, body=([1], "api.assert.invalid_type"))
        if action not in ("create", "exists", "get"):
            steps += _spoilt(ask, refresh=("soon", "services.storage.invalid_argument"))
        if action in ("createOrReplace", "replace", "update"):
            bad = {**ask, "body": {"n": "many"}}
            steps.append(_refused(bad, "services.storage.unexpected_bad_request", "a wrong value"))
            strict = {**ask, "collection": "strict", "body": {"other": 1}}
            steps.append(_refused(strict, "services.storage.strict_mapping_rejection", "strictly"))
    strict = {**DOCUMENT, "_id": "new", "action": "create", "collection": "strict"}
    steps.append(
        _refused(
            {**strict, "body": {"other": 1}},
            "services.storage.strict_mapping_rejection",
            "strictly",
        )
    )
    steps.append(
        _refused(
            {**DOCUMENT, "action": "get", "_id": "_search"}, "services.storage.search_as_an_id", ""
        )
    )
    return steps


def _koncorde(ask: Payload) -> list[Step]:
    body = ask.get("body", {})
    return [
        _refused(
            {**ask, "lang": "koncorde", "body": {**body, "query": query}}, error, f"for {query}"
        )
        for query, error in (
            ({"term": {"n": 1}}, "api.assert.koncorde_unknown_keyword"),
            ({"match": {"n": "x"}}, "api.assert.koncorde_restricted_keyword"),
            ({"equals": {}}, "api.assert.koncorde_dsl_error"),
        )
    ]


def _searches() -> list[Step]:
    steps: list[Step] = []
    for ask in (*SEARCHES, COUNT):
        steps += _koncorde(ask)
        for body, error in (
            ({"querry": {}}, "services.storage.invalid_search_query"),
            ({"query": {"equals": {"n": 1}}}, "services.storage.unknown_query_keyword"),
            ({"query": {"fuzzy": {"name": "x"}}}, "trivium.unsupported.feature"),
            (
                {"query": {"term": {"script": {"source": "1"}}}},
                "services.storage.invalid_query_keyword",
            ),
            (
                {"query": {"geo_distance": {"distance": "far"}}},
                "services.storage.unexpected_bad_request",
            ),
            ({"query": 5}, "services.storage.unexpected_bad_request"),
        ):
            steps.append(_refused({**ask, "body": body}, error, f"for {body}"))
        steps += _spoilt(ask, lang=("sql", "api.assert.invalid_argument"))
        place = "engineId" if "engineId" in ask else "index"
        missing = {key: value for key, value in ask.items() if key != place}
        steps.append(_refused(missing, "api.assert.missing_argument", f"no {place}"))
        steps.append(_refused({**ask, place: 5}, "api.assert.invalid_type", f"{place} 5"))
        if ask["controller"] != "document":
            steps += _spoilt(ask, **{place: ("nowhere", "trivium.engine.unknown")})
    for ask in SEARCHES:
        steps += _spoilt(
            {**ask, "body": {}},
            size=(10_001, "services.storage.get_limit_exceeded"),
        )
    steps += _places(SEARCHES[0]) + _places(COUNT)
    steps += _spoilt(
        SEARCHES[0],
        index=("lab,other", "services.storage.invalid_multi_index_collection_usage"),
        targets=([{"index": "lab", "collections": ["things"]}], "api.assert.mutually_exclusive"),
    )
    steps += _spoilt(SEARCHES[0], scroll=("2m", "services.storage.scroll_duration_too_great"))
    scroll = {"controller": "document", "action": "scroll", "scrollId": "none"}
    steps += _spoilt(
        scroll,
        scrollId=("none", "services.storage.unknown_scroll_id"),
        scroll=("2m", "services.storage.scroll_duration_too_great"),
    )
    steps += _spoilt(scroll, scroll=("soon", "api.assert.invalid_argument"))
    steps += _names(scroll, "scrollId")
    bare = {"controller": "document", "action": "search"}
    steps += _spoilt(
        bare,
        targets=(
            [{"index": "lab*", "collections": ["things"]}],
            "services.storage.invalid_target_format",
        ),
    )
    return steps


def _collections() -> list[Step]:
    steps: list[Step] = []
    for action in ("create", "delete", "exists", "getMapping", "refresh", "update"):
        ask = {**COLLECTION, "action": action}
        if action in ("create", "update"):
            ask["body"] = {"mappings": {}}
        steps += _names(ask, "index", "collection")
        if action not in ("create", "exists"):
            steps += _places(ask)
        if action in ("create", "update"):
            for mappings, error in (
                ({"propertie": {}}, "services.storage.invalid_mapping"),
                (
                    {"properties": {"n": {"type": "colour"}}},
                    "services.storage.invalid_mapping_type",
                ),
                (
                    {"properties": {"n": {"type": "keyword"}}},
                    "services.storage.cannot_change_mapping",
                ),
            ):
                steps.append(
                    _refused({**ask, "body": {"mappings": mappings}}, error, f"{mappings}")
                )
    create = {**COLLECTION, "action": "create"}
    steps += _spoilt(
        create,
        collection=("_kuzzle_keep", "services.storage.collection_reserved"),
        index=("Upper", "services.storage.invalid_index_name"),
    )
    update = {**COLLECTION, "action": "update"}
    steps.append(_refused(update, "api.assert.body_required", "no body"))
    listing = {"controller": "collection", "action": "list", "index": "lab"}
    steps += _names(listing, "index")
    steps += _spoilt(listing, type=("some", "api.assert.invalid_argument"))
    return steps


def _indexes_and_engines() -> list[Step]:
    steps: list[Step] = []
    for action in ("create", "delete", "exists"):
        steps += _names({"controller": "index", "action": action, "index": "lab"}, "index")
    for action in ("create", "delete", "exists", "update"):
        steps += _names({**ENGINE, "action": action}, "index")
    steps += _spoilt(
        {**ENGINE, "action": "create"},
        index=("Upper", "services.storage.invalid_index_name"),
    )
    steps += _spoilt(
        {**ENGINE, "action": "create"}, index=("fleet", "trivium.engine.already_exists")
    )
    steps += _spoilt(
        {**ENGINE, "action": "create"}, index=("device-manager", "api.assert.invalid_argument")
    )
    for action in ("delete", "update"):
        steps += _spoilt({**ENGINE, "action": action}, index=("x", "trivium.engine.missing"))
    return steps


def _assets(form: Payload, place: str, birth: Payload) -> list[Step]:
    steps: list[Step] = []
    for action in ("get", "delete", "update"):
        ask = {**form, "action": action}
        if action == "update":
            ask["body"] = {"metadata": {}}
        steps += _names(ask, place, "_id")
        steps += _spoilt(
            ask,
            _id=("nobody", "services.storage.not_found"),
            **{place: ("nowhere", "trivium.engine.unknown")},
        )
    nameless = {key: value for key, value in form.items() if key != "_id"}
    for action in ("create", "upsert"):
        ask = {**nameless, "action": action, "body": birth}
        steps += _names(ask, place)
        steps += _spoilt(ask, **{place: ("nowhere", "trivium.engine.unknown")})
        bare = {key: value for key, value in ask.items() if key != "body"}
        steps.append(_refused(bare, "api.assert.body_required", "no body"))
        for body, error in (
            ({**birth, "reference": None}, "api.assert.missing_argument"),
            ({**birth, "model": 5}, "api.assert.invalid_type"),
            ({**birth, "metadata": {"weight": "many"}}, "services.storage.unexpected_bad_request"),
        ):
            steps.append(_refused({**ask, "body": body}, error, f"of {body}"))
    for action, ask in (("update", {**form, "body": {"metadata": {}}}), ("upsert", nameless)):
        steps += _spoilt(
            {"body": birth, **ask, "action": action},
            retryOnConflict=(101, "api.assert.invalid_argument"),
        )
    bad = {**form, "action": "update", "body": {"metadata": {"weight": "many"}}}
    steps.append(_refused(bad, "services.storage.unexpected_bad_request", "a wrong value"))
    return steps


def _singular() -> list[Step]:
    steps = _assets(ASSET, "index", NEW_TRUCK)
    for action in ("create", "upsert"):
        ask = {"controller": "device-manager/asset", "index": "fleet", "action": action}
        steps.append(
            _refused(
                {**ask, "body": {**NEW_TRUCK, "model": "_M"}}, "api.assert.invalid_id", "of _M"
            )
        )
        body = {**NEW_TRUCK, "colour": "red"}
        steps.append(
            _refused({**ask, "body": body}, "services.storage.strict_mapping_rejection", "strictly")
        )
    importing = {"controller": "device-manager/asset", "index": "fleet", "action": "importAssets"}
    steps.append(_refused(importing, "api.assert.body_required", "no body"))
    steps += _spoilt({**importing, "body": {"csv": "a"}}, index=("x", "trivium.engine.unknown"))
    for csv, error in (
        (5, "api.assert.invalid_type"),
        ("weight\n3\n", "api.assert.invalid_argument"),
    ):
        steps.append(_refused({**importing, "body": {"csv": csv}}, error, f"of {csv!r}"))
    return steps


def _plural() -> list[Step]:
    steps = _assets(ASSETS, "engineId", NEW_CONTAINER)
    for action in ("create", "upsert"):
        ask = {"controller": "device-manager/assets", "engineId": "fleet", "action": action}
        strict = {**NEW_CONTAINER, "metadata": {"nope": 1}}
        unknown = {**NEW_CONTAINER, "model": "Nobody"}
        steps += [
            _refused(
                {**ask, "body": strict}, "services.storage.strict_mapping_rejection", "strictly"
            ),
            _refused({**ask, "body": unknown}, "trivium.asset.unknown_model", "of no model"),
        ]
    first = {**NEW_CONTAINER, "reference": "first"}
    create = {"controller": "device-manager/assets", "engineId": "fleet", "action": "create"}
    steps.append(Step(about="a container", ask={**create, "body": first}))
    again = {**create, "body": first}
    steps.append(_refused(again, "services.storage.document_already_exists", "twice"))
    body_less = {**ASSETS, "action": "update"}
    steps.append(_refused(body_less, "api.assert.body_required", "no body"))
    return steps


def _documents_of_the_api() -> list[Step]:
    steps: list[Step] = []
    for action in ("openapi", "asyncapi"):
        steps += _spoilt(
            {"controller": "server", "action": action},
            format=("xml", "api.assert.unexpected_argument"),
        )
        steps += _spoilt(
            {"controller": "server", "action": action}, format=([1], "api.assert.invalid_type")
        )
    return steps


def _audit() -> list[Step]:
    # What searches find is told by the tests of the whole program.
    ask: Payload = {"controller": "security", "action": "searchAudit"}
    return [
        _refused(
            {**ask, "body": {"from": "yesterday"}}, "api.assert.invalid_argument", "in no time"
        ),
        _refused({**ask, "body": {"kuid": 1}}, "api.assert.invalid_type", "of no user"),
    ]


REFUSALS = [
    Step(
        about="a strict collection",
        ask={
            **COLLECTION,
            "collection": "strict",
            "action": "create",
            "body": {
                "mappings": {"dynamic": "strict", "properties": {"name": {"type": "keyword"}}}
            },
        },
    ),
    Step(
        about="a document in it",
        ask={**DOCUMENT, "collection": "strict", "action": "create", "body": {"name": "x"}},
    ),
    Step(
        about="an asset with a device",
        ask={
            "controller": "device-manager/asset",
            "index": "fleet",
            "action": "create",
            "_id": "linked",
            "body": {**NEW_TRUCK, "linkedDevices": [{"_id": "probe"}]},
        },
    ),
    *(
        _refused(
            {**form, "_id": "linked", "action": "delete", "strict": True},
            "trivium.asset.still_linked",
            "while linked",
        )
        for form in (ASSET, ASSETS)
    ),
    *_documents(),
    *_searches(),
    *_collections(),
    *_indexes_and_engines(),
    *_audit(),
    *_singular(),
    *_plural(),
    *_documents_of_the_api(),
]
"""Comes after the story's asset chapters: `lab`, `fleet`, `d1` and `Truck-1` are there."""
