"""The guards of every write of one document: a version that isn't, a key that is used again."""

from __future__ import annotations

from tests.contract.actions.refusals import (
    ASSET,
    ASSETS,
    DOCUMENT,
    NEW_CONTAINER,
    NEW_TRUCK,
    SEARCHES,
)
from tests.contract.actions.steps import Payload, Step

_TRUCK: Payload = {**NEW_TRUCK, "reference": "g1"}
_CONTAINER: Payload = {**NEW_CONTAINER, "reference": "g1"}
_THING: Payload = {**DOCUMENT, "_id": "g1"}
_ASSET: Payload = {**ASSET, "_id": "Truck-g1"}
_ASSETS: Payload = {**ASSETS, "_id": "Container-g1"}

WRITES: list[Payload] = [
    {**_THING, "action": "create", "body": {"name": "x"}},
    {**_THING, "action": "createOrReplace", "body": {"name": "y"}},
    {**_THING, "action": "replace", "body": {"name": "y"}},
    {**_THING, "action": "update", "body": {"n": 1}},
    {**_THING, "action": "upsert", "body": {"changes": {"n": 2}}},
    {**_THING, "action": "deleteFields", "body": {"fields": ["n"]}},
    {**_THING, "action": "delete"},
    {**_ASSET, "action": "create", "body": _TRUCK},
    {**_ASSET, "action": "update", "body": {"metadata": {"weight": 1}}},
    {**_ASSET, "action": "upsert", "body": _TRUCK},
    {**_ASSET, "action": "delete"},
    {**_ASSETS, "action": "create", "body": _CONTAINER},
    {**_ASSETS, "action": "update", "body": {"metadata": {"weight": 1}}},
    {**_ASSETS, "action": "upsert", "body": _CONTAINER},
    {**_ASSETS, "action": "delete"},
]
"""Each does what it says when all are done in this order."""


def _guarded(ask: Payload) -> list[Step]:
    about = f"{ask['controller']}:{ask['action']}"
    conflict = "services.storage.version_conflict"
    reused = "api.process.idempotency_key_reused"
    keyed = {**ask, "idempotencyKey": f"guards {about}"}
    refused = [
        Step(about=f"{about} at {version}", ask=asked, status=status, error=error)
        for version, status, error in (
            (999, 409, conflict),
            ("999-abc", 409, conflict),
            ("newest", 400, "api.assert.invalid_argument"),
        )
        for asked in [{**ask, "ifVersion": version}]
    ]
    return [
        *refused,
        Step(about=f"{about} under a key", ask=keyed),
        Step(about=f"{about} once more", ask=keyed),
        Step(
            about=f"{about} under a key of another",
            ask={**keyed, "refresh": "wait_for"},
            status=422,
            error=reused,
        ),
    ]


GUARDS = [
    *(step for ask in WRITES for step in _guarded(ask)),
    Step(
        about="ifVersion on a search",
        ask={**SEARCHES[0], "ifVersion": 1},
        status=400,
        error="api.process.if_version_unsupported",
    ),
    Step(
        about="a key on a search",
        ask={**SEARCHES[0], "idempotencyKey": "k"},
        status=400,
        error="api.process.idempotency_unsupported",
    ),
]
"""Comes after the story's asset chapters: `lab` and `fleet` are there."""
