"""`generic:document:injectMetadata`: what an application adds to the stamps of documents."""

from __future__ import annotations

from typing import Final

import msgspec

from controllers.writes import author, is_repeat
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from router.events import Events
from storage.contract import Verb
from storage.stamps import stamp

EVENT: Final = "generic:document:injectMetadata"

_TIMES: Final = ("createdAt", "updatedAt")
"""The store's own: in the order of the writes, and never going back."""


class Metadata(msgspec.Struct, frozen=True):
    """Asks the pipes of the event."""

    events: Events

    async def injected(self, request: Request, verb: Verb) -> tuple[JsonObject, JsonObject] | None:
        """What pipes add to or change of the stamp of a document that is there, and of a new one.

        Raises:
            RouterError: As a pipe raised it; `plugin.runtime.unexpected_error` for a payload
                that holds no metadata.
        """
        if not request.trigger_events or not self.events.heard(EVENT) or is_repeat(request):
            return None
        kuid, now = author(request).id, request.timestamp
        if verb != "upsert":
            usual = stamp(verb, kuid, now, {})
            payload = await self._asked({"request": request, "metadata": usual})
            changed = _changed(usual, payload.get("metadata"))
            return changed, changed
        there, new = stamp("update", kuid, now, {}), stamp("create", kuid, now, None)
        given = {"request": request, "metadata": there, "defaultMetadata": new}
        payload = await self._asked(given)
        return (
            _changed(there, payload.get("metadata")),
            _changed(new, payload.get("defaultMetadata")),
        )

    async def _asked(self, given: dict[str, object]) -> dict[str, object]:
        payload = await self.events.trigger(EVENT, given)
        if not isinstance(payload, dict):
            raise _broken()
        return payload


def _changed(usual: JsonObject, told: object) -> JsonObject:
    if not isinstance(told, dict):
        raise _broken()
    metadata: dict[str, Json] = told
    return {
        key: value
        for key, value in metadata.items()
        if key not in _TIMES and (key not in usual or usual[key] != value)
    }


def _broken() -> RouterError:
    reason = f"a pipe on {EVENT} returned a payload without metadata"
    return RouterError("plugin.runtime.unexpected_error", reason)
