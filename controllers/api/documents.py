"""The actions that tell the API as documents."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import msgspec

from router import places
from router.actions import Action, ActionTable, Argument, Route
from router.envelope import JsonObject, Reply, Request
from router.errors import RouterError
from router.settings import MqttSettings

_FORMATS: Final = ("json", "yaml")
_SCOPES: Final = ("kuzzle", "app")
_FORMAT: Final = Argument("format", "string", "`json`, the default, or `yaml`.")


class ApiDocuments(msgspec.Struct, frozen=True, kw_only=True):
    """Writes the documents when they are first asked for; the table is complete by then.

    Attributes:
        natives: The controllers that are the router's own; all others are the application's.
    """

    table: ActionTable
    natives: Collection[str]
    mqtt: MqttSettings
    version: str
    _made: dict[str, JsonObject] = msgspec.field(default_factory=dict)

    async def openapi(self, request: Request) -> Reply:
        """The HTTP routes as OpenAPI 3.1; those of the application's own actions by `scope`."""
        scope = _choice(request, "scope", _SCOPES)
        return self._told(request, f"openapi {scope}", lambda: self._openapi(scope))

    async def asyncapi(self, request: Request) -> Reply:
        """What WebSocket and MQTT clients send and get, as AsyncAPI 3."""
        return self._told(request, "asyncapi", self._asyncapi)

    def actions(self) -> tuple[Action, ...]:
        """The actions, of the `server` controller."""
        scope = Argument("scope", "string", "`kuzzle`, the router's own actions, or `app`.")
        refused = ("api.assert.invalid_type", "api.assert.unexpected_argument")
        return (
            Action(
                controller="server",
                name="asyncapi",
                handler=self.asyncapi,
                places=places.nowhere,
                summary="WebSocket and MQTT messages of all actions, as AsyncAPI 3; no envelope.",
                routes=(Route("GET", "/_asyncapi"),),
                arguments=(_FORMAT,),
                result="The document itself.",
                errors=refused,
                is_bare=True,
                media=("application/json", "application/yaml"),
            ),
            Action(
                controller="server",
                name="openapi",
                handler=self.openapi,
                places=places.nowhere,
                summary="HTTP routes of all actions, as OpenAPI 3.1; no envelope.",
                routes=(Route("GET", "/_openapi"),),
                arguments=(_FORMAT, scope),
                result="The document itself.",
                errors=refused,
                is_bare=True,
                media=("application/json", "application/yaml"),
            ),
        )

    def _told(self, request: Request, name: str, make: Callable[[], JsonObject]) -> Reply:
        form = _choice(request, "format", _FORMATS)
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = make()
        if form == "yaml":
            from controllers.api.yaml import yaml  # noqa: PLC0415 - as below

            return Reply(result=yaml(made), raw="application/yaml")
        return Reply(result=made, raw="application/json")

    # What makes a document is loaded with the first one: most routers are never asked for any.

    def _openapi(self, scope: str) -> JsonObject:
        from controllers.api.openapi import openapi  # noqa: PLC0415 - see above

        others = {action.controller for action in self.table} - set(self.natives)
        return openapi(
            self.table,
            title="Trivium API" if scope == "kuzzle" else "API of the application",
            version=self.version,
            controllers=self.natives if scope == "kuzzle" else others,
        )

    def _asyncapi(self) -> JsonObject:
        from controllers.api.asyncapi import asyncapi  # noqa: PLC0415 - see above

        return asyncapi(
            self.table,
            title="Trivium API over WebSocket and MQTT",
            version=self.version,
            request_topic=self.mqtt.request_topic,
            response_topic=self.mqtt.response_topic,
        )


def _choice(request: Request, name: str, allowed: tuple[str, ...]) -> str:
    chosen = request.string(name, allowed[0])
    if chosen not in allowed:
        raise RouterError("api.assert.unexpected_argument", name, ", ".join(allowed))
    return chosen
