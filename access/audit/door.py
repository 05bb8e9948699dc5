"""Logins of those who show what they have when they connect, as MQTT clients do."""

from __future__ import annotations

from access.audit.trail import Trail
from router.envelope import Bearer, Connection
from router.errors import RouterError
from router.ports import Doorkeeper


class RecordingDoor:
    """A doorkeeper of whom each decision is audited."""

    def __init__(self, door: Doorkeeper, trail: Trail) -> None:
        self._door = door
        self._trail = trail

    async def admit(
        self, connection: Connection, username: str | None, password: str | None
    ) -> Bearer | None:
        """See `router.ports.Doorkeeper`."""
        try:
            bearer = await self._door.admit(connection, username, password)
        except RouterError as error:
            self._trail.turned_away(connection, "", error)
            raise
        if bearer is not None:
            self._trail.let_in(connection, bearer.kuid)
        return bearer
