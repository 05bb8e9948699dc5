"""What can go wrong between router and server, and what clients are told of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from router.errors import RouterError

_BUSY: Final = (429, 502, 503, 504)


class UnreachableError(Exception):
    """No answer came: the request may or may not have been carried out."""


class RefusedError(Exception):
    """The server answered with an error.

    Args:
        status: The HTTP status, or that of one item of a bulk.
        kind: The server's name of the error, such as `mapper_parsing_exception`.
        reason: Its sentence, with that of its cause.
    """

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(f"{status} {kind}: {reason}")
        self.status = status
        self.kind = kind
        self.reason = reason

    @property
    def is_passing(self) -> bool:
        """Whether the same request may well succeed a little later."""
        return self.status in _BUSY

    @property
    def is_of_missing_index(self) -> bool:
        """Whether an index, or its alias, is not there (any more)."""
        return self.kind == "index_not_found_exception"


Fault = UnreachableError | RefusedError


def told(fault: Fault) -> RouterError:
    """The error of the catalogue that a client gets."""
    if isinstance(fault, UnreachableError):
        return RouterError("services.storage.unavailable", str(fault))
    if fault.is_passing and "too_many_buckets" not in str(fault):
        return RouterError("services.storage.unavailable", fault.reason)
    if fault.kind == "cluster_block_exception":
        return RouterError("services.storage.unexpected_error", fault.reason)
    if fault.status == 400 or "too_many_buckets" in str(fault):
        return RouterError("services.storage.unexpected_bad_request", fault.reason)
    if fault.status == 404:
        return RouterError("services.storage.unexpected_not_found", fault.reason)
    return RouterError("services.storage.unexpected_error", str(fault))


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Turn what goes wrong within the block into the error that a client gets."""
    try:
        yield
    except (UnreachableError, RefusedError) as fault:
        raise told(fault) from fault
