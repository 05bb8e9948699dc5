"""The two ways to refuse a search: it can't be read, or this store doesn't have that."""

from __future__ import annotations

from router.errors import RouterError


def malformed(sentence: str) -> RouterError:
    """The error for a search that doesn't read as the language wants it."""
    return RouterError("services.storage.unexpected_bad_request", sentence)


def unsupported(feature: str) -> RouterError:
    """The error for what the peer has and this store hasn't."""
    return RouterError("trivium.unsupported.feature", feature)
