"""Where a replayed exchange differs from the recorded one on purpose, and why."""

from __future__ import annotations

from typing import Any

LATER = "an action of a later version"

LEFT_OUT: dict[str, str] = {
    **dict.fromkeys(
        [
            "asset:getLastMeasuredAt",
            "asset:getLastMeasures",
            "history after updates (document:search)",
        ],
        LATER,
    ),
}

DIFFERENT: dict[str, str] = {
    "server:getConfig": "shows our settings, and the limits in the peer's words",
    "server:info GET /_serverInfo": "lists our routes and services",
    "server:info": "lists our routes and services",
    **dict.fromkeys(
        [
            "security:createFirstAdmin reset",
            "security:createUser default profile",
            "auth:getCurrentUser",
        ],
        "a user's stamp names who created it, as that of any document",
    ),
    **dict.fromkeys(
        ["restore profile anonymous", "restore profile default"],
        "optimizedPolicies is the peer's own, and leaks there",
    ),
    "server:publicApi": "lists our actions, and none that is merely refused",
    "JSON array body": "a client's mistake: 400 with an id, not 500 without",
    "websocket/JSON array": "a client's mistake: 400 with an id, not 500 without",
    "JSON null": "the peer never answers it",
    "controller not a string": "carries an id",
    "requestId not a string": "carries an id",
    "requestId number": "carries an id; a requestId that is no text is replaced by ours",
    "volatile not an object": "carries an id",
    "body not an object": "carries an id",
    "server:now Origin": "a page on another origin is refused while there are no users",
    **dict.fromkeys(
        [
            "asset:create exists",
            "asset:get unknown id",
            "asset:update unknown metadata",
            "asset:update unknown id",
        ],
        "an error's envelope names the index and collection that the request named",
    ),
    "document:search koncorde": "what upsert creates says who created it",
    "asset:create unknown model": "carries an id",
    "asset:create unknown engine": "trivium.engine.unknown says how to create one",
    "asset:get unknown engine": "trivium.engine.unknown says how to create one",
    "asset:update unknown engine": "trivium.engine.unknown says how to create one",
    "document:update retryOnConflict bad": "api.assert.invalid_type names the argument",
    "document:mCreate": "an _id that is no text is refused, not replaced by a random one",
    "document:mUpdate": "an error shows the document as it was sent, without a stamp",
    **dict.fromkeys(
        ["document:deleteFields", "document:delete source"],
        "what an upsert created has an author and a date",
    ),
    "body too large (1.2 MB)": "answered in the envelope",
    "wrong content type": "answered in the envelope",
    "content type charset latin1": "answered in the envelope",
    "asset:update bad JSON": "answered in the envelope",
    "asset:update wrong content-type": "answered in the envelope",
    "sdkVersion too old": "SDKs of Kuzzle 1 are not told apart yet",
    "subscribe Kuzzle/request (denied)": "refused in the SUBACK, the connection stays",
    "publish on forbidden topic": "dropped, the connection stays",
}
"""Exchanges that answer otherwise, `<wire>/` before a name that differs on one wire alone; the
replay fails when one of them no longer does."""

UNRECORDED: dict[str, dict[str, Any]] = {
    "document:deleteFields": {
        "controller": "document",
        "action": "upsert",
        "index": "golden",
        "collection": "c",
        "_id": "d4",
        "body": {"changes": {"n": 4}, "default": {"name": "four"}},
    },
    "document:update as user": {
        "controller": "document",
        "action": "update",
        "index": "golden",
        "collection": "c",
        "_id": "d1",
        "body": {"nested": {"b": [7], "z": 9}},
    },
    "auth:refreshToken": {
        "controller": "auth",
        "action": "login",
        "strategy": "local",
        "body": {"username": "golden", "password": "golden-pass"},
    },
    "token after logout": {"controller": "auth", "action": "logout"},
}
"""What the peer was asked right before an exchange, without a record of it; in the name that the
exchange itself is asked in."""

BY_CHANCE = {"document:search GET": "one hit of many, unsorted: which one is nobody's promise"}
"""Searches whose hits are compared without their content."""

OURS_ALONE = {"node", "_version"}
"""Keys that we add wherever the peer has none."""
