"""The chapter of the `document` actions on many documents, in part and by query."""

from __future__ import annotations

from tests.contract.actions.steps import Step, doc

MANY = [
    Step(
        about="mCreate, an outcome for each",
        ask=doc(
            "mCreate",
            body={
                "documents": [
                    {"_id": "m1", "body": {"name": "m", "n": 1}},
                    {"_id": "m2", "body": {"name": "m", "n": 2}},
                    {"_id": "d1", "body": {"name": "dup"}},
                    {"_id": 3, "body": {}},
                    {"foo": 1},
                    "m",
                    {"_id": "m3", "body": {"n": "many"}},
                ]
            },
        ),
        sees=lambda r: (
            [each["_id"] for each in r["successes"]] == ["m1", "m2"]
            and r["successes"][0]["created"] is True
            and r["successes"][0]["status"] == 201
            and r["successes"][0]["result"] == "created"
            and r["successes"][0]["_source"]["_kuzzle_info"]["updatedAt"] is None
            and [each["status"] for each in r["errors"]] == [400] * 5
            and r["errors"][0]["reason"] == "document _id must be a string"
            and r["errors"][1]
            == {"document": {}, "reason": "document body must be an object", "status": 400}
            and r["errors"][3]
            == {
                "document": {"_id": "d1", "body": {"name": "dup"}},
                "reason": "document already exists",
                "status": 400,
            }
        ),
    ),
    Step(
        about="mCreate of none",
        ask=doc("mCreate", body={"documents": []}),
        sees=lambda r: r == {"successes": [], "errors": []},
    ),
    Step(
        about="mUpdate",
        ask=doc(
            "mUpdate",
            body={
                "documents": [
                    {"_id": "m1", "body": {"deep": {"er": "y"}, "n": 11}},
                    {"_id": "nope", "body": {"n": 2}},
                    {"body": {"n": 2}},
                ]
            },
            retryOnConflict=2,
        ),
        sees=lambda r: (
            r["successes"][0]["_updatedFields"] == ["deep.er", "n"]
            and r["successes"][0]["_source"]["name"] == "m"
            and r["successes"][0]["_version"] == 2
            and r["successes"][0]["status"] == 200
            and r["errors"][1]
            == {
                "document": {"_id": "nope", "body": {"n": 2}},
                "reason": "document not found",
                "status": 404,
            }
        ),
    ),
    Step(
        about="mUpdate, silent",
        ask=doc("mUpdate", body={"documents": [{"_id": "m1", "body": {}}]}, silent=True),
        sees=lambda r: "_updatedFields" not in r["successes"][0],
    ),
    Step(
        about="mUpsert",
        ask=doc(
            "mUpsert",
            body={
                "documents": [
                    {"_id": "m1", "changes": {"n": 12}, "default": {"name": "no"}},
                    {"_id": "m4", "changes": {"n": 4}, "default": {"name": "m", "n": 0}},
                    {"_id": "m5", "body": {"n": 4}},
                    {"_id": "m5", "changes": {}, "default": 5},
                ]
            },
        ),
        sees=lambda r: (
            [each["created"] for each in r["successes"]] == [False, True]
            and r["successes"][0]["_source"]["name"] == "m"
            and r["successes"][1]["_source"]["n"] == 4
            and [each["reason"] for each in r["errors"]]
            == ["document changes must be an object", "document default must be an object"]
        ),
    ),
    Step(
        about="mReplace",
        ask=doc(
            "mReplace",
            body={
                "documents": [
                    {"_id": "m4", "body": {"n": 44}},
                    {"_id": "nope", "body": {}},
                ]
            },
        ),
        sees=lambda r: (
            "name" not in r["successes"][0]["_source"]
            and r["successes"][0]["created"] is False
            and r["successes"][0]["_source"]["_kuzzle_info"]["updater"] is None
            and r["errors"][0]["status"] == 404
        ),
    ),
    Step(
        about="mCreateOrReplace",
        ask=doc(
            "mCreateOrReplace",
            body={"documents": [{"_id": "m4", "body": {"n": 45}}, {"_id": "m6", "body": {}}]},
            refresh="wait_for",
        ),
        sees=lambda r: [each["result"] for each in r["successes"]] == ["updated", "created"],
    ),
    Step(
        about="mCreateOrReplace without the contents",
        ask=doc(
            "mCreateOrReplace", body={"documents": [{"_id": "m6", "body": {}}]}, source="false"
        ),
        sees=lambda r: "_source" not in r["successes"][0],
    ),
    Step(
        about="mGet",
        ask=doc("mGet", body={"ids": ["m6", "nope", "m1"]}),
        sees=lambda r: (
            [each["_id"] for each in r["successes"]] == ["m6", "m1"] and r["errors"] == ["nope"]
        ),
    ),
    Step(
        about="mGet of ids in one text",
        ask=doc("mGet", ids="m6, nope,m1"),
        sees=lambda r: len(r["successes"]) == 2 and r["errors"] == ["nope"],
    ),
    Step(
        about="mExists",
        ask=doc("mExists", body={"ids": ["m6", "nope", "m1"]}),
        sees=lambda r: r == {"successes": ["m6", "m1"], "errors": ["nope"]},
    ),
    Step(
        about="upsert of one that is there",
        ask=doc("upsert", "m6", {"changes": {"n": 6}, "default": {"name": "no"}}, source=True),
        sees=lambda r: r["created"] is False and "name" not in r["_source"],
    ),
    Step(
        about="upsert of one that isn't",
        ask=doc("upsert", "m7", {"changes": {"n": 7}, "default": {"name": "yes", "n": 1}}),
        sees=lambda r: r == {"_id": "m7", "_version": 1, "created": True},
    ),
    Step(
        about="deleteFields",
        ask=doc("deleteFields", "m1", {"fields": ["deep.er", "none"]}, source=True),
        sees=lambda r: r["_source"]["deep"] == {} and r["_source"]["n"] == 12,
    ),
    Step(
        about="deleteFields without source",
        ask=doc("deleteFields", "m1", {"fields": ["deep"]}, refresh="wait_for"),
        sees=lambda r: set(r) == {"_id", "_version"},
    ),
    Step(
        about="updateByQuery",
        ask=doc(
            "updateByQuery",
            body={"query": {"term": {"name": "m"}}, "changes": {"n": 99}},
            refresh="wait_for",
            source=True,
        ),
        sees=lambda r: (
            sorted((each["_id"], each["_source"]["n"]) for each in r["successes"])
            == [("m1", 99), ("m2", 99)]
            and r["errors"] == []
        ),
    ),
    Step(
        about="updateByQuery, what can't be stored",
        ask=doc("updateByQuery", body={"query": {"term": {"n": 99}}, "changes": {"n": "many"}}),
        sees=lambda r: (
            r["successes"] == []
            and r["errors"][0]["document"]["body"] == {"n": "many"}
            and len(r["errors"]) == 2
        ),
    ),
    Step(
        about="deleteByQuery",
        ask=doc("deleteByQuery", body={"query": {"term": {"n": 99}}}, refresh="wait_for"),
        sees=lambda r: sorted(r["ids"]) == ["m1", "m2"] and r["documents"][0].keys() == {"_id"},
    ),
    Step(
        about="deleteByQuery of none",
        ask=doc("deleteByQuery", body={"query": {"term": {"n": 99}}}, source=True),
        sees=lambda r: r == {"documents": [], "ids": []},
    ),
    Step(
        about="mDelete",
        ask=doc("mDelete", body={"ids": ["m4", "nope", 5, "m6", "m7"]}, refresh="wait_for"),
        sees=lambda r: (
            r["successes"] == ["m4", "m6", "m7"]
            and r["errors"]
            == [
                {"_id": 5, "reason": "document _id must be a string", "status": 400},
                {"_id": "nope", "reason": "document not found", "status": 404},
            ]
        ),
    ),
    *(
        Step(
            about=f"{action}, strictly",
            ask=doc(action, body=body, strict=True),
            status=400,
            error="api.process.incomplete_multiple_request",
        )
        for action, body in (
            ("mCreate", {"documents": [{"_id": "d1", "body": {}}]}),
            ("mCreateOrReplace", {"documents": [{"body": 5}]}),
            ("mReplace", {"documents": [{"_id": "nope", "body": {}}]}),
            ("mUpdate", {"documents": [{"_id": "nope", "body": {}}]}),
            ("mUpsert", {"documents": [{"_id": "nope"}]}),
            ("mDelete", {"ids": ["nope"]}),
            ("mGet", {"ids": ["nope"]}),
            ("mExists", {"ids": ["nope"]}),
        )
    ),
]
"""After `DOCUMENT`, which leaves `d1`; leaves no more behind."""
