"""Living tokens: what each one stands for, and which texts are known to be one."""

from __future__ import annotations

import contextlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, TypeAlias
from weakref import WeakValueDictionary

import msgspec

from router.errors import RouterError

REVOKED: Final = "The token was revoked, or this router never gave it out. Log in again."
EXPIRED: Final = "Token expired"
"""The text by which the C# SDK knows it; the id is what the others go by."""


Kind: TypeAlias = Literal["login", "api key", "connection"]


class Session(msgspec.Struct, weakref=True, kw_only=True, eq=False):
    """One token's life. There is one object for each, so that its end is seen everywhere.

    Attributes:
        id: Unique among tokens, API keys and connections.
        kuid: Whom it speaks for.
        kind: Whether it was given for a login, is an API key, or belongs to a connection that
            named itself when it was opened.
        expires_at_ms: Infinite if it never does.
        is_refreshed: Another token took its place; it only lives out its grace period.
        revoked: Set once it is over before its time.
    """

    id: str
    kuid: str
    kind: Kind
    expires_at_ms: float = math.inf
    single_use: bool = False
    is_refreshed: bool = False
    is_revoked: bool = False

    @property
    def expires_at(self) -> int:
        """When it ends, in ms since 1970; -1 for never."""
        return -1 if self.expires_at_ms == math.inf else int(self.expires_at_ms)

    def check(self, now_ms: float) -> None:
        """Let a token pass that is alive.

        Raises:
            RouterError: `security.token.invalid`.
        """
        if self.is_revoked:
            raise invalid(REVOKED)
        if self.expires_at_ms <= now_ms:
            raise invalid(EXPIRED)


class Watch:
    """Whether a session was revoked meanwhile."""

    __slots__ = ("is_revoked",)

    def __init__(self) -> None:
        self.is_revoked = False


class Sessions:
    """The sessions that are in use, and the texts of tokens that were verified before.

    Args:
        texts_max: Texts remembered; of the others each use is verified anew.
    """

    def __init__(self, texts_max: int) -> None:
        self._texts_max = texts_max
        self._texts: OrderedDict[str, Session] = OrderedDict()
        self._alive: WeakValueDictionary[str, Session] = WeakValueDictionary()
        self._watches: dict[str, list[Watch]] = {}
        self._revoked_listeners: list[Callable[[Session], None]] = []

    def of_text(self, text: str) -> Session | None:
        """The session of a text that was verified before; the caller still has to `check` it."""
        session = self._texts.get(text)
        if session is not None:
            self._texts.move_to_end(text)
        return session

    def of_id(self, id: str) -> Session | None:
        """The session of that id, if it is in use."""
        return self._alive.get(id)

    def of_kind(self, kind: Kind) -> list[Session]:
        """All sessions in use of this kind."""
        return [session for session in self._alive.values() if session.kind == kind]

    def of_user(self, kuid: str) -> list[Session]:
        """All sessions in use that speak for this user."""
        return [session for session in self._alive.values() if session.kuid == kuid]

    def add(self, session: Session) -> Session:
        """Take a session in; returns the one that is already in use under its id, if any."""
        known = self._alive.get(session.id)
        if known is not None and not known.is_revoked:
            return known
        self._alive[session.id] = session
        return session

    def remember(self, text: str, session: Session) -> None:
        """From now on `of_text` knows this text."""
        self._texts[text] = session
        if len(self._texts) > self._texts_max:
            self._texts.popitem(last=False)

    def forget_texts(self) -> None:
        """Know no text from now on: each has to be verified again."""
        self._texts.clear()

    def revoke(self, ids: Iterable[str]) -> None:
        """End these sessions, wherever they are in use. Ids that aren't in use are fine."""
        for one in ids:
            for watch in self._watches.get(one, ()):
                watch.is_revoked = True
            session = self._alive.get(one)
            if session is not None and not session.is_revoked:
                session.is_revoked = True
                for listener in self._revoked_listeners:
                    listener(session)

    @contextlib.contextmanager
    def watch(self, id: str) -> Iterator[Watch]:
        """Learn whether a session is revoked while it is being read from the store."""
        watch = Watch()
        watches = self._watches.setdefault(id, [])
        watches.append(watch)
        try:
            yield watch
        finally:
            watches.remove(watch)
            if not watches:
                self._watches.pop(id, None)

    def on_revoked(self, listener: Callable[[Session], None]) -> None:
        """Call the listener with each session that is revoked while it is in use."""
        self._revoked_listeners.append(listener)


def invalid(message: str) -> RouterError:
    """`security.token.invalid` with a text that says what is wrong with it."""
    error = RouterError("security.token.invalid")
    error.message = message
    return error
