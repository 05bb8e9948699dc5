"""`security:searchAudit`: who did what to what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Protocol, get_args

import msgspec

from access.audit.entry import Outcome
from access.audit.search import Page, Wanted
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, Request
from router.errors import RouterError

MAX_SIZE: Final = 1_000
"""Most entries that one page may hold."""

_OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


class Record(Protocol):
    """What was recorded."""

    async def search(self, wanted: Wanted) -> Page:
        """One page of it. Raises: OSError."""


class Audit:
    """Answers for the audit of this router; None where it keeps none."""

    def __init__(self, record: Record | None) -> None:
        self._record = record

    async def search(self, request: Request) -> Json:
        """The entries that the body describes, the newest first."""
        wanted = _read(request)
        if self._record is None:
            raise RouterError("trivium.unsupported.feature", "The audit (setting audit.enabled)")
        try:
            page = await self._record.search(wanted)
        except OSError as error:
            raise RouterError("services.storage.unexpected_error", str(error)) from error
        hits: Json = msgspec.to_builtins(page.entries)
        return {"hits": hits, "before": page.before}

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        return (
            Action(
                controller="security",
                name="searchAudit",
                handler=self.search,
                places=places.everywhere,
                summary="Who did what to what on this router, the newest first.",
                routes=(Route("POST", "/security/audit/_search"),),
                arguments=_ARGUMENTS,
                body="optional",
                result="`{hits: [{at, kuid: string | null, by, wire, address, connection, client, "
                "requestId, controller, action, index: string | null, collection: string | null, "
                "id: string | null, outcome, error, status, seq, prev}], "
                "before}`; `before` asks for the next page, null after the last one.",
                errors=("api.assert.invalid_type", "api.assert.invalid_argument"),
            ),
        )


_ARGUMENTS: Final = (
    Argument("size", "integer", f"How many entries, 1 to {MAX_SIZE}; default 10."),
    Argument("before", "integer", "Only entries with a smaller number (`seq`)."),
    Argument("from", "any", "First moment: milliseconds since 1970, or ISO 8601.", place="body"),
    Argument("to", "any", "Last moment, in the same form.", place="body"),
    Argument("kuid", "string", "Who asked.", place="body"),
    Argument("controller", "string", "Of the request.", place="body"),
    Argument("action", "string", "Of the request.", place="body"),
    Argument("index", "string", "One of those that the request named.", place="body"),
    Argument("_id", "string", "Of the document, user, role… that it named.", place="body"),
    Argument("outcome", "string", f"One of {', '.join(_OUTCOMES)}.", place="body"),
)


def _read(request: Request) -> Wanted:
    body = {} if request.body is None else request.body_object()
    size = request.integer("size", 10)
    if not 1 <= size <= MAX_SIZE:
        raise RouterError("api.assert.invalid_argument", "size", f"an integer from 1 to {MAX_SIZE}")
    before = request.integer("before", 0)

    def named(key: str) -> str | None:
        return None if body.get(key) is None else request.body_string(key)

    return Wanted(
        since=_moment(body.get("from"), "from") or 0,
        until=_moment(body.get("to"), "to"),
        kuid=named("kuid"),
        controller=named("controller"),
        action=named("action"),
        index=named("index"),
        id=named("_id"),
        outcome=_outcome(named("outcome")),
        before=before or None,
        size=size,
    )


def _outcome(value: str | None) -> Outcome | None:
    for outcome in _OUTCOMES:
        if value == outcome:
            return outcome
    if value is not None:
        raise RouterError("api.assert.invalid_argument", "body.outcome", ", ".join(_OUTCOMES))
    return None


def _moment(value: Json, key: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise RouterError(
            "api.assert.invalid_argument", f"body.{key}", "milliseconds since 1970, or ISO 8601"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
