"""OpenAPI 3.1 of the HTTP wire, made from the action table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from controllers.api.shapes import schema_of
from router.actions import Action, ActionTable, Argument, Route
from router.catalogue import CATALOGUE
from router.envelope import Json, JsonObject

_TYPES: Final[dict[str, JsonObject]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "array": {"type": "array"},
    "object": {"type": "object"},
    "any": {},
}

_ALWAYS: Final = (
    "api.process.overloaded",
    "api.process.shutting_down",
    "api.process.too_many_requests",
    "network.http.body_parse_failed",
    "network.http.request_too_large",
    "plugin.runtime.unexpected_error",
    "security.rights.forbidden",
    "security.rights.unauthorized",
    "security.token.invalid",
    "services.storage.unavailable",
    "trivium.origin.refused",
)
"""Errors that every action can answer over HTTP."""

_ENVELOPE: Final[JsonObject] = {
    "type": "object",
    "description": "The answer to a request, the same on every wire.",
    "required": ["requestId", "status", "error", "controller", "action", "volatile", "headers"],
    "properties": {
        "requestId": {"type": "string"},
        "status": {"type": "integer"},
        "error": {"anyOf": [{"$ref": "#/components/schemas/Error"}, {"type": "null"}]},
        "controller": {"type": ["string", "null"]},
        "action": {"type": ["string", "null"]},
        "index": {"type": "string"},
        "collection": {"type": "string"},
        "volatile": {"type": ["object", "null"]},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "node": {"type": "string"},
        "result": {},
    },
}

_ERROR: Final[JsonObject] = {
    "type": "object",
    "required": ["id", "code", "status", "message", "props"],
    "properties": {
        "id": {"type": "string", "description": "Stable: `domain.subdomain.name`."},
        "code": {"type": "integer", "description": "The same as a number, stable too."},
        "status": {"type": "integer"},
        "message": {"type": "string", "description": "For people; may change."},
        "props": {"type": "array", "description": "The values within the message."},
    },
}


def openapi(
    table: ActionTable, *, title: str, version: str, controllers: Iterable[str]
) -> JsonObject:
    """The document of the actions of some controllers, one operation for each of their routes."""
    chosen = set(controllers)
    actions = [action for action in table.served() if action.controller in chosen and action.routes]
    paths: dict[str, JsonObject] = {}
    for action in actions:
        for number, route in enumerate(action.routes):
            path = paths.setdefault(_path(route), {})
            path.setdefault(route.verb.lower(), _operation(action, route, number))
    tags: list[Json] = [
        {"name": name, "description": f"The controller `{name}`."}
        for name in dict.fromkeys(action.controller for action in actions)
    ]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": "Each action also answers to `POST /_query` with the whole request as "
            "the body, over WebSocket and over MQTT.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": tags,
        "paths": {path: dict(operations) for path, operations in paths.items()},
        "components": {
            "schemas": {"Envelope": _ENVELOPE, "Error": _ERROR},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "authToken"},
            },
        },
        "security": [{}, {"token": []}, {"cookie": []}],
    }


def errors_of(action: Action) -> list[str]:
    """The ids that an action can answer with, its own first."""
    return list(dict.fromkeys((*action.errors, *_ALWAYS)))


def argument_schema(argument: Argument) -> JsonObject:
    """What an argument holds, on wires that have types."""
    return {**_TYPES[argument.type], "description": argument.description}


def body_schema(action: Action) -> JsonObject:
    """What the body holds; the parts that the action doesn't name are free."""
    parts = [argument for argument in action.arguments if argument.place == "body"]
    required: list[Json] = [argument.name for argument in parts if argument.required]
    schema: JsonObject = {"type": "object"}
    if parts:
        schema["properties"] = {argument.name: argument_schema(argument) for argument in parts}
    return {**schema, "required": required} if required else schema


def _path(route: Route) -> str:
    return re.sub(r":(\w+)", r"{\1}", route.path)


def _operation(action: Action, route: Route, number: int) -> JsonObject:
    name = f"{action.controller}:{action.name}"
    operation: JsonObject = {
        "operationId": name if number == 0 else f"{name}:{number + 1}",
        "summary": action.summary,
        "tags": [action.controller],
        "parameters": _parameters(action, route),
        "responses": _responses(action),
    }
    if action.body != "none" and route.verb != "GET":
        content: JsonObject = {"application/json": {"schema": body_schema(action)}}
        operation["requestBody"] = {"required": action.body == "required", "content": content}
    return operation


def _parameters(action: Action, route: Route) -> list[Json]:
    within = re.findall(r":(\w+)", route.path)
    described = {argument.name: argument for argument in action.arguments}
    parameters: list[Json] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": described[name].description if name in described else "",
            "schema": {"type": "string", "minLength": 1},
        }
        for name in within
    ]
    for argument in action.arguments:
        if argument.place == "args" and argument.name not in within:
            parameters.append(_query(argument))
    return parameters


def _query(argument: Argument) -> JsonObject:
    """A query argument: a flag counts by being there, arrays and objects are JSON text."""
    parameter: JsonObject = {
        "name": argument.name,
        "in": "query",
        "required": argument.required,
        "description": argument.description,
    }
    if argument.type == "flag":
        return {**parameter, "allowEmptyValue": True, "schema": {"const": ""}}
    if argument.type in ("array", "object", "any"):
        return {**parameter, "schema": {"type": "string"}}
    return {**parameter, "schema": _TYPES[argument.type]}


def _responses(action: Action) -> JsonObject:
    result = schema_of(action.result)
    success: JsonObject = {
        "allOf": [
            {"$ref": "#/components/schemas/Envelope"},
            {"properties": {"error": {"type": "null"}, "status": {"const": 200}, "result": result}},
        ]
    }
    if action.is_bare:
        success = result
    responses: JsonObject = {"200": _response("Done.", success, action.media)}
    by_status: dict[int, list[str]] = {}
    for error in errors_of(action):
        by_status.setdefault(CATALOGUE[error].status, []).append(error)
    for status in sorted(by_status):
        ids: list[Json] = [*by_status[status]]
        told = "; ".join(f"`{error}`" for error in by_status[status])
        failure: JsonObject = {
            "allOf": [
                {"$ref": "#/components/schemas/Envelope"},
                {
                    "properties": {
                        "status": {"const": status},
                        "error": {"properties": {"id": {"examples": ids}}},
                    }
                },
            ]
        }
        responses[str(status)] = _response(told, failure)
    any_other: JsonObject = {"$ref": "#/components/schemas/Envelope"}
    return {**responses, "default": _response("Any other error of the catalogue.", any_other)}


def _response(
    description: str, schema: JsonObject, media: tuple[str, ...] = ("application/json",)
) -> JsonObject:
    content: JsonObject = {
        name: {"schema": schema if name == "application/json" else {"type": "string"}}
        for name in media
    }
    return {"description": description, "content": content}
