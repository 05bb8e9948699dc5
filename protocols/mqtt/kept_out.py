"""Clients that had no right to a topic, as the audit hears of them."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from router.envelope import ANONYMOUS, Connection, Request, User, refusal
from router.errors import RouterError
from router.ports import Auditor

Verb: TypeAlias = Literal["publish", "subscribe"]

CONTROLLER: Final = "mqtt"
"""What roles call the rights to topics."""


class KeptOut(NamedTuple):
    """What a client wanted to do with a topic, or a filter, the first of `number` in one packet;
    `owner` is empty for nobody."""

    connection: Connection
    owner: str
    verb: Verb
    topic: str
    number: int = 1


def report(auditor: Auditor, kept_out: KeptOut) -> None:
    """Let the audit have it as a request that was refused: `mqtt:publish`, `mqtt:subscribe`, with
    the topic in the place of a document's id, and how many there were if not one."""
    user = User(kept_out.owner) if kept_out.owner else ANONYMOUS
    request = Request(
        controller=CONTROLLER,
        action=kept_out.verb,
        connection=kept_out.connection,
        request_id="",
        args={"_id": kept_out.topic},
        user=user,
    )
    verdict = "forbidden" if kept_out.owner else "unauthorized"
    error = RouterError(f"security.rights.{verdict}", CONTROLLER, kept_out.verb, user.id)
    count = kept_out.number if kept_out.number > 1 else None
    auditor.answered(None, request, refusal(error), count=count)
