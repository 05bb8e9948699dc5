"""The one exception that reaches clients: an id of the catalogue, with its values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from router.catalogue import CATALOGUE

if TYPE_CHECKING:
    from router.envelope import Json, JsonObject


_NO_HEADERS: Final[Mapping[str, str]] = {}


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

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer carries beside the error object."""
        return _NO_HEADERS

    def with_status(self, status: int) -> RouterError:
        """The same error under another status: a protocol may have one of its own for it."""
        self.status = status
        return self

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


class TooSoonError(RouterError):
    """A refusal that ends by itself; the client is told when to come back (RFC 9110, 10.2.3)."""

    def __init__(self, id: str, *props: Json, retry_after_s: float) -> None:
        super().__init__(id, *props)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> Mapping[str, str]:
        """Whole seconds, at least one."""
        return {"Retry-After": str(max(1, math.ceil(self.retry_after_s)))}
