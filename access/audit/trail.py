"""From answered requests to entries: what is kept of a request, and of whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from access.audit.entry import Entry, Outcome, text
from access.audit.journal import Journal
from access.audit.selection import Selection, keeps_out
from access.audit.writer import Clock
from router.actions import Action
from router.envelope import ANONYMOUS, Connection, Request, Response, User
from router.errors import RouterError
from router.places import Place

UNAVAILABLE: Final = "trivium.audit.unavailable"

_API_KEY: Final = "kapikey-"
_LOGIN: Final = ("auth", "login")


class Trail:
    """Audits what the selection takes, and everybody who is kept out.

    Args:
        refuses: Whether requests that would be audited are refused while nothing can be written.
    """

    def __init__(
        self, selection: Selection, journal: Journal, clock: Clock, *, refuses: bool
    ) -> None:
        self._selection = selection
        self._journal = journal
        self._clock = clock
        self._refuses = refuses

    def check(self, action: Action) -> None:
        """Let an action pass that can be audited, or need not be.

        Raises:
            RouterError: `trivium.audit.unavailable`.
        """
        if (
            self._refuses
            and self._journal.is_failing
            and self._selection.takes(action.controller, action.name)
        ):
            raise RouterError(UNAVAILABLE)

    def answered(
        self,
        action: Action | None,
        request: Request,
        response: Response,
        *,
        count: int | None = None,
    ) -> None:
        """See `router.ports.Auditor`."""
        error = None if response.error is None else str(response.error["id"])
        is_taken = action is not None and self._selection.takes(action.controller, action.name)
        if (is_taken or keeps_out(error)) and error != UNAVAILABLE:
            places = () if action is None else action.places(request)
            request = _by_whom(request, response)
            entry = _entry(request, places, error, response.status, self._clock())
            self._journal.put(entry if count is None else replace(entry, count=count))

    def turned_away(self, connection: Connection, request_id: str, error: RouterError) -> None:
        """Note that a wire let nobody in, or no request through; not if it's the wire's fault."""
        if keeps_out(error.id):
            request = Request(
                controller="", action="", connection=connection, request_id=request_id
            )
            self._journal.put(_entry(request, (), error.id, error.status, self._clock()))

    def let_in(self, connection: Connection, kuid: str) -> None:
        """Note that a user logged in by connecting: `<wire>:connect`."""
        request = Request(
            controller=connection.wire,
            action="connect",
            connection=connection,
            request_id="",
            user=User(kuid),
        )
        self._journal.put(_entry(request, (), None, 200, self._clock()))

    def counts(self) -> Mapping[str, int]:
        """Entries `written` and `lost` so far, and `failures` of the disk."""
        journal = self._journal
        return {
            "written": journal.written,
            "lost": journal.lost,
            "failures": journal.failures,
        }


def _by_whom(request: Request, response: Response) -> Request:
    """The request, a login that succeeded in the name of who logged in by it."""
    result = response.result
    if (request.controller, request.action) != _LOGIN or not isinstance(result, dict):
        return request
    kuid = result.get("_id")
    return request.replace(user=User(kuid)) if isinstance(kuid, str) else request


def _entry(
    request: Request, places: Sequence[Place], error: str | None, status: int, at: int
) -> Entry:
    connection = request.connection
    return Entry(
        action=text(request.action) or "",
        address=connection.address,
        at=at,
        by=_means(request),
        client=text(connection.client_id) or "",
        collection=_joined(collection for _, collection in places),
        connection=connection.id,
        controller=text(request.controller) or "",
        error=error,
        id=text(request.args.get("_id")),
        index=_joined(index for index, _ in places),
        kuid=_kuid(request, error),
        outcome=_outcome(error),
        requestId=text(request.request_id) or "",
        status=status,
        wire=connection.wire,
    )


def _joined(names: Iterable[str | None]) -> str | None:
    # Names of indexes and collections hold no comma.
    return text(",".join(dict.fromkeys(filter(None, names)))) or None


def _outcome(error: str | None) -> Outcome:
    if error is None:
        return "allowed"
    return "refused" if keeps_out(error) else "failed"


def _kuid(request: Request, error: str | None) -> str | None:
    if error is not None and error.startswith(("security.token.", "security.cookie.")):
        return None
    return request.user.id


def _means(request: Request) -> str:
    if request.connection.wire == "internal":
        return "application"
    if request.jwt is not None:
        return "apiKey" if request.jwt.startswith(_API_KEY) else "token"
    if request.user.id == ANONYMOUS.id:
        return "none"
    return "certificate" if request.connection.certified == request.user.id else "connection"
