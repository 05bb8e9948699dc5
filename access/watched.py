"""A user whose rights are asked for at any moment, by who can't wait for the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from storage.contract import Document

A = TypeVar("A")


class Watched(Generic[A]):
    """A user as the directory knows it; kept up to date for as long as somebody holds this.

    Args:
        make: The account of a document, with the rights of now.
    """

    __slots__ = ("__weakref__", "_document", "_made", "_make")

    def __init__(self, document: Document | None, make: Callable[[Document | None], A]) -> None:
        self._document = document
        self._make = make
        self._made: tuple[A] | None = None

    @property
    def account(self) -> A:
        """The account of now."""
        if self._made is None:
            self._made = (self._make(self._document),)
        return self._made[0]

    def learn(self, document: Document | None) -> None:
        """The user was written, or is gone."""
        self._document = document
        self._made = None

    def forget(self) -> None:
        """A profile or role has changed: make the account anew when it is asked for."""
        self._made = None
