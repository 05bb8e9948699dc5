"""AsyncAPI 3 of the WebSocket and MQTT wires, made from the action table."""

from __future__ import annotations

import re
from typing import Final

from controllers.api.openapi import argument_schema, body_schema, errors_of
from controllers.api.shapes import schema_of
from router.actions import Action, ActionTable
from router.envelope import Json, JsonObject

_ANSWER: Final[JsonObject] = {
    "type": "object",
    "required": ["requestId", "status", "error"],
    "properties": {
        "requestId": {"type": "string"},
        "room": {"type": "string", "description": "The same; WebSocket only."},
        "status": {"type": "integer"},
        "error": {"type": ["object", "null"]},
        "result": {},
    },
}

_NOTIFICATION: Final[JsonObject] = {
    "type": "object",
    "required": ["type", "status"],
    "properties": {
        "type": {"enum": ["document", "user", "TokenExpired"]},
        "status": {"type": "integer"},
        "room": {"type": "string", "description": "The channel; WebSocket only."},
        "action": {"type": "string"},
        "event": {"enum": ["write", "delete", "publish"]},
        "scope": {"enum": ["in", "out"]},
        "user": {"enum": ["in", "out"]},
        "result": {"type": ["object", "null"]},
        "index": {"type": "string"},
        "collection": {"type": "string"},
        "volatile": {"type": ["object", "null"]},
        "timestamp": {"type": "integer", "description": "ms since 1970"},
    },
}


def asyncapi(
    table: ActionTable, *, title: str, version: str, request_topic: str, response_topic: str
) -> JsonObject:
    """The document of all actions: on WebSocket one channel carries everything, on MQTT requests,
    answers and notifications have topics of their own."""
    requests = {_key(action): _request(action) for action in table.served()}
    answers = {f"{_key(action)}.answer": _answer(action) for action in table.served()}
    messages: JsonObject = {**requests, **answers, "notification": _notification()}
    everything = {name: _to(name) for name in messages}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": title,
            "version": version,
            "description": "Answers come in the order in which they are ready: match them by "
            "`requestId`, which each request may choose.",
            "license": {"name": "Apache-2.0"},
        },
        "servers": {
            "websocket": {"host": "localhost:7512", "protocol": "ws"},
            "mqtt": {"host": "localhost:1883", "protocol": "mqtt", "protocolVersion": "5.0"},
        },
        "channels": {
            "socket": _channel("/", "websocket", everything),
            "requests": _channel(request_topic, "mqtt", {name: _to(name) for name in requests}),
            "answers": _channel(response_topic, "mqtt", {name: _to(name) for name in answers}),
            "notifications": {
                **_channel("{channel}", "mqtt", {"notification": _to("notification")}),
                "parameters": {"channel": {"description": "As `realtime:subscribe` answers it."}},
            },
        },
        "operations": _operations(table),
        "components": {"messages": messages},
    }


def _operations(table: ActionTable) -> JsonObject:
    operations: JsonObject = {}
    for action in table.served():
        name = _key(action)
        for wire, asked, answered in (("ws", "socket", "socket"), ("mqtt", "requests", "answers")):
            operations[f"{wire}.{name}"] = {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{asked}"},
                "summary": action.summary,
                "messages": [{"$ref": f"#/channels/{asked}/messages/{name}"}],
                "reply": {
                    "channel": {"$ref": f"#/channels/{answered}"},
                    "messages": [{"$ref": f"#/channels/{answered}/messages/{name}.answer"}],
                },
            }
    for wire, channel in (("ws", "socket"), ("mqtt", "notifications")):
        operations[f"{wire}.notify"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": "What a subscription is told.",
            "messages": [{"$ref": f"#/channels/{channel}/messages/notification"}],
        }
    return operations


def _channel(address: str, server: str, messages: JsonObject) -> JsonObject:
    servers: list[Json] = [{"$ref": f"#/servers/{server}"}]
    return {"address": address, "servers": servers, "messages": messages}


def _request(action: Action) -> JsonObject:
    properties: JsonObject = {
        "controller": {"const": action.controller},
        "action": {"const": action.name},
        "requestId": {"type": "string"},
        "jwt": {"type": ["string", "null"]},
        "volatile": {"type": ["object", "null"]},
    }
    arguments = [argument for argument in action.arguments if argument.place == "args"]
    properties |= {argument.name: argument_schema(argument) for argument in arguments}
    required: list[Json] = ["controller", "action"]
    required += [argument.name for argument in arguments if argument.required]
    if action.body != "none":
        properties["body"] = body_schema(action)
    if action.body == "required":
        required.append("body")
    payload: JsonObject = {"type": "object", "required": required, "properties": properties}
    return {"name": f"{action.controller}:{action.name}", "payload": payload}


def _answer(action: Action) -> JsonObject:
    if action.is_bare:
        return {"name": f"answer to {action.controller}:{action.name}", "payload": {}}
    errors: list[Json] = [*errors_of(action)]
    payload: JsonObject = {
        "allOf": [
            _ANSWER,
            {"properties": {"error": {"properties": {"id": {"examples": errors}}}}},
            {
                "if": {"properties": {"error": {"type": "null"}}},
                "then": {"properties": {"result": schema_of(action.result)}},
            },
        ]
    }
    return {"name": f"answer to {action.controller}:{action.name}", "payload": payload}


def _notification() -> JsonObject:
    return {"name": "notification", "payload": _NOTIFICATION}


def _to(message: str) -> Json:
    return {"$ref": f"#/components/messages/{message}"}


def _key(action: Action) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"{action.controller}.{action.name}".replace("/", "-"))
