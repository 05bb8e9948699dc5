"""The credentials of a CONNECT, and what a client is told whose credentials don't let it in."""

from __future__ import annotations

from typing import Final, NamedTuple

from protocols.codec.mqtt.packets import Connack, Connect
from protocols.codec.mqtt.reasons import PacketError, Reason
from router.errors import RouterError


class Knock(NamedTuple):
    """A CONNECT whose credentials are being checked, and what it gets if they are good."""

    connect: Connect
    client_id: str
    connack: Connack

    @property
    def has_credentials(self) -> bool:
        """Whether there is anything to check."""
        return self.connect.username is not None or self.connect.password is not None

    @property
    def username(self) -> str | None:
        """As the client gave it."""
        return self.connect.username

    @property
    def password(self) -> str | None:
        """The same, as text. Raises: PacketError, it is none."""
        given = self.connect.password
        try:
            return None if given is None else given.decode()
        except UnicodeDecodeError:
            raise PacketError(_BAD, "the password is not UTF-8") from None


_BAD: Final = Reason.BAD_USER_NAME_OR_PASSWORD


def refusal_of(error: RouterError) -> PacketError:
    """What goes into the CONNACK."""
    reason = _BAD if error.status in {400, 401, 403} else Reason.SERVER_BUSY
    return PacketError(reason, error.message)
