"""How users, profiles and roles are indexed, as `security` has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from access.places import INDEX, PROFILES, ROLES, USERS, Kind
from controllers.security.asked import routes
from router import places
from router.actions import Action
from router.envelope import Json, JsonObject, Request
from storage.contract import Storage


class MappingController(msgspec.Struct, frozen=True):
    """Tells and extends the mappings of the private store."""

    private: Storage

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        found = [
            each
            for kind, word in ((USERS, "User"), (PROFILES, "Profile"), (ROLES, "Role"))
            for each in self._of(kind, word)
        ]
        return tuple(found)

    def _of(self, kind: Kind, word: str) -> tuple[Action, Action]:
        return (
            Action(
                controller="security",
                name=f"get{word}Mapping",
                handler=self._telling(kind),
                places=places.everywhere,
                summary=f"How {kind} are indexed.",
                routes=routes(f"GET /{kind}/_mapping"),
                result="`{mapping: object}`",
            ),
            Action(
                controller="security",
                name=f"update{word}Mapping",
                handler=self._extending(kind),
                places=places.everywhere,
                summary=f"Index more fields of {kind}.",
                routes=routes(f"PUT /{kind}/_mapping"),
                body="required",
                result="`{dynamic, _meta, properties}`",
                errors=(
                    "api.assert.body_required",
                    "services.storage.invalid_mapping",
                    "services.storage.cannot_change_mapping",
                ),
            ),
        )

    def _telling(self, kind: Kind) -> Callable[[Request], Awaitable[Json]]:
        async def tell(_: Request) -> Json:
            return {"mapping": _bare(self.private.mapping(INDEX, kind))["properties"]}

        return tell

    def _extending(self, kind: Kind) -> Callable[[Request], Awaitable[Json]]:
        async def extend(request: Request) -> Json:
            await self.private.update_mapping(INDEX, kind, request.body_object())
            return _bare(self.private.mapping(INDEX, kind))

        return extend


def _bare(mapping: JsonObject) -> JsonObject:
    properties = mapping.get("properties")
    fields = properties if isinstance(properties, dict) else {}
    return {**mapping, "properties": {k: v for k, v in fields.items() if k != "_kuzzle_info"}}
