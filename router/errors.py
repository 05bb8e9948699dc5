"""The one exception that reaches clients: an id of the catalogue, with its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.catalogue import CATALOGUE

if TYPE_CHECKING:
    from router.envelope import Json, JsonObject


class RouterError(Exception):
    """An error with a stable id, code and status, as the peer's clients know them.

    Args:
        id: A dotted id of the catalogue, `domain.subdomain.name`; another one is a
            programming error (KeyError at once).
        props: The values of the message's placeholders; sent to the client as `props`.
        extra: More fields of the error object (`errors` and `count` of a partial failure).
    """

    def __init__(self, id: str, *props: Json, **extra: Json) -> None:
        entry = CATALOGUE[id]
        self.id = id
        self.code = entry.code
        self.status = entry.status
        self.props = list(props)
        self.extra = extra
        self.message = entry.render(self.props)
        super().__init__(self.message)

    def to_json(self) -> JsonObject:
        """The error object of the envelope."""
        return {
            "code": self.code,
            "id": self.id,
            "message": self.message,
            "props": self.props,
            "status": self.status,
            **self.extra,
        }
